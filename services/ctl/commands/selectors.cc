#include "services/ctl/commands/selectors.h"

#include "absl/strings/str_format.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

// "key=value", "key!=value" or "key:value".
struct Selector {
  std::string key;
  std::string value;
  bool except = false;
};

Selector Split(const std::string& text) {
  const size_t sign = text.find_first_of("!=:");
  if (sign == std::string::npos) return {.key = text};
  const bool except = text.compare(sign, 2, "!=") == 0;
  return {.key = text.substr(0, sign), .value = text.substr(sign + (except ? 2 : 1)), .except = except};
}

// Whether the key is a stratum's; then the filter is set.
absl::StatusOr<bool> ReadStratum(const Selector& selector, survey::v1::StratumFilter& stratum) {
  stratum.set_except(selector.except);
  if (selector.key == "size-class") {
    const auto size_class = ParseWord<survey::v1::SizeClass>(selector.value);
    if (!size_class.ok()) return size_class.status();
    stratum.set_size_class(*size_class);
  } else if (selector.key == "province") {
    stratum.set_province(selector.value);
  } else if (selector.key == "group") {
    stratum.set_group(selector.value);
  } else if (selector.key == "took-part-in") {
    stratum.set_took_part_in(selector.value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<analytics::v1::Breakdown> ParseBreakdown(const std::string& text) {
  const Selector selector = Split(text);
  analytics::v1::Breakdown by;
  const bool valued = !selector.value.empty() && !selector.except;
  if (text == "size-class") {
    by.set_stratum(analytics::v1::STRATUM_SIZE_CLASS);
  } else if (text == "province") {
    by.set_stratum(analytics::v1::STRATUM_PROVINCE);
  } else if (valued && selector.key == "group") {
    by.set_group(selector.value);
  } else if (valued && selector.key == "took-part-in") {
    by.set_took_part_in(selector.value);
  } else if (valued && selector.key == "question") {
    by.set_question(selector.value);
  } else {
    return UsageError(absl::StrFormat("--by \"%s\": want size-class, province, group:G40, took-part-in:2019 or question:Q5", text));
  }
  return by;
}

absl::StatusOr<analytics::v1::Filter> ParseFilter(const std::string& text) {
  analytics::v1::Filter filter;
  if (text == "complete" || text == "partial") {
    filter.set_complete(text == "complete");
    return filter;
  }
  const Selector selector = Split(text);
  const auto wrong = [&] {
    return UsageError(absl::StrFormat(
        "--filter \"%s\": want size-class=under-50k, province=Utrecht, group=G40, took-part-in=2019 (or != for all others), Q5=ja, "
        "Q22.po=structuur, complete or partial",
        text));
  };
  if (selector.key.empty() || selector.value.empty()) return wrong();
  const auto stratum = ReadStratum(selector, *filter.mutable_stratum());
  if (!stratum.ok()) return stratum.status();
  if (*stratum) return filter;
  if (selector.except) return wrong();
  auto& option = *filter.mutable_option();
  const size_t dot = selector.key.find('.');
  option.set_question(selector.key.substr(0, dot));
  if (dot != std::string::npos) option.set_row(selector.key.substr(dot + 1));
  option.set_option(selector.value);
  return filter;
}

}  // namespace peiling::ctl

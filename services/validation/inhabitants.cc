#include "services/validation/inhabitants.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::validation {
namespace {

// What the registry takes.
constexpr size_t kMaxTextBytes = 500;
constexpr int kPageSize = 1000;

bool Worth(const std::string* text) { return text != nullptr && !text->empty() && text->size() <= kMaxTextBytes; }

std::string Key(const std::string& date, const std::string& text) { return absl::StrCat(date, " ", text); }

}  // namespace

absl::StatusOr<std::vector<std::optional<int64_t>>> Inhabitants::Find(const std::vector<const std::string*>& texts, const std::string& date,
                                                                      const MakeContext& make_context) {
  ByText found;
  std::set<std::string> unknown;
  {
    const std::lock_guard lock(mutex_);
    for (const std::string* text : texts) {
      if (!Worth(text)) continue;
      const auto known = by_text_.find(Key(date, *text));
      if (known == by_text_.end()) {
        unknown.insert(*text);
      } else {
        found[*text] = known->second;
      }
    }
  }
  if (!unknown.empty()) {
    const absl::Status resolved = Resolve({unknown.begin(), unknown.end()}, date, make_context, found);
    if (!resolved.ok()) return resolved;
  }
  std::vector<std::optional<int64_t>> inhabitants;
  inhabitants.reserve(texts.size());
  for (const std::string* text : texts) inhabitants.push_back(Worth(text) ? found[*text] : std::nullopt);
  return inhabitants;
}

absl::Status Inhabitants::Resolve(const std::vector<std::string>& texts, const std::string& date, const MakeContext& make_context,
                                  ByText& found) {
  auto municipalities = MunicipalitiesOn(date, make_context);
  if (!municipalities.ok()) return municipalities.status();
  registry::v1::BatchResolveMunicipalitiesRequest request;
  request.mutable_texts()->Add(texts.begin(), texts.end());
  request.set_as_of(date);
  registry::v1::BatchResolveMunicipalitiesResponse response;
  const auto context = make_context();
  const grpc::Status status = registry_.BatchResolveMunicipalities(context.get(), request, &response);
  if (!status.ok()) return status::FromGrpc(status);
  if (static_cast<size_t>(response.resolutions_size()) != texts.size()) {
    return status::Error(absl::StatusCode::kInternal, "REGISTRY_INCOMPLETE", "the registry did not answer for each text");
  }
  const std::lock_guard lock(mutex_);
  if (by_text_.size() + texts.size() > kMaxTexts) by_text_.clear();
  for (size_t i = 0; i < texts.size(); ++i) {
    const registry::v1::Resolution& resolution = response.resolutions(static_cast<int>(i));
    const bool one =
        resolution.kind() == registry::v1::RESOLUTION_KIND_EXACT || resolution.kind() == registry::v1::RESOLUTION_KIND_CORRECTED;
    std::optional<int64_t>& inhabitants = found[texts[i]];
    if (one && resolution.codes_size() == 1) {
      const auto municipality = (*municipalities)->find(resolution.codes(0));
      if (municipality != (*municipalities)->end()) inhabitants = municipality->second;
    }
    by_text_[Key(date, texts[i])] = inhabitants;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Inhabitants::ByCode>> Inhabitants::MunicipalitiesOn(const std::string& date,
                                                                                         const MakeContext& make_context) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_date_.find(date);
    if (known != by_date_.end()) return known->second;
  }
  auto municipalities = std::make_shared<ByCode>();
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(date);
  request.set_page_size(kPageSize);
  do {
    registry::v1::ListMunicipalitiesResponse response;
    const auto context = make_context();
    const grpc::Status status = registry_.ListMunicipalities(context.get(), request, &response);
    if (!status.ok()) return status::FromGrpc(status);
    for (const auto& municipality : response.municipalities()) {
      // 0: not known.
      if (municipality.facts().inhabitants() > 0) municipalities->emplace(municipality.code(), municipality.facts().inhabitants());
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  const std::lock_guard lock(mutex_);
  if (by_date_.size() >= kMaxDates) by_date_.clear();
  by_date_[date] = municipalities;
  return municipalities;
}

}  // namespace peiling::validation

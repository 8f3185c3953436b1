#include "services/ctl/commands/rulings_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"

namespace peiling::ctl {
namespace {

constexpr size_t kMaxFileBytes = 16 << 20;

}  // namespace

absl::StatusOr<std::vector<dedup::v1::Ruling>> ReadRulings(const std::string& path, const std::string& wave) {
  const auto text = ReadFile(path, kMaxFileBytes);
  if (!text.ok()) return text.status();
  const auto table = csv::Table::Parse(*text, {"response_id", "municipality_code", "reason"});
  if (!table.ok()) return table.status();
  status::BadRequest bad;
  std::vector<dedup::v1::Ruling> rulings;
  for (size_t row = 0; row < table->size(); ++row) {
    const std::string place = absl::StrCat(path, ":", table->line(row));
    const std::string& id = table->at(row, "response_id");
    const std::vector<std::string> codes = absl::StrSplit(table->at(row, "municipality_code"), ' ', absl::SkipWhitespace());
    if (!names::IsId(id)) bad.Add(place, absl::StrCat("response_id \"", id, "\", want the id of a response"));
    if (codes.empty()) bad.Add(place, "municipality_code \"\", want a code such as GM0363");
    if (table->at(row, "reason").empty()) bad.Add(place, "reason \"\", want why");
    dedup::v1::Ruling& ruling = rulings.emplace_back();
    ruling.set_response(absl::StrCat(wave, "/responses/", id));
    ruling.set_reason(table->at(row, "reason"));
    if (codes.size() == 1) ruling.mutable_assign()->set_municipality_code(codes[0]);
    if (codes.size() > 1) *ruling.mutable_split()->mutable_municipality_codes() = {codes.begin(), codes.end()};
  }
  if (!bad.empty()) return bad.ToStatus("RULINGS_INVALID");
  return rulings;
}

}  // namespace peiling::ctl

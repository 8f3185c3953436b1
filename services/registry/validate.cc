#include "services/registry/validate.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"

namespace peiling::registry {
namespace {

constexpr int kMaxTexts = 1000;
constexpr int kMaxCodes = 1000;
constexpr size_t kMaxTextCharacters = 500;

void CheckDate(const std::string& field, const std::string& date, status::BadRequest& bad) {
  if (!names::IsDate(date)) bad.Add(field, absl::StrCat("\"", date, "\", want a day as YYYY-MM-DD"));
}

void CheckOptionalDate(const std::string& field, const std::string& date, status::BadRequest& bad) {
  if (!date.empty()) CheckDate(field, date, bad);
}

}  // namespace

absl::Status Validate(const v1::GetMunicipalityRequest& request) {
  status::BadRequest bad;
  names::Require("name", request.name(), "municipalities/*", bad);
  CheckOptionalDate("as_of", request.as_of(), bad);
  return bad.ToStatus();
}

void Validate(const v1::ListMunicipalitiesRequest& request, status::BadRequest& bad) {
  CheckOptionalDate("as_of", request.as_of(), bad);
  if (!survey::v1::SizeClass_IsValid(request.size_class()))
    bad.Add("size_class", absl::StrCat(request.size_class(), ", want a known class"));
  if (!request.as_of().empty()) return;
  if (request.size_class() != survey::v1::SIZE_CLASS_UNSPECIFIED) bad.Add("as_of", "\"\", want a day, on which size_class holds");
  if (!request.group().empty()) bad.Add("as_of", "\"\", want a day, on which group has its members");
}

absl::Status Validate(const v1::TraceLineageRequest& request) {
  status::BadRequest bad;
  if (request.codes_size() > kMaxCodes) bad.Add("codes", absl::StrCat(request.codes_size(), ", want at most ", kMaxCodes));
  CheckDate("from", request.from(), bad);
  CheckDate("to", request.to(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ResolveMunicipalityRequest& request) {
  status::BadRequest bad;
  requests::CheckText("text", request.text(), kMaxTextCharacters, bad);
  CheckOptionalDate("as_of", request.as_of(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::BatchResolveMunicipalitiesRequest& request) {
  status::BadRequest bad;
  if (request.texts_size() > kMaxTexts) bad.Add("texts", absl::StrCat(request.texts_size(), ", want at most ", kMaxTexts));
  for (int i = 0; i < std::min(request.texts_size(), kMaxTexts); ++i) {
    requests::CheckText(absl::StrCat("texts[", i, "]"), request.texts(i), kMaxTextCharacters, bad);
  }
  CheckOptionalDate("as_of", request.as_of(), bad);
  return bad.ToStatus();
}

}  // namespace peiling::registry

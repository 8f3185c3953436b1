#include "services/intake/drafts/validate.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/intake/answers.h"
#include "services/intake/drafts/draft_etag.h"
#include "services/intake/validate.h"

namespace peiling::intake {
namespace {

using ::peiling::status::BadRequest;

constexpr int kMostMunicipalities = 50;
constexpr size_t kMostCodeCharacters = 20;
constexpr int kMostChanges = 1000;
constexpr int kMostIds = 1000;
constexpr size_t kMaxLanguage = 35;

constexpr char kWave[] = "surveys/*/waves/*";
constexpr char kResponse[] = "surveys/*/waves/*/responses/*";

void CheckMunicipalities(const v1::CreateDraftRequest& request, BadRequest& bad) {
  if (request.municipalities().empty() || request.municipalities_size() > kMostMunicipalities) {
    bad.Add("municipalities", absl::StrCat(request.municipalities_size(), " municipalities, want 1 to ", kMostMunicipalities));
  }
  std::set<std::string> seen;
  for (int i = 0; i < request.municipalities_size(); ++i) {
    const std::string& code = request.municipalities(i);
    const std::string field = absl::StrCat("municipalities[", i, "]");
    if (!names::IsId(code) || code.size() > kMostCodeCharacters) bad.Add(field, "want a code such as GM0363");
    if (!seen.insert(code).second) bad.Add(field, "is there twice");
  }
}

void CheckLanguage(const std::string& language, BadRequest& bad) {
  if (language.size() > kMaxLanguage) bad.Add("language", "want a BCP 47 language");
}

// '~' is for imports of several files.
bool IsDraftId(const std::string& id) { return names::IsId(id) && id.find('~') == std::string::npos; }

void CheckEtag(const std::string& etag, BadRequest& bad) {
  if (!KnownRevisions::Parse(etag)) bad.Add("etag", "is no etag of a draft");
}

}  // namespace

absl::Status Validate(const v1::CreateDraftRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (!IsDraftId(request.response_id())) {
    bad.Add("response_id", "want 1 to 100 letters, digits, '-', '_', '.', not beginning with '.'");
  }
  CheckMunicipalities(request, bad);
  CheckLanguage(request.language(), bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetDraftRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kResponse, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::SaveDraftRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kResponse, bad);
  CheckEtag(request.etag(), bad);
  if (request.changes_size() > kMostChanges)
    bad.Add("changes", absl::StrCat(request.changes_size(), " changes, want at most ", kMostChanges));
  if (request.last_section() < 0) bad.Add("last_section", absl::StrCat(request.last_section(), ", want 0 or more"));
  CheckLanguage(request.language(), bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  if (!bad.empty()) return bad.ToStatus();
  const size_t bytes = request.ByteSizeLong();
  if (bytes <= kMaxResponseBytes) return absl::OkStatus();
  return status::Error(absl::StatusCode::kResourceExhausted, "RESPONSE_TOO_LARGE",
                       absl::StrCat("the changes take ", bytes, " bytes, of at most ", kMaxResponseBytes), {{"name", request.name()}});
}

absl::Status Validate(const v1::SubmitDraftRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kResponse, bad);
  CheckEtag(request.etag(), bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ReopenDraftRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kResponse, bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListDraftChangesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kResponse, bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::BatchGetResponseStatesRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (request.response_ids_size() > kMostIds) {
    bad.Add("response_ids", absl::StrCat(request.response_ids_size(), " ids, want at most ", kMostIds));
  }
  for (int i = 0; i < request.response_ids_size(); ++i) {
    if (!names::IsId(request.response_ids(i))) bad.Add(absl::StrCat("response_ids[", i, "]"), "want the last part of a response's name");
  }
  return bad.ToStatus();
}

}  // namespace peiling::intake

#include "services/dedup/validate.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"

namespace peiling::dedup::validate {
namespace {

using status::BadRequest;

constexpr char kWave[] = "surveys/*/waves/*";
constexpr size_t kMaxName = 200;
constexpr size_t kMaxReason = 1000;
constexpr int kMaxSplit = 100;

// Who decided: by default the caller, where there is one.
void CheckWho(std::string_view field, std::string_view who, const std::string& caller, BadRequest& bad) {
  if (caller.empty()) return requests::RequireText(field, who, kMaxName, bad);
  requests::CheckText(field, who, kMaxName, bad);
}

void RequireCode(std::string_view field, const std::string& code, BadRequest& bad) {
  const bool is_code =
      code.size() == 6 && code.starts_with("GM") && std::all_of(code.begin() + 2, code.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_code) bad.Add(field, absl::StrCat("\"", code, "\", want \"GM\" and four digits"));
}

void CheckSplit(const v1::SplitRuling& split, BadRequest& bad) {
  const auto& codes = split.municipality_codes();
  for (int i = 0; i < codes.size(); ++i) RequireCode(absl::StrCat("ruling.split.municipality_codes[", i, "]"), codes[i], bad);
  const size_t different = std::set<std::string>(codes.begin(), codes.end()).size();
  if (different < 2 || different != static_cast<size_t>(codes.size()) || codes.size() > kMaxSplit) {
    bad.Add("ruling.split.municipality_codes", absl::StrCat(codes.size(), " codes, want 2 to ", kMaxSplit, " different ones"));
  }
}

void CheckDecision(const v1::Ruling& ruling, BadRequest& bad) {
  switch (ruling.decision_case()) {
    case v1::Ruling::kAssign:
      return RequireCode("ruling.assign.municipality_code", ruling.assign().municipality_code(), bad);
    case v1::Ruling::kKeep:
      return RequireCode("ruling.keep.municipality_code", ruling.keep().municipality_code(), bad);
    case v1::Ruling::kSplit:
      return CheckSplit(ruling.split(), bad);
    case v1::Ruling::kExclude:
      return;
    case v1::Ruling::DECISION_NOT_SET:
      return bad.Add("ruling.decision", "not set, want assign, keep, exclude or split");
  }
}

template <typename Request>
absl::StatusOr<paging::Page> PageOf(const Request& request, BadRequest& bad) {
  names::Require("parent", request.parent(), kWave, bad);
  paging::Page page = paging::ReadPage(request, bad);
  if (!bad.empty()) return bad.ToStatus();
  return page;
}

}  // namespace

absl::Status Check(const v1::GetCaseRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), "surveys/*/waves/*/cases/*", bad);
  return bad.ToStatus();
}

absl::Status Check(const v1::GetRecordRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), "surveys/*/waves/*/records/*", bad);
  return bad.ToStatus();
}

absl::Status Check(const v1::CreateRulingRequest& request, const std::string& caller) {
  BadRequest bad;
  const v1::Ruling& ruling = request.ruling();
  names::Require("parent", request.parent(), kWave, bad);
  const bool is_name = !names::Require("ruling.response", ruling.response(), "surveys/*/waves/*/responses/*", bad).empty();
  if (is_name && names::WaveOf(ruling.response()) != request.parent()) {
    bad.Add("ruling.response", absl::StrCat("\"", ruling.response(), "\", want a response of ", request.parent()));
  }
  CheckDecision(ruling, bad);
  requests::RequireText("ruling.reason", ruling.reason(), kMaxReason, bad);
  CheckWho("ruling.ruled_by", ruling.ruled_by(), caller, bad);
  requests::RequireUnset("ruling.name", !ruling.name().empty(), bad);
  requests::RequireUnset("ruling.ruled_at", ruling.has_ruled_at(), bad);
  requests::RequireUnset("ruling.retracted_at", ruling.has_retracted_at(), bad);
  requests::RequireUnset("ruling.retracted_by", !ruling.retracted_by().empty(), bad);
  requests::RequireUnset("ruling.retraction_reason", !ruling.retraction_reason().empty(), bad);
  requests::RequireUnset("ruling.recorded_by", !ruling.recorded_by().empty(), bad);
  requests::RequireUnset("ruling.retraction_recorded_by", !ruling.retraction_recorded_by().empty(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Check(const v1::RetractRulingRequest& request, const std::string& caller) {
  BadRequest bad;
  names::Require("name", request.name(), "surveys/*/waves/*/rulings/*", bad);
  CheckWho("retracted_by", request.retracted_by(), caller, bad);
  requests::RequireText("reason", request.reason(), kMaxReason, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Check(const v1::GetCleaningReportRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  return bad.ToStatus();
}

absl::Status Check(const v1::WatchRecordsRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  return bad.ToStatus();
}

absl::StatusOr<paging::Page> CheckList(const v1::ListCasesRequest& request) {
  BadRequest bad;
  if (!v1::CaseState_IsValid(request.state())) bad.Add("state", absl::StrCat(request.state(), ", want a CaseState"));
  return PageOf(request, bad);
}

absl::StatusOr<paging::Page> CheckList(const v1::ListDecisionsRequest& request) {
  BadRequest bad;
  if (!v1::Disposition_IsValid(request.disposition())) bad.Add("disposition", absl::StrCat(request.disposition(), ", want a Disposition"));
  return PageOf(request, bad);
}

absl::StatusOr<paging::Page> CheckList(const v1::ListRulingsRequest& request) {
  BadRequest bad;
  return PageOf(request, bad);
}

absl::StatusOr<paging::Page> CheckList(const v1::ListRecordsRequest& request) {
  BadRequest bad;
  return PageOf(request, bad);
}

}  // namespace peiling::dedup::validate

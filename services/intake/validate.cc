#include "services/intake/validate.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/intake/answers.h"

namespace peiling::intake {
namespace {

using ::google::protobuf::util::TimeUtil;
using ::peiling::status::BadRequest;

constexpr int kMaxDocuments = 50;
constexpr size_t kMaxDocumentBytes = 2 << 20;
constexpr size_t kMaxPieceBytes = 1 << 20;
constexpr size_t kMaxRequestId = 100;
constexpr size_t kMaxReason = 1000;
constexpr size_t kMaxLanguage = 35;
constexpr size_t kMaxSource = 50;
constexpr int kMaxSection = 10'000;

constexpr char kSurvey[] = "surveys/*";
constexpr char kWave[] = "surveys/*/waves/*";
constexpr char kResponse[] = "surveys/*/waves/*/responses/*";

// Characters, not bytes.
size_t Length(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

absl::Status CheckName(std::string_view field, const std::string& name, std::string_view pattern) {
  BadRequest bad;
  names::Require(field, name, pattern, bad);
  return bad.ToStatus();
}

// What a change with a request id and a reason has.
template <typename Request>
void CheckChange(const Request& request, std::string_view pattern, BadRequest& bad) {
  names::Require("name", request.name(), pattern, bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  if (Length(request.reason()) > kMaxReason) {
    bad.Add("reason", absl::StrCat(Length(request.reason()), " characters, want at most ", kMaxReason));
  }
}

template <typename Request>
absl::Status ValidateChange(const Request& request, std::string_view pattern) {
  BadRequest bad;
  CheckChange(request, pattern, bad);
  return bad.ToStatus();
}

void CheckUnset(const v1::Response& response, BadRequest& bad) {
  const auto must_be_empty = [&bad](bool set, const char* field) {
    if (set) bad.Add(absl::StrCat("response.", field), "is set by intake, want it empty");
  };
  must_be_empty(!response.name().empty(), "name");
  must_be_empty(response.state() != v1::RESPONSE_STATE_UNSPECIFIED, "state");
  must_be_empty(response.has_updated_at(), "updated_at");
  must_be_empty(response.has_submitted_at(), "submitted_at");
  must_be_empty(!response.respondent_key().empty(), "respondent_key");
  must_be_empty(!response.issues().empty(), "issues");
  must_be_empty(response.has_completeness(), "completeness");
  must_be_empty(!response.etag().empty(), "etag");
  must_be_empty(response.sequence() != 0, "sequence");
  must_be_empty(!response.withdrawal_reason().empty(), "withdrawal_reason");
  // Known from an invitation alone; dedup goes by them, and personal answers are not looked for there.
  must_be_empty(!response.municipalities().empty(), "municipalities");
  must_be_empty(!response.municipality_answers().empty(), "municipality_answers");
  must_be_empty(response.has_personal_erased_at(), "personal_erased_at");
}

bool IsTime(const google::protobuf::Timestamp& time) {
  return time.seconds() >= TimeUtil::kTimestampMinSeconds && time.seconds() <= TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

bool IsSource(const std::string& source) {
  return source.size() <= kMaxSource && source.find('~') == std::string::npos && names::IsId(source);
}

}  // namespace

void CheckRequestId(const std::string& request_id, bool required, BadRequest& bad) {
  if (required && request_id.empty()) bad.Add("request_id", "\"\", want a UUID or other unique text");
  if (Length(request_id) > kMaxRequestId) {
    bad.Add("request_id", absl::StrCat(Length(request_id), " characters, want at most ", kMaxRequestId));
  }
}

absl::Status Validate(const v1::ApplyDocumentsRequest& request) {
  BadRequest bad;
  if (request.documents().empty() || request.documents_size() > kMaxDocuments) {
    bad.Add("documents", absl::StrCat(request.documents_size(), " documents, want 1 to ", kMaxDocuments));
  }
  for (int i = 0; i < request.documents_size(); ++i) {
    const size_t size = request.documents(i).text().size();
    const std::string field = absl::StrCat("documents[", i, "].text");
    if (size == 0) bad.Add(field, "\"\", want a YAML document");
    if (size > kMaxDocumentBytes) bad.Add(field, absl::StrCat(size, " bytes, want at most ", kMaxDocumentBytes));
  }
  CheckRequestId(request.request_id(), /*required=*/false, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetSurveyRequest& request) { return CheckName("name", request.name(), kSurvey); }

absl::Status Validate(const v1::ListSurveysRequest& request, paging::Page& page) {
  BadRequest bad;
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetWaveRequest& request) { return CheckName("name", request.name(), kWave); }

absl::Status Validate(const v1::ListWavesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kSurvey, bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::OpenWaveRequest& request) { return ValidateChange(request, kWave); }
absl::Status Validate(const v1::CloseWaveRequest& request) { return ValidateChange(request, kWave); }

absl::Status Validate(const v1::ExtendWaveRequest& request) {
  BadRequest bad;
  CheckChange(request, kWave, bad);
  if (!request.has_closes_at() || !IsTime(request.closes_at()) || request.closes_at().seconds() % 60 != 0 ||
      request.closes_at().nanos() != 0) {
    bad.Add("closes_at", "want a time in whole minutes");
  }
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListWaveChangesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetQuestionnaireRequest& request) {
  return CheckName("name", request.name(), "surveys/*/questionnaires/*");
}

absl::Status Validate(const v1::GetPublishedReportRequest& request) { return CheckName("parent", request.parent(), kWave); }

absl::Status Validate(const v1::SubmitResponseRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  CheckRequestId(request.request_id(), /*required=*/true, bad);
  const v1::Response& response = request.response();
  if (!request.has_response()) bad.Add("response", "is missing");
  if (const size_t bytes = response.ByteSizeLong(); bytes > kMaxResponseBytes) {
    bad.Add("response", absl::StrCat(bytes, " bytes, want at most ", kMaxResponseBytes));
  }
  CheckUnset(response, bad);
  if (response.has_started_at() && !IsTime(response.started_at())) bad.Add("response.started_at", "is not a time");
  if (response.language().size() > kMaxLanguage) bad.Add("response.language", "want a BCP 47 language");
  if (response.last_section() < 0 || response.last_section() > kMaxSection) {
    bad.Add("response.last_section", absl::StrCat(response.last_section(), ", want 0 to ", kMaxSection));
  }
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetResponseRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kResponse, bad);
  if (!v1::ResponseView_IsValid(request.view())) bad.Add("view", absl::StrCat(static_cast<int>(request.view()), " is no view"));
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListResponsesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (!v1::ResponseState_IsValid(request.state())) bad.Add("state", absl::StrCat(static_cast<int>(request.state()), " is no state"));
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::WithdrawResponseRequest& request) { return ValidateChange(request, kResponse); }
absl::Status Validate(const v1::ErasePersonalAnswersRequest& request) { return ValidateChange(request, kResponse); }

absl::Status Validate(const v1::WatchSubmissionsRequest& request) { return CheckName("parent", request.parent(), kWave); }

absl::Status ValidatePartition(const v1::WatchSubmissionsRequest& request, int partitions) {
  BadRequest bad;
  if (request.partition() < 0 || request.partition() >= partitions) {
    bad.Add("partition", absl::StrCat(request.partition(), ", want 0 to ", partitions - 1));
  }
  return bad.ToStatus();
}

absl::Status ValidateImportHeader(const v1::ImportResponsesRequest& request) {
  BadRequest bad;
  if (!request.has_header()) {
    bad.Add("header", "is missing; the first message must have it");
    return bad.ToStatus();
  }
  const v1::ImportHeader& header = request.header();
  names::Require("header.parent", header.parent(), kWave, bad);
  if (!header.source().empty() && !IsSource(header.source())) {
    bad.Add("header.source", absl::StrCat("want at most ", kMaxSource, " letters, digits, '-', '_', '.', not beginning with '.'"));
  }
  if (header.content_length() < 0) bad.Add("header.content_length", absl::StrCat(header.content_length(), ", want 0 or more"));
  return bad.ToStatus();
}

absl::Status ValidateImportPiece(const v1::ImportResponsesRequest& request) {
  BadRequest bad;
  if (request.has_header()) bad.Add("header", "stands in the first message alone");
  if (request.content().size() > kMaxPieceBytes) {
    bad.Add("content", absl::StrCat(request.content().size(), " bytes, want at most ", kMaxPieceBytes));
  }
  return bad.ToStatus();
}

}  // namespace peiling::intake

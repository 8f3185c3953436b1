#include "services/fieldwork/mail/validate.h"

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

using status::BadRequest;

constexpr char kWave[] = "surveys/*/waves/*";
constexpr char kMessage[] = "surveys/*/waves/*/messages/*";
constexpr char kInvitation[] = "surveys/*/waves/*/invitations/*";
constexpr int kMaxBatch = 1000;
constexpr size_t kMaxLeaseId = 100;
constexpr size_t kMaxLanguage = 35;
constexpr int64_t kMaxLeaseSeconds = 3600;

void CheckId(std::string_view field, std::string_view id, BadRequest& bad) {
  if (!names::IsId(id)) bad.Add(field, "want letters, digits, '-', '_', '.' or '~'");
}

void CheckAddress(std::string_view address, BadRequest& bad) {
  // Not repeated: it is personal.
  if (!CanonicalAddress(address)) bad.Add("address", "is no e-mail address");
}

template <typename Request>
absl::Status ValidateBatch(const Request& request, std::string_view field, int size, BadRequest& bad) {
  names::Require("parent", request.parent(), kWave, bad);
  if (size == 0 || size > kMaxBatch) bad.Add(field, absl::StrCat(size, " items, want 1 to ", kMaxBatch));
  return bad.ToStatus();
}

}  // namespace

absl::Status Validate(const v1::LeaseMailRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (request.max_messages() < 0) bad.Add("max_messages", absl::StrCat(request.max_messages(), ", want 0 or more"));
  if (request.has_lease_duration()) {
    const google::protobuf::Duration& duration = request.lease_duration();
    const bool fits = duration.seconds() >= 1 && duration.nanos() >= 0 && duration.nanos() < 1'000'000'000 &&
                      (duration.seconds() < kMaxLeaseSeconds || (duration.seconds() == kMaxLeaseSeconds && duration.nanos() == 0));
    if (!fits) bad.Add("lease_duration", "want 1 second to 1 hour");
  }
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::BeginMailRequest& request) {
  BadRequest bad;
  requests::RequireText("lease_id", request.lease_id(), kMaxLeaseId, bad);
  return ValidateBatch(request, "messages", request.messages_size(), bad);
}

absl::Status Validate(const v1::CompleteMailRequest& request) {
  BadRequest bad;
  requests::RequireText("lease_id", request.lease_id(), kMaxLeaseId, bad);
  return ValidateBatch(request, "outcomes", request.outcomes_size(), bad);
}

absl::Status Validate(const v1::ReportDeliveryEventsRequest& request) {
  BadRequest bad;
  return ValidateBatch(request, "events", request.events_size(), bad);
}

absl::Status Validate(const v1::GetMessageRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kMessage, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListMessagesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (!v1::MessageState_IsValid(request.state())) bad.Add("state", absl::StrCat(static_cast<int>(request.state()), ", want a state"));
  if (!request.step().empty()) CheckId("step", request.step(), bad);
  if (!request.invitation().empty()) {
    names::Require("invitation", request.invitation(), kInvitation, bad);
    if (names::WaveOf(request.invitation()) != request.parent()) bad.Add("invitation", "want one of the wave");
  }
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetMailStatusRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::PreviewMailRequest& request) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  CheckId("step", request.step(), bad);
  if (!request.invitation().empty()) CheckId("invitation", request.invitation(), bad);
  requests::CheckText("language", request.language(), kMaxLanguage, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListSuppressionsRequest& request, paging::Page& page) {
  BadRequest bad;
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::FindSuppressionRequest& request) {
  BadRequest bad;
  CheckAddress(request.address(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::CreateSuppressionRequest& request) {
  BadRequest bad;
  CheckAddress(request.address(), bad);
  if (!v1::SuppressionReason_IsValid(request.reason()))
    bad.Add("reason", absl::StrCat(static_cast<int>(request.reason()), ", want a reason"));
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::DeleteSuppressionRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), "suppressions/*", bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

}  // namespace peiling::fieldwork

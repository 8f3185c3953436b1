#include "services/fieldwork/mail/mail_service.h"

#include <memory>
#include <utility>

#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/fieldwork/mail/mail_status.h"
#include "services/fieldwork/mail/validate.h"

namespace peiling::fieldwork {
namespace {

using grpc::ServerContext;
using status::Reply;

}  // namespace

template <typename Request, typename... Page>
absl::Status MailService::CheckOfWave(const Request& request, Page&... page) const {
  if (absl::Status valid = Validate(request, page...); !valid.ok()) return valid;
  return parts_.book.Get(request.parent()).status();
}

template <typename Request, typename... Page>
absl::Status MailService::CheckOfMail(const Request& request, Page&... page) const {
  absl::Status known = CheckOfWave(request, page...);
  return absl::IsUnavailable(known) ? absl::OkStatus() : known;
}

grpc::Status MailService::LeaseMail(ServerContext* context, const v1::LeaseMailRequest* request, v1::LeaseMailResponse* response) {
  if (absl::Status valid = CheckOfWave(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.Lease(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status MailService::BeginMail(ServerContext*, const v1::BeginMailRequest* request, v1::BeginMailResponse* response) {
  if (absl::Status valid = CheckOfWave(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.Begin(*request), response);
}

grpc::Status MailService::CompleteMail(ServerContext*, const v1::CompleteMailRequest* request, v1::CompleteMailResponse* response) {
  if (absl::Status valid = CheckOfMail(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.Complete(*request), response);
}

grpc::Status MailService::ReportDeliveryEvents(ServerContext*, const v1::ReportDeliveryEventsRequest* request,
                                               v1::ReportDeliveryEventsResponse* response) {
  if (absl::Status valid = CheckOfMail(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.Report(*request), response);
}

grpc::Status MailService::GetMessage(ServerContext*, const v1::GetMessageRequest* request, v1::GetMessageResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.Get(request->name()), response->mutable_message());
}

grpc::Status MailService::ListMessages(ServerContext*, const v1::ListMessagesRequest* request, v1::ListMessagesResponse* response) {
  paging::Page page;
  if (absl::Status valid = CheckOfMail(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.outbox.List(*request, page), response);
}

grpc::Status MailService::GetMailStatus(ServerContext*, const v1::GetMailStatusRequest* request, v1::GetMailStatusResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const auto wave = parts_.book.Get(request->parent());
  if (!wave.ok()) return status::ToGrpc(wave.status());
  return Reply(MailStatusOf(**wave, parts_.outbox, parts_.invitations, parts_.suppressions), response);
}

grpc::Status MailService::PreviewMail(ServerContext*, const v1::PreviewMailRequest* request, v1::PreviewMailResponse* response) {
  if (absl::Status valid = CheckOfWave(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.policy.Preview(*request), response->mutable_content());
}

grpc::Status MailService::ListSuppressions(ServerContext*, const v1::ListSuppressionsRequest* request,
                                           v1::ListSuppressionsResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.suppressions.List(*request, page), response);
}

grpc::Status MailService::FindSuppression(ServerContext*, const v1::FindSuppressionRequest* request,
                                          v1::FindSuppressionResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.suppressions.Find(request->address()), response->mutable_suppression());
}

grpc::Status MailService::CreateSuppression(ServerContext* context, const v1::CreateSuppressionRequest* request,
                                            v1::CreateSuppressionResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(parts_.suppressions.Create(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status MailService::DeleteSuppression(ServerContext*, const v1::DeleteSuppressionRequest* request, v1::DeleteSuppressionResponse*) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return status::ToGrpc(parts_.suppressions.Delete(*request));
}

grpc::Status MailService::Unsubscribe(ServerContext*, const v1::UnsubscribeRequest* request, v1::UnsubscribeResponse*) {
  return status::ToGrpc(parts_.unsubscriber.Unsubscribe(request->token()));
}

}  // namespace peiling::fieldwork

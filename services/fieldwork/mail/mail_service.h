// The gRPC handlers of mail: check the request, call the domain, map the status.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/mail.grpc.pb.h"
#include "services/fieldwork/invitations/invitation_store.h"
#include "services/fieldwork/mail/outbox.h"
#include "services/fieldwork/mail/plan_policy.h"
#include "services/fieldwork/mail/suppression_list.h"
#include "services/fieldwork/mail/unsubscribe.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {

// What mail is handled with; all must outlive the service.
struct MailParts {
  const WaveBook& book;
  InvitationStore& invitations;
  Outbox& outbox;
  PlanPolicy& policy;
  SuppressionList& suppressions;
  Unsubscriber& unsubscriber;
};

class MailService final : public v1::MailService::Service {
 public:
  explicit MailService(const MailParts& parts) : parts_(parts) {}

  grpc::Status LeaseMail(grpc::ServerContext* context, const v1::LeaseMailRequest* request, v1::LeaseMailResponse* response) override;
  grpc::Status BeginMail(grpc::ServerContext* context, const v1::BeginMailRequest* request, v1::BeginMailResponse* response) override;
  grpc::Status CompleteMail(grpc::ServerContext* context, const v1::CompleteMailRequest* request,
                            v1::CompleteMailResponse* response) override;
  grpc::Status ReportDeliveryEvents(grpc::ServerContext* context, const v1::ReportDeliveryEventsRequest* request,
                                    v1::ReportDeliveryEventsResponse* response) override;
  grpc::Status GetMessage(grpc::ServerContext* context, const v1::GetMessageRequest* request, v1::GetMessageResponse* response) override;
  grpc::Status ListMessages(grpc::ServerContext* context, const v1::ListMessagesRequest* request,
                            v1::ListMessagesResponse* response) override;
  grpc::Status GetMailStatus(grpc::ServerContext* context, const v1::GetMailStatusRequest* request,
                             v1::GetMailStatusResponse* response) override;
  grpc::Status PreviewMail(grpc::ServerContext* context, const v1::PreviewMailRequest* request, v1::PreviewMailResponse* response) override;
  grpc::Status ListSuppressions(grpc::ServerContext* context, const v1::ListSuppressionsRequest* request,
                                v1::ListSuppressionsResponse* response) override;
  grpc::Status FindSuppression(grpc::ServerContext* context, const v1::FindSuppressionRequest* request,
                               v1::FindSuppressionResponse* response) override;
  grpc::Status CreateSuppression(grpc::ServerContext* context, const v1::CreateSuppressionRequest* request,
                                 v1::CreateSuppressionResponse* response) override;
  grpc::Status DeleteSuppression(grpc::ServerContext* context, const v1::DeleteSuppressionRequest* request,
                                 v1::DeleteSuppressionResponse* response) override;
  grpc::Status Unsubscribe(grpc::ServerContext* context, const v1::UnsubscribeRequest* request, v1::UnsubscribeResponse* response) override;

 private:
  // Whether the request can be answered, and all is known of its wave.
  template <typename Request, typename... Page>
  absl::Status CheckOfWave(const Request& request, Page&... page) const;
  // The same where what is known of the wave does not matter: what was sent is told and looked at while feeds are behind, too.
  template <typename Request, typename... Page>
  absl::Status CheckOfMail(const Request& request, Page&... page) const;

  const MailParts parts_;
};

}  // namespace peiling::fieldwork

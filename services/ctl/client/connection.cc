#include "services/ctl/client/connection.h"

namespace peiling::ctl {

Connection::Connection(const std::shared_ptr<grpc::Channel>& channel, std::chrono::milliseconds timeout) : timeout_(timeout) {
  stubs_ = {access::v1::AccessService::NewStub(channel),        intake::v1::IntakeService::NewStub(channel),
            registry::v1::RegistryService::NewStub(channel),    dedup::v1::DedupService::NewStub(channel),
            analytics::v1::AnalyticsService::NewStub(channel),  fieldwork::v1::ContactService::NewStub(channel),
            intake::v1::DraftService::NewStub(channel),         fieldwork::v1::ProgressService::NewStub(channel),
            fieldwork::v1::InvitationService::NewStub(channel), fieldwork::v1::MailService::NewStub(channel),
            fieldwork::v1::WebhookService::NewStub(channel),    grpc::health::v1::Health::NewStub(channel)};
}

}  // namespace peiling::ctl

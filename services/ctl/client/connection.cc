#include "services/ctl/client/connection.h"

namespace peiling::ctl {

Connection::Connection(const std::shared_ptr<grpc::Channel>& channel, std::chrono::milliseconds timeout) : timeout_(timeout) {
  stubs_ = {access::v1::AccessService::NewStub(channel),       intake::v1::IntakeService::NewStub(channel),
            registry::v1::RegistryService::NewStub(channel),   dedup::v1::DedupService::NewStub(channel),
            analytics::v1::AnalyticsService::NewStub(channel), grpc::health::v1::Health::NewStub(channel)};
}

}  // namespace peiling::ctl

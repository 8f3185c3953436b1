#include "services/ctl/client/connection.h"

#include "services/common/server/server.h"

namespace peiling::ctl {

Connection::Connection(const std::string& address, std::chrono::milliseconds timeout) : timeout_(timeout) {
  const auto channel = server::Connect(address, grpc::InsecureChannelCredentials());
  stubs_ = {intake::v1::IntakeService::NewStub(channel), registry::v1::RegistryService::NewStub(channel),
            dedup::v1::DedupService::NewStub(channel),   analytics::v1::AnalyticsService::NewStub(channel),
            access::v1::AccessService::NewStub(channel), grpc::health::v1::Health::NewStub(channel)};
}

}  // namespace peiling::ctl

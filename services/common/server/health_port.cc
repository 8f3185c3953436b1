#include "services/common/server/health_port.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/impl/codegen/async_generic_service.h"
#include "services/common/server/acceptor.h"
#include "services/common/server/limits.h"
#include "services/common/status/errors.h"

namespace peiling::server {
namespace {

// What probes send.
constexpr int kMostBytes = 4 << 10;
constexpr int kMostStreams = 16;

class HealthPortImpl final : public HealthPort {
 public:
  explicit HealthPortImpl(std::unique_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}
  ~HealthPortImpl() override {
    acceptor_->Stop();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  absl::Status Start() {
    grpc::ServerBuilder builder;
    SetConnectionLimits(builder);
    LeaveOutReflection(builder);
    builder.SetMaxReceiveMessageSize(kMostBytes);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMostBytes);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreams);
    // Answers UNIMPLEMENTED to all the rest; health alone is not enough for gRPC to run a server.
    builder.RegisterCallbackGenericService(&rest_);
    auto sink = acceptor_->AddTo(builder, grpc::InsecureServerCredentials());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) return status::Error(absl::StatusCode::kUnavailable, "LISTEN_FAILED", "cannot serve health");
    // gRPC calls a server healthy until told otherwise.
    service().SetServingStatus("", false);
    acceptor_->Start(std::move(sink));
    return absl::OkStatus();
  }

  int port() const override { return acceptor_->port(); }
  grpc::HealthCheckServiceInterface& service() override { return *server_->GetHealthCheckService(); }

 private:
  const std::unique_ptr<Acceptor> acceptor_;
  grpc::CallbackGenericService rest_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HealthPort>> HealthPort::Open(const std::string& address) {
  auto acceptor = Acceptor::Open(address);
  if (!acceptor.ok()) return acceptor.status();
  auto port = std::make_unique<HealthPortImpl>(*std::move(acceptor));
  if (const auto started = port->Start(); !started.ok()) return started;
  return port;
}

}  // namespace peiling::server

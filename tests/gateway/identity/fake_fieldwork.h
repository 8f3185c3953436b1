// Fieldwork with tokens of invitations alone, in process.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "peiling/fieldwork/v1/invitations.grpc.pb.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {

// Thread-safe.
class FakeFieldwork final : public fieldwork::v1::InvitationService::Service {
 public:
  FakeFieldwork() {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeFieldwork() override {
    LetGo();
    server_->Shutdown();
  }

  std::shared_ptr<grpc::Channel> Connect() { return server_->InProcessChannel({}); }

  static constexpr char kWave[] = "surveys/s/waves/2026";

  // A token of the municipality's invitation; `secret` tells it from others of it.
  static std::string TokenOf(const std::string& municipality, const std::string& secret = "s") {
    return "peiling-uitnodiging_" + municipality + "_" + std::string(43 - secret.size(), 'A') + secret;
  }
  static access::v1::Identity IdentityOf(const std::string& municipality) {
    access::v1::Identity identity;
    identity.set_subject(std::string(kWave) + "/invitations/" + municipality);
    auto& grant = *identity.add_grants();
    grant.set_role(access::v1::ROLE_RESPONDENT);
    grant.add_resources(std::string(kWave) + "/responses/" + municipality);
    return identity;
  }

  // From now on the token is this one's.
  void Issue(const std::string& token, access::v1::Identity identity) {
    const std::lock_guard lock(mutex_);
    issued_[token] = std::move(identity);
  }
  void Issue(const std::string& municipality) { Issue(TokenOf(municipality), IdentityOf(municipality)); }
  void Revoke(const std::string& token) {
    const std::lock_guard lock(mutex_);
    issued_.erase(token);
  }
  // Every question gets this, unless it is OK.
  void Fail(const grpc::Status& failure) {
    const std::lock_guard lock(mutex_);
    failure_ = failure;
  }
  // Questions wait until they are let go.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // All tokens it was asked about, in order.
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  grpc::Status VerifyToken(grpc::ServerContext*, const fieldwork::v1::VerifyTokenRequest* request,
                           fieldwork::v1::VerifyTokenResponse* response) override {
    std::unique_lock lock(mutex_);
    asked_.push_back(request->token());
    changed_.wait(lock, [this] { return !held_; });
    if (!failure_.ok()) return failure_;
    const auto found = issued_.find(request->token());
    if (found == issued_.end()) return status::ToGrpc(status::Error(absl::StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", "unknown"));
    *response->mutable_identity() = found->second;
    return grpc::Status::OK;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, access::v1::Identity> issued_;
  std::vector<std::string> asked_;
  grpc::Status failure_;
  bool held_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace peiling::gateway

// A real door for tests and benchmarks, with stand-ins for what lies behind it: who calls, and the service that owns the audit log.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "services/common/status/errors.h"
#include "services/gateway/doorkeeper.h"

namespace peiling::gateway {

// Somebody with these grants: Caller("keys/a", {{ROLE_RESEARCHER, {"surveys/s"}}}).
inline access::v1::Identity Caller(const std::string& subject,
                                   const std::vector<std::pair<access::v1::Role, std::vector<std::string>>>& grants) {
  access::v1::Identity caller;
  caller.set_subject(subject);
  caller.set_credential(access::v1::CREDENTIAL_KIND_KEY);
  for (const auto& [role, resources] : grants) {
    auto& grant = *caller.add_grants();
    grant.set_role(role);
    for (const std::string& resource : resources) grant.add_resources(resource);
  }
  return caller;
}

// With every role, everywhere.
inline access::v1::Identity AnyRole(const std::string& subject) {
  access::v1::Identity caller = Caller(subject, {});
  for (int role = access::v1::Role_MIN + 1; role <= access::v1::Role_MAX; ++role) {
    caller.add_grants()->set_role(static_cast<access::v1::Role>(role));
  }
  return caller;
}

// Knows callers by what stands after "Bearer "; whoever shows nothing has every role, unless credentials are wanted. Thread-safe.
class FakeAuthenticator final : public Authenticator {
 public:
  void Know(const std::string& bearer, access::v1::Identity caller) {
    const std::lock_guard lock(mutex_);
    known_["Bearer " + bearer] = std::move(caller);
  }
  void Forget(const std::string& bearer) {
    const std::lock_guard lock(mutex_);
    known_.erase("Bearer " + bearer);
  }
  void WantCredentials() {
    const std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  // Answers nobody until it lets them go.
  void Hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void LetGo() {
    std::vector<std::pair<Credentials, Done>> held;
    {
      const std::lock_guard lock(mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (auto& [credentials, done] : held) done(Of(credentials));
  }
  size_t held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  void Authenticate(const Credentials& credentials, Done done) override {
    {
      const std::lock_guard lock(mutex_);
      last_ = credentials;
      if (holding_) return held_.emplace_back(credentials, std::move(done)), void();
    }
    done(Of(credentials));
  }

  // What they showed holds no longer.
  void Withdraw(const std::string& subject) {
    const std::lock_guard lock(mutex_);
    withdrawn_.insert(subject);
  }
  bool StillHolds(const access::v1::Identity& caller) const override {
    const std::lock_guard lock(mutex_);
    return !withdrawn_.contains(caller.subject());
  }

  // What was shown last.
  Credentials last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  absl::StatusOr<access::v1::Identity> Of(const Credentials& credentials) const {
    const std::lock_guard lock(mutex_);
    if (credentials.authorization.empty() && wanted_)
      return status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_MISSING", "none");
    if (credentials.authorization.empty()) return AnyRole("keys/anybody");
    const auto found = known_.find(credentials.authorization);
    if (found != known_.end()) return found->second;
    return status::Error(absl::StatusCode::kUnauthenticated, "CREDENTIALS_INVALID", "not valid");
  }

  mutable std::mutex mutex_;
  std::map<std::string, access::v1::Identity> known_;
  std::vector<std::pair<Credentials, Done>> held_;
  std::set<std::string> withdrawn_;
  Credentials last_;
  bool holding_ = false;
  bool wanted_ = false;
};

// Keeps the audit log in memory; can fail, and keep its writers waiting. Thread-safe.
class FakeAccess final : public access::v1::AccessService::Service {
 public:
  grpc::Status RecordAuditEntries(grpc::ServerContext*, const access::v1::RecordAuditEntriesRequest* request,
                                  access::v1::RecordAuditEntriesResponse*) override {
    std::unique_lock lock(mutex_);
    ++batches_;
    for (const auto& entry : request->entries()) names_.insert(entry.name());
    changed_.notify_all();
    changed_.wait(lock, [this] { return !holding_; });
    if (!failure_.ok()) return failure_;
    for (const auto& entry : request->entries()) {
      if (entry.action() == bad_action_) return {grpc::INVALID_ARGUMENT, "bad"};
    }
    entries_.insert(entries_.end(), request->entries().begin(), request->entries().end());
    changed_.notify_all();
    return grpc::Status::OK;
  }

  void Fail(grpc::Status failure) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  // Takes nothing that an entry with this action is among.
  void FindInvalid(const std::string& action) {
    const std::lock_guard lock(mutex_);
    bad_action_ = action;
  }
  void Hold(bool hold) {
    const std::lock_guard lock(mutex_);
    holding_ = hold;
    changed_.notify_all();
  }
  // Waits until there are that many, at most ten seconds.
  std::vector<access::v1::AuditEntry> AwaitEntries(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return entries_.size() >= count; });
    return entries_;
  }
  void AwaitBatches(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return batches_ >= count; });
  }
  std::vector<access::v1::AuditEntry> entries() { return AwaitEntries(0); }
  int batches() {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  // Of all entries that came, also those that it then did not take.
  std::set<std::string> names() {
    const std::lock_guard lock(mutex_);
    return names_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<access::v1::AuditEntry> entries_;
  std::set<std::string> names_;
  grpc::Status failure_;
  std::optional<std::string> bad_action_;
  int batches_ = 0;
  bool holding_ = false;
};

struct OpenDoorOptions {
  CallLimits limits;
  AuditOptions audit;
  std::string access_log = "off";
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

// The door, and what it is made of.
class OpenDoor {
 public:
  explicit OpenDoor(std::vector<Backend> backends, const OpenDoorOptions& options = {})
      : routes_(std::move(backends)),
        permissions_(*Permissions::Compile(routes_)),
        limits_(options.limits),
        access_log_(*AccessLog::Open(options.access_log)),
        access_server_(Serve(access_)),
        audit_(std::in_place, access::v1::AccessService::NewStub(access_server_->InProcessChannel({})), options.audit),
        door_({permissions_, limits_, *audit_, *access_log_, authenticator_,
               [](std::string_view certificate) { return certificate == "proxy's certificate"; }, options.clock}) {}
  ~OpenDoor() {
    access_.Hold(false);
    // gRPC 1.51 crashes when a call is begun on an in-process channel whose server is gone.
    audit_.reset();
    access_server_->Shutdown(std::chrono::system_clock::now());
  }

  Doorkeeper& door() { return door_; }
  const RouteTable& routes() const { return routes_; }
  Limits& limits() { return limits_; }
  AuditTrail& audit() { return *audit_; }
  FakeAuthenticator& authenticator() { return authenticator_; }
  FakeAccess& access() { return access_; }

 private:
  static std::unique_ptr<grpc::Server> Serve(FakeAccess& access) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&access);
    return builder.BuildAndStart();
  }

  const RouteTable routes_;
  const Permissions permissions_;
  Limits limits_;
  const std::unique_ptr<AccessLog> access_log_;
  FakeAuthenticator authenticator_;
  FakeAccess access_;
  const std::unique_ptr<grpc::Server> access_server_;
  std::optional<AuditTrail> audit_;
  Doorkeeper door_;
};

}  // namespace peiling::gateway

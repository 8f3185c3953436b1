// Access with keys alone, in process: what it is told, its watchers see.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "grpcpp/grpcpp.h"
#include "peiling/access/v1/access.grpc.pb.h"
#include "services/common/identity/key_secret.h"

namespace peiling::gateway {

// Thread-safe.
class FakeAccess final : public access::v1::AccessService::Service {
 public:
  FakeAccess() {
    grpc::ServerBuilder builder;
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeAccess() override {
    Break(grpc::Status::CANCELLED);
    server_->Shutdown();
  }

  std::shared_ptr<grpc::Channel> Connect() { return server_->InProcessChannel({}); }

  // A new key, which may expire at a second since 1970; returns its secret.
  std::string AddKey(const std::string& id, std::optional<int64_t> expires = std::nullopt) {
    std::string secret = identity::NewSecret(id);
    AddKey(id, secret, expires);
    return secret;
  }
  // With this secret.
  void AddKey(const std::string& id, const std::string& secret, std::optional<int64_t> expires = std::nullopt) {
    access::v1::KeyEvent event;
    event.mutable_key()->set_name("keys/" + id);
    event.mutable_key()->set_title("test");
    event.mutable_key()->add_grants()->set_role(access::v1::ROLE_MAILER);
    if (expires.has_value()) {
      *event.mutable_key()->mutable_expires_at() = google::protobuf::util::TimeUtil::SecondsToTimestamp(*expires);
    }
    *event.mutable_hash() = identity::Hash(secret);
    Put(event);
  }

  void Revoke(const std::string& id) {
    access::v1::KeyEvent event = Last(id);
    event.mutable_key()->mutable_revoked_at()->set_seconds(1);
    Put(event);
  }
  void Rename(const std::string& id, const std::string& title) {
    access::v1::KeyEvent event = Last(id);
    event.mutable_key()->set_title(title);
    Put(event);
  }

  // As after its store was replaced by an older one; watchers break off.
  void ForgetAll() {
    {
      const std::lock_guard lock(mutex_);
      events_.clear();
    }
    Break(grpc::Status::CANCELLED);
  }
  // Ends open watches, and while the status is not OK new ones, too.
  void Break(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    broken_ = status;
    ++breaks_;
    changed_.notify_all();
  }
  // Lets watchers come again.
  void Mend() {
    const std::lock_guard lock(mutex_);
    broken_ = grpc::Status::OK;
  }
  int watches() const {
    const std::lock_guard lock(mutex_);
    return watches_;
  }

  grpc::Status WatchKeys(grpc::ServerContext*, const access::v1::WatchKeysRequest*,
                         grpc::ServerWriter<access::v1::WatchKeysResponse>* writer) override {
    std::unique_lock lock(mutex_);
    if (!broken_.ok()) return broken_;
    ++watches_;
    const int breaks = breaks_;
    size_t sent = 0;
    bool caught_up = false;
    while (breaks == breaks_) {
      access::v1::WatchKeysResponse response;
      if (sent < events_.size()) {
        *response.mutable_key() = events_[sent++];
      } else if (!caught_up) {
        response.mutable_caught_up();
        caught_up = true;
      } else {
        changed_.wait(lock);
        continue;
      }
      writer->Write(response);
    }
    return broken_.ok() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken") : broken_;
  }

 private:
  access::v1::KeyEvent Last(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    access::v1::KeyEvent last;
    for (const auto& event : events_) {
      if (event.key().name() == "keys/" + id) last = event;
    }
    return last;
  }
  void Put(access::v1::KeyEvent event) {
    const std::lock_guard lock(mutex_);
    event.set_sequence(events_.size() + 1);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<access::v1::KeyEvent> events_;
  grpc::Status broken_;
  int breaks_ = 0;
  int watches_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace peiling::gateway

#include "services/dedup/dedup_module.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/storage/store.h"
#include "services/dedup/catalogue_follower.h"
#include "services/dedup/dedup_service.h"
#include "services/dedup/followers.h"
#include "services/dedup/heartbeat.h"
#include "services/dedup/membership.h"
#include "services/dedup/upstream.h"
#include "services/dedup/waves.h"

namespace peiling::dedup {
namespace {

// A name no other replica has.
std::string DefaultReplica() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host.fill('\0');
  return absl::StrCat(host.data(), "-", absl::Hex(std::random_device{}(), absl::kZeroPad8));
}

class DedupModule final : public server::Module {
 public:
  DedupModule(const Options& options, std::unique_ptr<storage::Store> store,
              std::unique_ptr<intake::v1::IntakeService::StubInterface> intake,
              std::unique_ptr<registry::v1::RegistryService::StubInterface> registry)
      : replica_(options.replica.empty() ? DefaultReplica() : options.replica),
        store_(std::move(store)),
        waves_(*store_, google::protobuf::util::TimeUtil::GetCurrentTime),
        upstream_(std::move(intake), std::move(registry)),
        followers_(upstream_, waves_, replica_),
        catalogue_(upstream_, followers_),
        service_(*store_, waves_, options.max_waiting_calls) {
    // A file is open in this process alone, so that there are no other replicas.
    if (options.store.starts_with("sqlite:")) return;
    membership_.emplace(*store_, replica_, std::chrono::steady_clock::now);
    heartbeat_.emplace(*membership_, [this](std::set<std::string> members) { followers_.SetMembers(std::move(members)); });
  }

  std::string name() const override { return v1::DedupService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  absl::Status Start() override {
    followers_.Start();
    catalogue_.Start();
    if (heartbeat_.has_value()) {
      heartbeat_->Start();
    } else {
      followers_.SetMembers({replica_});
    }
    return absl::OkStatus();
  }
  bool ready() const override { return not_ready_reason().empty(); }
  std::string not_ready_reason() const override {
    if (const absl::Status health = store_->Health(); !health.ok()) return absl::StrCat("store: ", std::string(health.message()));
    if (caught_up_) return "";
    std::string reason = catalogue_.not_ready_reason();
    if (reason.empty()) reason = followers_.not_ready_reason();
    caught_up_ = reason.empty();
    return reason;
  }
  void Stop() override {
    if (heartbeat_.has_value()) heartbeat_->Stop();  // First, so that others take over while this one ends.
    catalogue_.Stop();
    followers_.Stop();
    service_.Stop();
    store_->Interrupt();
  }

 private:
  const std::string replica_;
  const std::unique_ptr<storage::Store> store_;
  Waves waves_;
  Upstream upstream_;
  Followers followers_;
  CatalogueFollower catalogue_;
  DedupService service_;
  std::optional<Membership> membership_;
  std::optional<Heartbeat> heartbeat_;
  // Once true it stays so: a partition that comes later makes nothing unanswerable.
  mutable std::atomic<bool> caught_up_ = false;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option("--store", options.store, "Where dedup keeps its data: sqlite:PATH or redis://…, which replicas share")
      ->envname("PEILING_DEDUP_STORE")
      ->capture_default_str();
  app.add_option("--replica", options.replica,
                 "Name of this replica among those that share the store; default: host name and a random part")
      ->envname("PEILING_REPLICA");
  app.add_option("--max-waiting-calls", options.max_waiting_calls, "Calls that may wait for a position at once; each holds a thread")
      ->envname("PEILING_DEDUP_MAX_WAITING_CALLS")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> intake,
                                                           std::shared_ptr<grpc::Channel> registry) {
  auto store = storage::OpenStore(options.store, "dedup");
  if (!store.ok()) return store.status();
  return std::make_unique<DedupModule>(options, *std::move(store), intake::v1::IntakeService::NewStub(std::move(intake)),
                                       registry::v1::RegistryService::NewStub(std::move(registry)));
}

}  // namespace peiling::dedup

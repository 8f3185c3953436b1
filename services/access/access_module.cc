#include "services/access/access_module.h"

#include <utility>

#include "google/protobuf/util/time_util.h"
#include "services/access/access_service.h"
#include "services/access/administrator_key.h"
#include "services/access/audit_log.h"
#include "services/access/key_store.h"
#include "services/common/storage/store.h"

namespace peiling::access {
namespace {

class AccessModule final : public server::Module {
 public:
  AccessModule(std::unique_ptr<storage::Store> store, const Options& options)
      : store_(std::move(store)),
        administrator_key_file_(options.administrator_key_file),
        service_(*store_, keys_, audit_log_, options.gateway_names) {}

  std::string name() const override { return v1::AccessService::service_full_name(); }
  void Register(grpc::ServerBuilder& builder) override { builder.RegisterService(&service_); }
  absl::Status Start() override {
    if (administrator_key_file_.empty()) return absl::OkStatus();
    const absl::StatusOr<std::string> secret = ReadOrMakeAdministratorKey(administrator_key_file_);
    return secret.ok() ? keys_.EnsureAdministrator(*secret) : secret.status();
  }
  bool ready() const override { return store_->Health().ok(); }
  std::string not_ready_reason() const override { return std::string(store_->Health().message()); }
  // Watches end; calls under way go on.
  void Stop() override { store_->Interrupt(); }

 private:
  const std::unique_ptr<storage::Store> store_;
  const std::string administrator_key_file_;
  KeyStore keys_{*store_, google::protobuf::util::TimeUtil::GetCurrentTime};
  AuditLog audit_log_{*store_};
  AccessService service_;
};

}  // namespace

void AddFlags(CLI::App& app, Options& options) {
  app.add_option(
         "--store", options.store,
         "where keys and the audit log are kept: sqlite:PATH for one replica, or a Redis that replicas share, e.g. redis://host:6379")
      ->envname("PEILING_ACCESS_STORE")
      ->capture_default_str();
  app.add_option("--administrator-key-file", options.administrator_key_file,
                 "file with the secret of an administrator's key that exists from the start; made with a new one when missing")
      ->envname("PEILING_ADMINISTRATOR_KEY_FILE");
}

absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options) {
  absl::StatusOr<std::unique_ptr<storage::Store>> store = storage::OpenStore(options.store, "access");
  if (!store.ok()) return store.status();
  return std::make_unique<AccessModule>(*std::move(store), options);
}

}  // namespace peiling::access

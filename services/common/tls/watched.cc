#include "services/common/tls/watched.h"

#include <utility>

#include "services/common/files/exposure.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::tls {
namespace {

constexpr std::chrono::seconds kInterval(2);

}  // namespace

absl::StatusOr<std::shared_ptr<Watched>> Watched::Open(Files files) {
  files::WarnWhenExposed(files.key);
  auto material = Load(files);
  if (!material.ok()) return material.status();
  return std::shared_ptr<Watched>(new Watched(std::move(files), *std::move(material)));
}

std::shared_ptr<const Material> Watched::Current() {
  const std::lock_guard lock(mutex_);
  if (Clock::now() - read_ >= kInterval) Reread();
  return current_;
}

void Watched::Reread() {
  read_ = Clock::now();
  auto material = Load(files_);
  const bool was_at_fault = std::exchange(at_fault_, !material.ok());
  if (!material.ok()) {
    // Once for each time.
    if (was_at_fault) return;
    log::Warning("changed certificates are not used",
                 {{"reason", status::Reason(material.status())}, {"error", std::string(material.status().message())}});
    return;
  }
  if (*material == *current_) return;
  current_ = std::make_shared<const Material>(*std::move(material));
  log::Info("certificates were read anew", {{"certificate", files_.certificate}, {"ca", files_.ca}});
}

}  // namespace peiling::tls

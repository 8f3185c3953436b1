// Files of certificates that are replaced while the process runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "services/common/tls/tls.h"

namespace peiling::tls {

// What was last read of the files without a fault: half-written files, a key replaced before its certificate, one that has expired change
// nothing but the log. Thread-safe.
class Watched {
 public:
  // The errors of Load. Warns of a key that others can read.
  static absl::StatusOr<std::shared_ptr<Watched>> Open(Files files);

  // Reads the files anew when the last time was two seconds ago or more. The same pointer for as long as they are the same.
  std::shared_ptr<const Material> Current();

 private:
  using Clock = std::chrono::steady_clock;

  Watched(Files files, Material material)
      : files_(std::move(files)), current_(std::make_shared<const Material>(std::move(material))), read_(Clock::now()) {}
  void Reread();

  const Files files_;
  std::mutex mutex_;
  std::shared_ptr<const Material> current_;
  Clock::time_point read_;
  bool at_fault_ = false;
};

}  // namespace peiling::tls

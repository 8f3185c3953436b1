// The door as the gateway keeps it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string_view>

#include "services/gateway/access_log.h"
#include "services/gateway/audit_trail.h"
#include "services/gateway/door.h"
#include "services/gateway/door_metrics.h"
#include "services/gateway/limits.h"
#include "services/gateway/open_streams.h"
#include "services/gateway/permissions.h"

namespace peiling::gateway {

// What it is made of; all outlive it.
struct DoorParts {
  const Permissions& permissions;
  Limits& limits;
  AuditTrail& audit;
  AccessLog& access_log;
  Authenticator& authenticator;
  // Whether a certificate (PEM) is that of a proxy, which is believed about the client in front of it.
  std::function<bool(std::string_view certificate)> is_proxy;
  // A test may have another.
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

// Whoever needs no credential and shows none has few places, shared with others of the kind alone, and takes one once its message is there.
// The audit log gets every call of an audited method that was let in, whatever came of it, and of all methods what was refused because of
// who calls (UNAUTHENTICATED, PERMISSION_DENIED); the latter waits for nothing and is counted together when it comes often.
class Doorkeeper final : public Door {
 public:
  explicit Doorkeeper(DoorParts parts);

  void Admit(Arrival arrival, Done done) override;

  // From its return on no call to a backend is begun, those under way go on; new ones get UNAVAILABLE/SHUTTING_DOWN.
  void Close();

 private:
  class Call;
  class AdmittedVisit;
  // What a call holds until its end.
  struct Places {
    Limits::Place limits;
    // Of methods that are audited.
    AuditTrail::Place audit;
  };

  absl::StatusOr<std::unique_ptr<Visit>> Enter(Call& call, absl::StatusOr<access::v1::Identity> caller);
  absl::StatusOr<Places> TakePlaces(const Call& call);
  bool ShowsNothing(const Credentials& credentials) const;
  bool closed() const;

  const DoorParts parts_;
  DoorMetricsTable metrics_;
  // Of those who show no credential, who leave the places of all others alone.
  Limits strangers_;
  OpenStreams streams_;
  mutable std::shared_mutex gate_;
  bool closed_ = false;
};

}  // namespace peiling::gateway

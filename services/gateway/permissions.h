// Who may call what from outside, as the contracts declare it (option peiling.access.v1.access).
#pragma once

#include <bitset>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "peiling/access/v1/identity.pb.h"
#include "services/gateway/resource_field.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

// An RPC that may be called from outside.
struct Permission {
  const google::protobuf::MethodDescriptor* method = nullptr;
  const Backend* backend = nullptr;
  // Those that may.
  std::bitset<access::v1::Role_ARRAYSIZE> roles;
  // What a request is about; empty: nothing that a caller could be limited to.
  ResourceField resource;
  // What a response names; empty: nothing.
  ResourceField result;
  bool unlimited = false;
  bool audited = false;
  // Anybody may, with a credential that holds or none.
  bool anonymous = false;

  bool streams() const { return method->client_streaming() || method->server_streaming(); }
  // "peiling.intake.v1.IntakeService/GetWave".
  std::string action() const { return method->service()->full_name() + "/" + method->name(); }
};

// What a permission means for one caller.
struct Entitlement {
  // Those of the caller's roles that let it in, in the order of its grants; none where it needs none.
  std::vector<access::v1::Role> roles;
  // It may call with any resource.
  bool everywhere = false;
};

// PERMISSION_DENIED/ROLE_MISSING (metadata: roles, those that may), or NOT_WITHIN_LIMITS when all that let the caller in is limited and the
// RPC is for those without limits.
absl::StatusOr<Entitlement> Entitle(const Permission& permission, const access::v1::Identity& caller);

// Whether `resource` lies within what the caller's grants for this RPC are limited to. PERMISSION_DENIED/NOT_WITHIN_LIMITS (metadata:
// resource).
absl::Status CheckWithin(const Permission& permission, const access::v1::Identity& caller, const std::string& resource);

// Immutable, so thread-safe. What `routes` holds must outlive it.
class Permissions {
 public:
  // Of all RPCs of these services. FAILED_PRECONDITION/CONTRACT_INVALID when no contract in this process has one of the services, or an
  // option names a field that is not there.
  static absl::StatusOr<Permissions> Compile(const RouteTable& routes);

  // Of "/peiling.intake.v1.IntakeService/GetWave"; null for what is no RPC or may not be called from outside.
  const Permission* Find(std::string_view path) const;
  // By path.
  const std::map<std::string, Permission, std::less<>>& all() const { return by_path_; }

 private:
  std::map<std::string, Permission, std::less<>> by_path_;
};

}  // namespace peiling::gateway

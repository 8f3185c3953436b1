// Who calls, as the gateway verified it, and how services learn of it. Thread-safe, without state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grpcpp/server_context.h"
#include "peiling/access/v1/identity.pb.h"
#include "services/common/status/errors.h"

namespace peiling::identity {

// Metadata the gateway hands on with every call: a serialised peiling.access.v1.Identity. It lets no entry of this name in from outside;
// a server takes it from a gateway's certificate alone (services/common/server).
inline constexpr char kIdentityKey[] = "peiling-identity-bin";
// What a call is found by in the logs of all services.
inline constexpr char kRequestIdKey[] = "x-request-id";

// Who calls, for what services record. Empty when a service calls on its own account.
access::v1::Identity CallerOf(const grpc::ServerContextBase& context);

// "researcher".
std::string RoleName(access::v1::Role role);
// Of "researcher"; nullopt for what is no role.
std::optional<access::v1::Role> RoleNamed(std::string_view name);

// Whether `resource` is `limit` or lies below it: "surveys/s/waves/2022" lies below "surveys/s", "surveys/s2" does not.
bool LiesWithin(std::string_view resource, std::string_view limit);

// Adds what is wrong with grants (a role twice or none, a limit that is no survey, wave or response, sections,
// more than 4 KiB in all) as
// "<field>[0].role" ….
void CheckGrants(const google::protobuf::RepeatedPtrField<access::v1::Grant>& grants, const std::string& field, status::BadRequest& bad);

}  // namespace peiling::identity

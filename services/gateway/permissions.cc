#include "services/gateway/permissions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "peiling/access/v1/options.pb.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

absl::StatusOr<Permission> CompileMethod(const google::protobuf::MethodDescriptor& method, const Backend& backend) {
  const access::v1::Access& declared = method.options().GetExtension(access::v1::access);
  Permission permission{.method = &method,
                        .backend = &backend,
                        .unlimited = declared.unlimited(),
                        .audited = declared.audited(),
                        .anonymous = declared.anonymous()};
  for (const int role : declared.roles()) permission.roles.set(static_cast<size_t>(role));
  auto resource = ResourceField::Compile(*method.input_type(), declared.resource());
  if (!resource.ok()) return resource.status();
  permission.resource = *std::move(resource);
  auto result = ResourceField::Compile(*method.output_type(), declared.result());
  if (!result.ok()) return result.status();
  permission.result = *std::move(result);
  return permission;
}

bool Allows(const Permission& permission, const access::v1::Grant& grant) {
  const auto role = static_cast<size_t>(grant.role());
  return role < permission.roles.size() && permission.roles.test(role);
}

std::string RolesThatMay(const Permission& permission) {
  std::vector<std::string> names;
  for (size_t role = 0; role < permission.roles.size(); ++role) {
    if (permission.roles.test(role)) names.push_back(identity::RoleName(static_cast<access::v1::Role>(role)));
  }
  return absl::StrJoin(names, ",");
}

absl::Status NotWithinLimits(const std::string& resource) {
  const std::string what = resource.empty() ? "that is for callers without limits" : "the caller is limited to other resources";
  return status::Error(absl::StatusCode::kPermissionDenied, "NOT_WITHIN_LIMITS", what, {{"resource", resource}});
}

}  // namespace

absl::StatusOr<Entitlement> Entitle(const Permission& permission, const access::v1::Identity& caller) {
  Entitlement entitlement{.everywhere = permission.unlimited || permission.anonymous};
  for (const auto& grant : caller.grants()) {
    if (!Allows(permission, grant)) continue;
    entitlement.roles.push_back(grant.role());
    entitlement.everywhere |= grant.resources().empty();
  }
  if (permission.anonymous) return entitlement;
  if (entitlement.roles.empty()) {
    const std::string roles = RolesThatMay(permission);
    return status::Error(absl::StatusCode::kPermissionDenied, "ROLE_MISSING", absl::StrCat("that takes one of the roles ", roles),
                         {{"roles", roles}});
  }
  if (!entitlement.everywhere && permission.resource.empty()) return NotWithinLimits("");
  return entitlement;
}

absl::Status CheckWithin(const Permission& permission, const access::v1::Identity& caller, const std::string& resource) {
  for (const auto& grant : caller.grants()) {
    if (!Allows(permission, grant)) continue;
    const auto within = [&](const std::string& limit) { return identity::LiesWithin(resource, limit); };
    if (grant.resources().empty() || std::any_of(grant.resources().begin(), grant.resources().end(), within)) return absl::OkStatus();
  }
  return NotWithinLimits(resource);
}

absl::StatusOr<Permissions> Permissions::Compile(const RouteTable& routes) {
  Permissions permissions;
  for (const Backend& backend : routes.backends()) {
    const auto* const service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    if (service == nullptr) {
      return status::Error(absl::StatusCode::kFailedPrecondition, "CONTRACT_INVALID",
                           absl::StrCat("no contract has the service ", backend.service));
    }
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      if (!method.options().HasExtension(access::v1::access)) continue;
      auto permission = CompileMethod(method, backend);
      if (!permission.ok()) return permission.status();
      permissions.by_path_.emplace(absl::StrCat("/", service->full_name(), "/", method.name()), *std::move(permission));
    }
  }
  return permissions;
}

const Permission* Permissions::Find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &found->second;
}

}  // namespace peiling::gateway

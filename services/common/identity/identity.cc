#include "services/common/identity/identity.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"

namespace peiling::identity {
namespace {

constexpr std::string_view kRolePrefix = "ROLE_";
constexpr int kMostGrants = 100;
constexpr int kMostLimits = 100;
// They travel with every call, among metadata of at most 8 KiB.
constexpr size_t kMostBytes = 4096;

bool IsLimit(const std::string& resource) {
  for (const char* const pattern : {"surveys/*", "surveys/*/waves/*", "surveys/*/waves/*/responses/*"}) {
    if (names::Match(resource, pattern)) return true;
  }
  return false;
}

void CheckGrant(const access::v1::Grant& grant, const std::string& field, status::BadRequest& bad) {
  if (!access::v1::Role_IsValid(grant.role()) || grant.role() == access::v1::ROLE_UNSPECIFIED) {
    bad.Add(field + ".role", "want a role: respondent, mailer, analyst, researcher, administrator or operator");
  }
  if (!grant.sections().empty()) bad.Add(field + ".sections", "want none: only invitations are for sections");
  if (grant.resources_size() > kMostLimits) bad.Add(field + ".resources", absl::StrCat("want at most ", kMostLimits));
  for (int i = 0; i < grant.resources_size(); ++i) {
    if (IsLimit(grant.resources(i))) continue;
    bad.Add(absl::StrCat(field, ".resources[", i, "]"),
            absl::StrCat("\"", grant.resources(i), "\", want a survey or wave: surveys/S or surveys/S/waves/W"));
  }
}

}  // namespace

access::v1::Identity CallerOf(const grpc::ServerContextBase& context) {
  access::v1::Identity caller;
  const auto found = context.client_metadata().find(kIdentityKey);
  // The gateway's own bytes: what does not parse was not written by it.
  if (found == context.client_metadata().end()) return caller;
  if (!caller.ParseFromArray(found->second.data(), static_cast<int>(found->second.size()))) return {};
  return caller;
}

std::string RoleName(access::v1::Role role) { return absl::AsciiStrToLower(access::v1::Role_Name(role).substr(kRolePrefix.size())); }

std::optional<access::v1::Role> RoleNamed(std::string_view name) {
  access::v1::Role role;
  const std::string upper = absl::AsciiStrToUpper(absl::string_view(name.data(), name.size()));
  if (!access::v1::Role_Parse(absl::StrCat(std::string(kRolePrefix), upper), &role)) return std::nullopt;
  if (role == access::v1::ROLE_UNSPECIFIED) return std::nullopt;
  return role;
}

bool LiesWithin(std::string_view resource, std::string_view limit) {
  if (resource.substr(0, limit.size()) != limit) return false;
  return resource.size() == limit.size() || resource[limit.size()] == '/';
}

void CheckGrants(const google::protobuf::RepeatedPtrField<access::v1::Grant>& grants, const std::string& field, status::BadRequest& bad) {
  if (grants.empty()) bad.Add(field, "want at least one grant");
  if (grants.size() > kMostGrants) bad.Add(field, absl::StrCat("want at most ", kMostGrants));
  size_t bytes = 0;
  for (const access::v1::Grant& grant : grants) bytes += grant.ByteSizeLong();
  if (bytes > kMostBytes) bad.Add(field, absl::StrCat(bytes, " bytes in all, want at most ", kMostBytes));
  std::set<int> roles;
  for (int i = 0; i < grants.size(); ++i) {
    const std::string name = absl::StrCat(field, "[", i, "]");
    CheckGrant(grants[i], name, bad);
    if (!roles.insert(grants[i].role()).second) bad.Add(name + ".role", "is there twice; put all its limits in one grant");
  }
}

}  // namespace peiling::identity

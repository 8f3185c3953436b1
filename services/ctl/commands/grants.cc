#include "services/ctl/commands/grants.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/ctl/client/errors.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {

absl::StatusOr<access::v1::Grant> ParseGrant(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  if (parts.first.empty()) return UsageError("--role wants a role");
  const auto role = ParseWord<access::v1::Role>(parts.first);
  if (!role.ok()) return role.status();
  access::v1::Grant grant;
  grant.set_role(*role);
  // "researcher:" is a slip, and must not become a grant without limits.
  if (text.find(':') == std::string::npos) return grant;
  for (const auto resource : absl::StrSplit(parts.second, ',')) grant.add_resources(std::string(resource));
  return grant;
}

std::string GrantsText(const google::protobuf::RepeatedPtrField<access::v1::Grant>& grants) {
  return absl::StrJoin(grants, " ", [](std::string* out, const access::v1::Grant& grant) {
    absl::StrAppend(out, Word(grant.role()), grant.resources().empty() ? "" : ":", absl::StrJoin(grant.resources(), ","));
  });
}

}  // namespace peiling::ctl

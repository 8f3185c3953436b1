// Which invitation is meant.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/ctl/session.h"

namespace peiling::ctl {

// Full name of the invitation a municipality answers with: the one that is not revoked, alone or with others; else the last there was. Of
// the code or name of a municipality, the id of an invitation ("GM0363-2") or its full name, the latter two as they are.
// INVITATION_NOT_FOUND when there is none; the errors of Session::MunicipalityCode.
absl::StatusOr<std::string> InvitationName(Session& session, const std::string& text);

}  // namespace peiling::ctl

#include "services/ctl/commands/invitation_names.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Invitation;

// Length of "GM0363"; behind it an id of an invitation that is not the first of its name has "-2".
constexpr size_t kCodeLength = 6;

bool IsRevoked(const Invitation& invitation) { return invitation.state() == fieldwork::v1::INVITATION_STATE_REVOKED; }

}  // namespace

absl::StatusOr<std::string> InvitationName(Session& session, const std::string& text) {
  if (names::Match(text, "surveys/*/waves/*/invitations/*")) return text;
  if (absl::StartsWith(text, "GM") && text.find('-') == kCodeLength) return session.Below("invitations", text);
  const auto code = session.MunicipalityCode(text);
  if (!code.ok()) return code.status();
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  fieldwork::v1::ListInvitationsRequest request;
  request.set_parent(*wave);
  const auto all = session.connection().CallAll(&Invitations::ListInvitations, request);
  if (!all.ok()) return all.status();
  const Invitation* revoked = nullptr;
  for (const Invitation& invitation : all->invitations()) {
    const auto& codes = invitation.municipalities();
    if (std::find(codes.begin(), codes.end(), *code) == codes.end()) continue;
    if (!IsRevoked(invitation)) return invitation.name();
    if (revoked == nullptr || invitation.issued_at().seconds() > revoked->issued_at().seconds()) revoked = &invitation;
  }
  if (revoked != nullptr) return revoked->name();
  return status::Error(absl::StatusCode::kNotFound, "INVITATION_NOT_FOUND", absl::StrCat(*code, " is not invited to ", *wave),
                       {{"municipality", *code}});
}

}  // namespace peiling::ctl

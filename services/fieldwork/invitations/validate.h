// What a request about invitations must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST
// with a violation for every wrong field, which never says what personal data stand there. Lists also read their page.
#pragma once

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::fieldwork {

absl::Status Validate(const v1::IssueInvitationsRequest& request);
absl::Status Validate(const v1::GetInvitationRequest& request);
absl::Status Validate(const v1::ListInvitationsRequest& request, paging::Page& page);
absl::Status Validate(const v1::ReissueInvitationRequest& request);
absl::Status Validate(const v1::RevokeInvitationRequest& request);
absl::Status Validate(const v1::RedeemInvitationRequest& request);
absl::Status Validate(const v1::InviteColleagueRequest& request);
absl::Status Validate(const v1::ListColleaguesRequest& request);
absl::Status Validate(const v1::RemoveColleagueRequest& request);
absl::Status Validate(const v1::HandOverRequest& request);

}  // namespace peiling::fieldwork

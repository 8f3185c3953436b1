// Which invitations a request to issue some makes, given those there are. No store, no clock.
//
// A municipality is in one invitation. It leaves one that was revoked for a joint one, or when it is asked for by itself.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/invitations/invitation_documents.h"

namespace peiling::fieldwork {

struct Frame;

// An invitation to be.
struct Target {
  // Codes, sorted.
  std::vector<std::string> municipalities;
  // Asked for by name, not as one of all others of the frame.
  bool named = false;

  // Last part of its name.
  const std::string& id() const { return municipalities.front(); }
};

// What a target comes to.
struct Issuing {
  std::vector<Target> make;
  // Those there already that are meant, by the last part of their name; each once.
  std::vector<std::string> keep;
};

// Everything a request asks for. FAILED_PRECONDITION/NOT_IN_FRAME names what the frame does not have.
absl::StatusOr<std::vector<Target>> Targets(const v1::IssueInvitationsRequest& request, const Frame& frame);

// What is to be made for them. FAILED_PRECONDITION/INVITED_OTHERWISE names municipalities of a joint invitation that have another already.
absl::StatusOr<Issuing> Compare(const std::vector<Target>& targets, const WaveDocuments& there);

// Adds to the batch where the municipalities of invitations that are made are from then on.
void Place(const std::vector<Target>& made, const WaveDocuments& there, storage::Batch& batch);

}  // namespace peiling::fieldwork

// Which invitations a request to issue some makes, given those there are. No store, no clock.
//
// A municipality is in one invitation. It leaves one that was revoked for a joint one, or when it is asked for by itself; those it was in
// it with are in none from then on. An invitation, and with it its response, is for the same municipalities always: its name is the code of
// the first of them, with "-2" behind it, "-3", … when those before are for others. So nobody is ever shown what was filled in for others.
#pragma once

#include <map>
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

  const std::string& first() const { return municipalities.front(); }
};

// What a target comes to.
struct Issuing {
  // By the last part of their name. Those that are there were revoked and are brought back.
  std::map<std::string, Target> make;
  // Those there already that are meant, by the last part of their name; each once.
  std::vector<std::string> keep;
};

// Everything a request asks for. FAILED_PRECONDITION/NOT_IN_FRAME names what the frame does not have.
absl::StatusOr<std::vector<Target>> Targets(const v1::IssueInvitationsRequest& request, const Frame& frame);

// What is to be made for them. FAILED_PRECONDITION/INVITED_OTHERWISE names municipalities of a joint invitation that have another already.
absl::StatusOr<Issuing> Compare(const std::vector<Target>& targets, const WaveDocuments& there);

// Adds to the batch where the municipalities of invitations that are made are from then on.
void Place(const std::map<std::string, Target>& made, const WaveDocuments& there, storage::Batch& batch);

}  // namespace peiling::fieldwork

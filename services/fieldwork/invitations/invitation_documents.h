// The documents of invitations: how they are named, read and changed. invitation_store.h says which there are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/invitations/stored_invitation.pb.h"
#include "services/fieldwork/invitations/token.h"

namespace peiling::fieldwork {

inline constexpr char kInvitations[] = "invitation/";
inline constexpr char kInvited[] = "invited/";

// "surveys/…/waves/…/invitations/GM0363" of a wave and a code.
std::string InvitationName(const std::string& wave, const std::string& id);
// Where an invitation is kept in the partition of its wave.
std::string InvitationKey(const std::string& name);

// A document as read.
struct InvitationDocument {
  stored::StoredInvitation stored;
  uint64_t version = 0;
};
// As it is shown.
v1::Invitation AsSeen(const stored::StoredInvitation& stored, uint64_t version);
// What becomes of its state when its wave is `over`: it has expired, unless it was revoked.
v1::InvitationState StateOf(const v1::Invitation& invitation, bool over);
// Where a colleague is among them; nullopt when there is none of that number.
std::optional<int> FindColleague(const stored::StoredInvitation& stored, const std::string& colleague);
// The link of a colleague, of the holder when that is empty; null when there is none that holds.
const stored::Link* FindLink(const stored::StoredInvitation& stored, const std::string& colleague);
// Whether the link somebody was let in with is one of this invitation and holds still: of the holder, the one of that issue.
bool Holds(const stored::StoredInvitation& stored, const LinkId& id);

// All of a wave: invitations by the last part of their name; what says in which of them a municipality is, by its code.
struct WaveDocuments {
  std::map<std::string, InvitationDocument> invitations;
  std::map<std::string, storage::Document> invited;
};

// One change of an invitation.
struct InvitationEdit {
  // The invitation.
  std::string name;
  // Makes the change; false: there is nothing to change. What else must hold when it is committed goes into the batch. Run again after a
  // lost race.
  std::function<absl::StatusOr<bool>(stored::StoredInvitation&, storage::Batch&)> change;
  // Of the request it is for; without an answer it is for none.
  std::string request_id = "";
  std::string digest = "";
  google::protobuf::Message* answer = nullptr;
  // Fills in the answer, which is kept as it is then: without personal data.
  std::function<void(const stored::StoredInvitation&, const v1::Invitation& as_seen)> fill = nullptr;
};

// Thread-safe. Errors of the store come beside those named.
class InvitationDocuments {
 public:
  // `store` must outlive it.
  explicit InvitationDocuments(storage::Store& store) : store_(store) {}

  // NOT_FOUND/INVITATION_NOT_FOUND.
  absl::StatusOr<InvitationDocument> Load(const std::string& name);
  absl::StatusOr<WaveDocuments> LoadWave(const std::string& wave);
  // By name, until `visit` is not OK.
  absl::Status ForEach(const std::string& wave, const std::function<absl::Status(InvitationDocument)>& visit);

  // Grows with every change; 0 before the first.
  absl::StatusOr<uint64_t> Version(const std::string& wave);
  // The write that makes it grow, for batches made elsewhere.
  static storage::Write VersionWrite();

  // NOT_FOUND/INVITATION_NOT_FOUND; ALREADY_EXISTS/REQUEST_ID_REUSED; ABORTED/CONCURRENT_CHANGE after too many lost races.
  absl::Status Change(const InvitationEdit& edit);
  // The same of every invitation of a wave that has something to change.
  absl::Status ChangeAll(const std::string& wave, const std::function<absl::StatusOr<bool>(stored::StoredInvitation&)>& change);

 private:
  absl::Status TryChange(const InvitationEdit& edit);

  storage::Store& store_;
};

}  // namespace peiling::fieldwork

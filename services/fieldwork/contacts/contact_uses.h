// What contacts were and will be written to for, from the invitations and the mail of all waves.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/storage/store.h"

namespace peiling::fieldwork {

// What an invitation tells of that.
struct InvitationUse {
  v1::Invitation invitation;
  // Contacts that showed its link, whosever it is by now.
  std::vector<std::string> opened_by;
  // When anybody last got or showed a link of it, to the day.
  absl::Time last = absl::InfinitePast();
};

// Errors are those of the store. Thread-safe.
class ContactUses {
 public:
  // Visits all messages of a wave (Outbox::ForEach).
  using ForEachMessage = std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Message&)>& visit)>;
  // Visits all invitations of a wave (InvitationStore::ForEachUse).
  using ForEachInvitation = std::function<absl::Status(const std::string& wave, const std::function<void(const InvitationUse&)>& visit)>;

  // `store`, which has both, must outlive it.
  ContactUses(storage::Store& store, ForEachMessage for_each_message, ForEachInvitation for_each_invitation)
      : store_(store), for_each_message_(std::move(for_each_message)), for_each_invitation_(std::move(for_each_invitation)) {}

  // Responses of the invitations a contact had the link of, sorted: by mail that went, or may have, and did not come back, or by whatever
  // way (as by phone) when it showed the link.
  absl::StatusOr<std::vector<std::string>> ResponsesOf(const std::string& contact) const;

  struct Uses {
    // For every contact the waves it has an invitation or mail in, sent or not.
    std::map<std::string, std::set<std::string>> waves;
    // For every wave there are invitations or mail in when anybody last got a link, showed it or was written to.
    std::map<std::string, absl::Time> last_use;
  };
  absl::StatusOr<Uses> All() const;

 private:
  storage::Store& store_;
  const ForEachMessage for_each_message_;
  const ForEachInvitation for_each_invitation_;
};

}  // namespace peiling::fieldwork

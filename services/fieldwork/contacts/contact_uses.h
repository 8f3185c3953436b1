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
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/storage/store.h"

namespace peiling::fieldwork {

// Errors are those of the store. Thread-safe.
class ContactUses {
 public:
  // Visits all messages of a wave (Outbox::ForEach).
  using ForEachMessage = std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Message&)>& visit)>;
  // Visits all invitations of a wave (InvitationStore::ForEach).
  using ForEachInvitation = std::function<absl::Status(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit)>;

  // `store`, which has both, must outlive it.
  ContactUses(storage::Store& store, ForEachMessage for_each_message, ForEachInvitation for_each_invitation)
      : store_(store), for_each_message_(std::move(for_each_message)), for_each_invitation_(std::move(for_each_invitation)) {}

  // Responses of the invitations that were mailed to a contact, sorted; also when they may have been, and when the mail came back.
  absl::StatusOr<std::vector<std::string>> ResponsesOf(const std::string& contact) const;

  // For every contact the waves it has an invitation or mail in, sent or not.
  absl::StatusOr<std::map<std::string, std::set<std::string>>> Waves() const;

 private:
  storage::Store& store_;
  const ForEachMessage for_each_message_;
  const ForEachInvitation for_each_invitation_;
};

}  // namespace peiling::fieldwork

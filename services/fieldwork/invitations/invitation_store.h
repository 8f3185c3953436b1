// Invitations as they are stored, in the partition of their wave ("surveys/s/waves/w"):
//   invitation/<municipality>   v1::Invitation and what is not shown: the key its token was made with, the hash of that token, its colleagues
//                               (names and addresses sealed)
//   invited/<municipality>      which invitation a municipality is in, so that it is in one
// Replicas may share the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::fieldwork {

// Somebody who is written to with a link of their own though no contact: a colleague, or who took over.
struct LinkHolder {
  // "2"; of who took over "holder".
  std::string id;
  std::string full_name;
  std::string email;
  // Its mail is this one's and no other's: changes with every new link.
  std::string mail_id;
  absl::Time since;
};

// Thread-safe. Errors of the store and the vault come beside those named.
class InvitationStore {
 public:
  // All must outlive it. `link`: the address of a link, with "{token}" in it: "https://peiling.example.nl/deelnemen#{token}".
  InvitationStore(storage::Store& store, const vault::Vault& vault, std::string link, calendar::Clock clock)
      : store_(store), vault_(vault), link_(std::move(link)), clock_(std::move(clock)) {}

  // NOT_FOUND/INVITATION_NOT_FOUND.
  absl::StatusOr<v1::Invitation> Get(const std::string& name);
  // Those of a wave, by name.
  absl::Status ForEach(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit);
  // Grows with every change of an invitation of the wave, by whatever replica.
  absl::StatusOr<uint64_t> Version(const std::string& wave);

  // The present link of an invitation, for mail to its contact. FAILED_PRECONDITION/INVITATION_REVOKED.
  absl::StatusOr<std::string> LinkOf(const std::string& invitation);
  // The same of a colleague or who took over. NOT_FOUND/COLLEAGUE_NOT_FOUND.
  absl::StatusOr<std::string> LinkOf(const std::string& invitation, const std::string& holder);
  // Colleagues and who took over whose link holds: everybody that mail of kind COLLEAGUE is for.
  absl::StatusOr<std::vector<LinkHolder>> LinkHolders(const std::string& invitation);
  // Mail of this invitation goes to another contact from now on ("" when there is no other). ABORTED/CONCURRENT_CHANGE when its contact is
  // not `from` any more.
  absl::Status Escalate(const std::string& invitation, const std::string& from, const std::string& to);

 private:
  storage::Store& store_;
  const vault::Vault& vault_;
  const std::string link_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork

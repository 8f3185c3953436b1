// Invitations as they are stored, in the partition of their wave ("surveys/s/waves/w"):
//   invitation/GM0363        v1::Invitation and what is not shown: what its token was made with and the hash of that, who holds it when
//                            it was handed over, and its colleagues (names and addresses sealed). issuing.h says how they are named
//   invited/<municipality>   which invitation a municipality is in, so that it is in one
//   invitations              nothing; its version is the one of them all
//   receipt/<…>
// Replicas may share the store. Personal data in it are those of colleagues, also of those removed, and of who took over; who held it
// before somebody took over is forgotten then. ErasePeople and ErasePerson leave nothing of them. What is sealed and cannot be opened,
// since its key is gone or it was changed, is as good as erased: it is logged, and stands in nobody's way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/contacts/contact_uses.h"
#include "services/fieldwork/invitations/invitation_documents.h"
#include "services/fieldwork/invitations/link_maker.h"
#include "services/fieldwork/invitations/stored_invitation.pb.h"
#include "services/fieldwork/invitations/token.h"

namespace peiling::fieldwork {

struct Frame;
struct Target;

// Somebody who is written to with a link of their own though no contact: a colleague, or who took over.
struct LinkHolder {
  // "2"; of who took over "holder".
  std::string id;
  std::string full_name;
  std::string email;
  // Its mail is this one's and no other's: changes with every new link. Lower-case letters and digits.
  std::string mail_id;
  absl::Time since;
};

// What a link is good for.
struct LinkRights {
  // Without state EXPIRED, which its wave tells.
  v1::Invitation invitation;
  // Empty: it is the holder's.
  std::string colleague;
  // Sections its bearer may write in; empty: all.
  std::vector<int32_t> sections;
  // It was shown before.
  bool opened = false;
};

// The contact mail of an invitation should go to, which has none: a name, "" when there is no contact that can be used.
using ContactFinder = std::function<absl::StatusOr<std::string>(const v1::Invitation&)>;

// The link with which somebody asks for something; nullopt: none, an administrator does. It is looked at in the read or commit of what is
// asked for, so that nothing is done with a link once its end is durable, whenever it was shown: PERMISSION_DENIED/NOT_THE_HOLDER. Ids of
// requests are its own: no bearer gets another's answer.
using ByLink = std::optional<LinkId>;

// Thread-safe. Errors of the store and the vault come beside those named; of changes also ALREADY_EXISTS/REQUEST_ID_REUSED, and
// ABORTED/CONCURRENT_CHANGE after too many lost races. Requests were checked. `allowed` is why a change may not be made now, or OK: a
// repeat of what was done gets its answer all the same.
class InvitationStore {
 public:
  // Most colleagues of an invitation at a time, and with those removed.
  static constexpr int kMaxColleagues = 50;
  static constexpr int kMaxColleaguesEver = 250;
  // Each brings mail to an address somebody chose: most in a day (in Amsterdam), of one invitation.
  static constexpr int kMaxColleaguesADay = 50;
  static constexpr int kMaxHandOversADay = 10;
  // LinkHolder::id of who took over.
  static constexpr char kHolder[] = "holder";

  // All must outlive it. `link`: the address of a link, with "{token}" in it: "https://peiling.example.nl/deelnemen#{token}".
  InvitationStore(storage::Store& store, const vault::Vault& vault, std::string link, calendar::Clock clock)
      : store_(store), links_(vault, std::move(link)), clock_(std::move(clock)) {}

  // NOT_FOUND/INVITATION_NOT_FOUND. Its state, as that of all below, is ISSUED, OPENED or REVOKED: whether it has expired follows from its
  // wave (StateOf).
  absl::StatusOr<v1::Invitation> Get(const std::string& name);
  // Those of a wave, by name.
  absl::Status ForEach(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit);
  // The same with what only those who erase want to know.
  absl::Status ForEachUse(const std::string& wave, const std::function<void(const InvitationUse&)>& visit);
  // Grows with every change of an invitation of the wave, by whatever replica; 0 when there is none.
  absl::StatusOr<uint64_t> Version(const std::string& wave) { return documents_.Version(wave); }
  // A page, with EXPIRED when the wave is `over`. May be short and yet have a token: its bytes are bounded.
  absl::StatusOr<v1::ListInvitationsResponse> List(const v1::ListInvitationsRequest& request, const paging::Page& page, bool over);

  // The present link of an invitation, for mail to a contact. FAILED_PRECONDITION/INVITATION_REVOKED when there is none, also when mail
  // goes to another contact by now or somebody took it over (nobody gets the link of who did), or its wave is past its personal data;
  // PERSONAL_DATA_KEY_MISSING names the key it was made with when that is gone.
  absl::StatusOr<std::string> LinkOfContact(const std::string& invitation, const std::string& contact);
  // The same of a colleague or who took over (LinkHolder::id). NOT_FOUND/COLLEAGUE_NOT_FOUND.
  absl::StatusOr<std::string> LinkOfHolder(const std::string& invitation, const std::string& holder);
  // Colleagues and who took over whose link holds: everybody that mail of kind COLLEAGUE is for. NOT_FOUND/INVITATION_NOT_FOUND.
  absl::StatusOr<std::vector<LinkHolder>> LinkHolders(const std::string& invitation);
  // Mail of this invitation goes to another contact from now on ("" when there is no other). ABORTED/CONCURRENT_CHANGE when its contact is
  // not `from` any more, it was handed over or revoked. NOT_FOUND/INVITATION_NOT_FOUND.
  absl::Status Escalate(const std::string& invitation, const std::string& from, const std::string& to);

  // What a token is good for: UNAUTHENTICATED/TOKEN_UNKNOWN when nothing. One read of the store, whatever is shown in the form of a token.
  absl::StatusOr<LinkRights> Verify(std::string_view token);
  // The same of somebody whose token was verified before. UNAUTHENTICATED/TOKEN_UNKNOWN when that link has ended since.
  absl::StatusOr<LinkRights> RightsOf(const LinkId& id);
  // A link was shown, and there is a response now (empty: there is none). Once more on the same day (in Amsterdam) changes nothing.
  absl::Status MarkOpened(const LinkId& id, const std::string& response);

  // All or nothing of a request, in one commit: FAILED_PRECONDITION/NOT_IN_FRAME, INVITED_OTHERWISE. Invitations without a contact get the
  // one there is by now. issuing.h says what is made, and what comes back.
  absl::StatusOr<v1::IssueInvitationsResponse> Issue(const v1::IssueInvitationsRequest& request, const Frame& frame,
                                                     const ContactFinder& find_contact, const absl::Status& allowed);
  // NOT_FOUND/INVITATION_NOT_FOUND; FAILED_PRECONDITION/INVITED_OTHERWISE when it was revoked and its municipalities have left it since;
  // NOT_FOUND/CONTACT_NOT_FOUND for a contact of none of its municipalities.
  absl::StatusOr<v1::ReissueInvitationResponse> Reissue(const v1::ReissueInvitationRequest& request, const absl::Status& allowed);
  // NOT_FOUND/INVITATION_NOT_FOUND. Links that ended do not come back: not those of colleagues, whoever brings the invitation back.
  absl::StatusOr<v1::RevokeInvitationResponse> Revoke(const v1::RevokeInvitationRequest& request);

  // NOT_FOUND/INVITATION_NOT_FOUND; FAILED_PRECONDITION/INVITATION_REVOKED; RESOURCE_EXHAUSTED/TOO_MANY_COLLEAGUES.
  absl::StatusOr<v1::InviteColleagueResponse> InviteColleague(const v1::InviteColleagueRequest& request, const ByLink& by,
                                                              const absl::Status& allowed);
  // NOT_FOUND/INVITATION_NOT_FOUND.
  absl::StatusOr<v1::ListColleaguesResponse> ListColleagues(const v1::ListColleaguesRequest& request, const ByLink& by,
                                                            bool with_addresses);
  // NOT_FOUND/INVITATION_NOT_FOUND, COLLEAGUE_NOT_FOUND.
  absl::StatusOr<v1::RemoveColleagueResponse> RemoveColleague(const v1::RemoveColleagueRequest& request, const ByLink& by);
  // NOT_FOUND/INVITATION_NOT_FOUND; FAILED_PRECONDITION/INVITATION_REVOKED; RESOURCE_EXHAUSTED/TOO_MANY_HAND_OVERS.
  absl::StatusOr<v1::HandOverResponse> HandOver(const v1::HandOverRequest& request, const ByLink& by, const absl::Status& allowed);

  // Forgets for ever everybody who holds or held a link of a wave, and ends those links; that there were colleagues and hand-overs stays.
  // To be called once the wave is past its personal data. Again changes nothing.
  absl::Status ErasePeople(const std::string& wave);
  // The same of whoever has this address, in all waves, and of nobody else.
  absl::Status ErasePerson(const std::string& address);
  // Seals anew, with the vault's first key, what is sealed with another: what it found.
  absl::StatusOr<vault::Resealed> ResealHolders(const std::string& wave);

 private:
  absl::Status TryIssue(const v1::IssueInvitationsRequest& request, const std::string& digest, const std::vector<Target>& targets,
                        const ContactFinder& find_contact, v1::IssueInvitationsResponse& response);
  // `stored`: as it was before, or nothing.
  absl::StatusOr<stored::StoredInvitation> NewInvitation(const std::string& name, const Target& target, stored::StoredInvitation stored,
                                                         const ContactFinder& find_contact) const;
  // Makes it a condition that the municipalities of an invitation are in it. FAILED_PRECONDITION/INVITED_OTHERWISE.
  absl::Status ExpectInvited(const stored::StoredInvitation& stored, storage::Batch& batch);

  // Gives the holder a new link: true.
  absl::StatusOr<bool> NewIssue(stored::StoredInvitation& stored) const;
  // The link that was made with an issue, or for a colleague; "" when it has ended.
  absl::StatusOr<std::string> LinkWhileItHolds(const v1::Invitation& issued);
  absl::StatusOr<std::string> LinkWhileItHolds(const std::string& invitation, const v1::Colleague& invited);
  // Forgets whoever has an address of this form (CanonicalAddress): whether there was anybody.
  bool Forget(const std::string& address, stored::StoredInvitation& stored) const;
  // Whether there was one to end.
  bool EndLink(stored::StoredColleague& colleague) const;
  bool EndLinks(stored::StoredInvitation& stored) const;

  absl::StatusOr<bool> AddColleague(const v1::InviteColleagueRequest& request, stored::StoredInvitation& stored) const;
  absl::Status CountHandOver(stored::StoredInvitation& stored) const;
  // With name and address.
  v1::Colleague Show(const std::string& invitation, const stored::StoredColleague& stored) const;

  storage::Store& store_;
  const LinkMaker links_;
  const calendar::Clock clock_;
  InvitationDocuments documents_{store_};
};

// UNAUTHENTICATED/TOKEN_UNKNOWN; the same whatever is wrong, so that nobody learns what there is.
absl::Status TokenUnknown();

}  // namespace peiling::fieldwork

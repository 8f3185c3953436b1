#include "services/fieldwork/invitations/invitation_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/fieldwork/contacts/email_address.h"
#include "services/fieldwork/invitations/issuing.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;
using stored::StoredInvitation;

// What partitions of waves begin with.
constexpr char kWaves[] = "surveys/";
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;

// Of a response, which is named as its invitation is.
std::string InvitationOf(const std::string& response) { return InvitationName(names::WaveOf(response), names::LastId(response)); }

absl::Status ColleagueNotFound(const std::string& invitation, const std::string& colleague) {
  return status::Error(StatusCode::kNotFound, "COLLEAGUE_NOT_FOUND", absl::StrCat(invitation, " has no colleague ", colleague),
                       {{"invitation", invitation}, {"colleague", colleague}});
}
absl::Status Revoked(const std::string& name) {
  return status::Error(StatusCode::kFailedPrecondition, "INVITATION_REVOKED", absl::StrCat(name, " has no such link any more"),
                       {{"invitation", name}});
}
absl::Status NotTheHolder(const std::string& name) {
  return status::Error(StatusCode::kPermissionDenied, "NOT_THE_HOLDER", "Deze link geldt niet meer.", {{"invitation", name}});
}
absl::Status CheckHolds(const StoredInvitation& stored, const ByLink& by) {
  return !by || Holds(stored, *by) ? absl::OkStatus() : NotTheHolder(stored.invitation().name());
}
absl::Status TooMany(std::string_view reason, const std::string& what, const std::string& name) {
  return status::Error(StatusCode::kResourceExhausted, reason, what, {{"invitation", name}});
}
// Of a link that was found.
LinkRights RightsIn(const StoredInvitation& stored, uint64_t version, const std::string& colleague) {
  LinkRights rights{.invitation = AsSeen(stored, version), .colleague = colleague, .opened = stored.invitation().has_opened_at()};
  if (colleague.empty()) return rights;
  const v1::Colleague& one = stored.colleagues(*FindColleague(stored, colleague)).colleague();
  rights.sections.assign(one.sections().begin(), one.sections().end());
  rights.opened = one.has_opened_at();
  return rights;
}

// Whether it is a contact of one of its municipalities.
bool IsOfOne(const std::string& contact, const v1::Invitation& invitation) {
  const auto ids = names::Match(contact, "municipalities/*/contacts/*");
  const auto& codes = invitation.municipalities();
  return ids && std::find(codes.begin(), codes.end(), ids->front()) != codes.end();
}
absl::Status ContactNotFound(const std::string& contact) {
  return status::Error(StatusCode::kNotFound, "CONTACT_NOT_FOUND", absl::StrCat(contact, " is of none of its municipalities"),
                       {{"contact", contact}});
}
// Mail goes to a contact from now on ("": to nobody); whoever took over is forgotten.
void GiveToContact(const std::string& contact, StoredInvitation& stored) {
  stored.mutable_invitation()->set_contact(contact);
  stored.mutable_invitation()->clear_handed_over();
  stored.clear_holder();
  stored.clear_held_since();
}

// Notes whose link the holder's is that is shown: without a contact that of the last one, who could not be reached by mail and may have
// been told it by phone. Whether that is news.
bool NoteOpener(StoredInvitation& stored) {
  const v1::Invitation& shown = stored.invitation();
  std::string opener = shown.contact();
  if (opener.empty() && !shown.handed_over() && !shown.escalated_from().empty()) opener = *shown.escalated_from().rbegin();
  const auto& known = stored.opened_by();
  if (opener.empty() || std::find(known.begin(), known.end(), opener) != known.end()) return false;
  stored.add_opened_by(opener);
  return true;
}

template <typename Request>
stored::Person PersonIn(const Request& request) {
  stored::Person person;
  person.set_full_name(request.full_name());
  person.set_email(request.email());
  return person;
}

// An edit that answers a request; what it does is still to be said.
template <typename Request>
InvitationEdit EditFor(const Request& request, const std::string& name, const std::string& digest, google::protobuf::Message& answer) {
  return {.name = name, .change = nullptr, .request_id = request.request_id(), .digest = digest, .answer = &answer};
}

// The same of a request by a link, which must hold when it is made.
template <typename Request>
InvitationEdit EditBy(const ByLink& by, const Request& request, const std::string& name, const std::string& digest,
                      google::protobuf::Message& answer, std::function<absl::StatusOr<bool>(StoredInvitation&)> change) {
  InvitationEdit edit = EditFor(request, name, digest, answer);
  if (by) edit.request_id = absl::StrCat(by->Subject(), "/", request.request_id());
  edit.change = [by, change = std::move(change)](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
    if (absl::Status holds = CheckHolds(stored, by); !holds.ok()) return holds;
    return change(stored);
  };
  return edit;
}

// Fills in an answer that is the invitation.
template <typename Response>
auto FillInvitation(Response& response) {
  return [&response](const StoredInvitation&, const v1::Invitation& as_seen) { *response.mutable_invitation() = as_seen; };
}

}  // namespace

absl::Status TokenUnknown() {
  return status::Error(StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", "this link is not known, or does not hold any more");
}

absl::StatusOr<v1::Invitation> InvitationStore::Get(const std::string& name) {
  const auto loaded = documents_.Load(name);
  if (!loaded.ok()) return loaded.status();
  return AsSeen(loaded->stored, loaded->version);
}

absl::Status InvitationStore::ForEach(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit) {
  return documents_.ForEach(wave, [&](const InvitationDocument& loaded) {
    visit(AsSeen(loaded.stored, loaded.version));
    return absl::OkStatus();
  });
}

absl::Status InvitationStore::ForEachUse(const std::string& wave, const std::function<void(const InvitationUse&)>& visit) {
  return documents_.ForEach(wave, [&](const InvitationDocument& loaded) {
    const StoredInvitation& stored = loaded.stored;
    visit({.invitation = stored.invitation(),
           .opened_by = {stored.opened_by().begin(), stored.opened_by().end()},
           .last = calendar::FromProto(stored.last_use())});
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::ListInvitationsResponse> InvitationStore::List(const v1::ListInvitationsRequest& request, const paging::Page& page,
                                                                  bool over) {
  const auto documents = store_.List(request.parent(), kInvitations, page.after, page.size + 1);
  if (!documents.ok()) return documents.status();
  v1::ListInvitationsResponse response;
  size_t bytes = 0;
  int looked_at = 0;
  std::string last;
  for (const storage::Document& document : *documents) {
    if (looked_at == page.size || bytes >= kMaxPageBytes) {
      response.set_next_page_token(paging::NextPageToken(request, last));
      break;
    }
    const auto stored = storage::Parse<StoredInvitation>(document);
    if (!stored.ok()) return stored.status();
    ++looked_at;
    last = document.key;
    v1::Invitation invitation = AsSeen(*stored, document.version);
    invitation.set_state(StateOf(invitation, over));
    if (request.state() != v1::INVITATION_STATE_UNSPECIFIED && request.state() != invitation.state()) continue;
    bytes += invitation.ByteSizeLong();
    *response.add_invitations() = std::move(invitation);
  }
  return response;
}

absl::StatusOr<std::string> InvitationStore::LinkOfContact(const std::string& invitation, const std::string& contact) {
  const auto loaded = documents_.Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const v1::Invitation& shown = loaded->stored.invitation();
  if (!loaded->stored.has_link() || shown.handed_over() || shown.contact() != contact) return Revoked(invitation);
  return links_.Address({.invitation = invitation}, loaded->stored.link());
}

absl::StatusOr<std::string> InvitationStore::LinkOfHolder(const std::string& invitation, const std::string& holder) {
  const auto loaded = documents_.Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const bool took_over = holder == kHolder;
  if (took_over && !loaded->stored.invitation().handed_over()) return ColleagueNotFound(invitation, holder);
  if (loaded->stored.invitation().has_revoked_at()) return Revoked(invitation);
  const LinkId id{.invitation = invitation, .colleague = took_over ? "" : holder};
  const stored::Link* link = FindLink(loaded->stored, id.colleague);
  if (link == nullptr) return ColleagueNotFound(invitation, holder);
  return links_.Address(id, *link);
}

absl::StatusOr<std::vector<LinkHolder>> InvitationStore::LinkHolders(const std::string& invitation) {
  const auto loaded = documents_.Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const StoredInvitation& stored = loaded->stored;
  std::vector<LinkHolder> holders;
  const auto add = [&](const std::string& id, const std::string& sealed, const std::string& mail_id,
                       const google::protobuf::Timestamp& since) {
    const stored::Person person = links_.Unseal(sealed, invitation, id);
    if (person.email().empty()) return;
    holders.push_back(
        {.id = id, .full_name = person.full_name(), .email = person.email(), .mail_id = mail_id, .since = calendar::FromProto(since)});
  };
  if (stored.has_link() && stored.invitation().handed_over()) {
    add(kHolder, stored.holder(), absl::StrCat("h", stored.link().issue()), stored.held_since());
  }
  for (const stored::StoredColleague& one : stored.colleagues()) {
    const std::string& id = one.colleague().colleague();
    if (one.has_link()) add(id, one.person(), absl::StrCat("c", id), one.colleague().invited_at());
  }
  return holders;
}

absl::Status InvitationStore::Escalate(const std::string& invitation, const std::string& from, const std::string& to) {
  bool moved = false;
  const auto change = [&](StoredInvitation& stored, storage::Batch&) {
    v1::Invitation& shown = *stored.mutable_invitation();
    moved = shown.contact() != from || shown.handed_over() || shown.has_revoked_at();
    if (moved || from == to) return false;
    shown.set_contact(to);
    if (!from.empty()) shown.add_escalated_from(from);
    return true;
  };
  const absl::Status changed = documents_.Change({.name = invitation, .change = change});
  if (!changed.ok() || !moved) return changed;
  return status::Error(StatusCode::kAborted, "CONCURRENT_CHANGE", "mail of this invitation goes to somebody else by now",
                       {{"invitation", invitation}});
}

absl::StatusOr<LinkRights> InvitationStore::Verify(std::string_view token) {
  const auto id = ParseToken(token);
  if (!id) return TokenUnknown();
  const auto loaded = documents_.Load(id->invitation);
  if (!loaded.ok() && !absl::IsNotFound(loaded.status())) return loaded.status();
  // What is not there is compared as well: it takes as long.
  const stored::Link* link = loaded.ok() ? FindLink(loaded->stored, id->colleague) : nullptr;
  if (!links_.Matches(token, link)) return TokenUnknown();
  return RightsIn(loaded->stored, loaded->version, id->colleague);
}

absl::StatusOr<LinkRights> InvitationStore::RightsOf(const LinkId& id) {
  const auto loaded = documents_.Load(id.invitation);
  if (absl::IsNotFound(loaded.status())) return TokenUnknown();
  if (!loaded.ok()) return loaded.status();
  if (!Holds(loaded->stored, id)) return TokenUnknown();
  return RightsIn(loaded->stored, loaded->version, id.colleague);
}

absl::Status InvitationStore::MarkOpened(const LinkId& id, const std::string& response) {
  const auto change = [&](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
    if (!Holds(stored, id)) return TokenUnknown();
    v1::Invitation& shown = *stored.mutable_invitation();
    const bool first = !RightsIn(stored, 0, id.colleague).opened;
    const bool new_response = !response.empty() && shown.response() != response;
    const absl::Time now = clock_();
    const bool new_opener = id.colleague.empty() && NoteOpener(stored);
    const bool new_day = calendar::DayOf(calendar::FromProto(stored.last_use())) != calendar::DayOf(now);
    if (first) {
      const auto at = FindColleague(stored, id.colleague);
      *(at ? stored.mutable_colleagues(*at)->mutable_colleague()->mutable_opened_at() : shown.mutable_opened_at()) = calendar::ToProto(now);
    }
    if (new_response) shown.set_response(response);
    if (new_day) *stored.mutable_last_use() = calendar::ToProto(now);
    return first || new_response || new_opener || new_day;
  };
  return documents_.Change({.name = id.invitation, .change = change});
}

absl::StatusOr<StoredInvitation> InvitationStore::NewInvitation(const std::string& name, const Target& target, StoredInvitation stored,
                                                                const ContactFinder& find_contact) const {
  v1::Invitation& shown = *stored.mutable_invitation();
  shown.set_name(name);
  shown.mutable_municipalities()->Assign(target.municipalities.begin(), target.municipalities.end());
  // Also of one that is brought back: what was mailed before had a link that ended.
  *shown.mutable_issued_at() = calendar::ToProto(clock_());
  shown.clear_revoked_at();
  shown.clear_revocation_reason();
  auto contact = find_contact(shown);
  if (!contact.ok()) return contact.status();
  GiveToContact(*contact, stored);
  if (const auto issued = NewIssue(stored); !issued.ok()) return issued.status();
  return stored;
}

absl::Status InvitationStore::TryIssue(const v1::IssueInvitationsRequest& request, const std::string& digest,
                                       const std::vector<Target>& targets, const ContactFinder& find_contact,
                                       v1::IssueInvitationsResponse& response) {
  const std::string& wave = request.parent();
  auto there = documents_.LoadWave(wave);
  if (!there.ok()) return there.status();
  const auto issuing = Compare(targets, *there);
  if (!issuing.ok()) return issuing.status();

  storage::Batch batch{.partition = wave};
  Place(issuing->make, *there, batch);
  std::set<std::string> without_contact;
  const auto write = [&](const StoredInvitation& stored, uint64_t version) {
    batch.writes.push_back(
        {.key = InvitationKey(stored.invitation().name()), .value = stored.SerializeAsString(), .expected_version = version});
  };
  const auto note_contact = [&](const v1::Invitation& shown) {
    if (!shown.contact().empty() || shown.handed_over() || shown.has_revoked_at()) return;
    without_contact.insert(shown.municipalities().begin(), shown.municipalities().end());
  };
  for (const auto& [id, target] : issuing->make) {
    const auto before = there->invitations.find(id);
    InvitationDocument document = before == there->invitations.end() ? InvitationDocument() : std::move(before->second);
    const auto made = NewInvitation(InvitationName(wave, id), target, std::move(document.stored), find_contact);
    if (!made.ok()) return made.status();
    write(*made, document.version);
    note_contact(made->invitation());
  }
  for (const std::string& id : issuing->keep) {
    auto& [stored, version] = there->invitations.at(id);
    v1::Invitation& shown = *stored.mutable_invitation();
    if (shown.contact().empty() && !shown.handed_over() && !shown.has_revoked_at()) {
      const auto contact = find_contact(shown);
      if (!contact.ok()) return contact.status();
      shown.set_contact(*contact);
      if (!contact->empty()) write(stored, version);
    }
    note_contact(shown);
  }
  response.set_issued(static_cast<int32_t>(issuing->make.size()));
  response.set_unchanged(static_cast<int32_t>(issuing->keep.size()));
  response.mutable_without_contact()->Assign(without_contact.begin(), without_contact.end());
  if (!batch.writes.empty()) batch.writes.push_back(InvitationDocuments::VersionWrite());
  batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<v1::IssueInvitationsResponse> InvitationStore::Issue(const v1::IssueInvitationsRequest& request, const Frame& frame,
                                                                    const ContactFinder& find_contact, const absl::Status& allowed) {
  v1::IssueInvitationsResponse response;
  const std::string digest = storage::DigestOf(request);
  const absl::Status issued = storage::RetryRaces([&] {
    const auto answered = storage::FindReceipt(store_, request.parent(), request.request_id(), digest, response);
    if (!answered.ok() || *answered) return answered.status();
    if (!allowed.ok()) return allowed;
    const auto targets = Targets(request, frame);
    return targets.ok() ? TryIssue(request, digest, *targets, find_contact, response) : targets.status();
  });
  if (!issued.ok()) return issued;
  return response;
}

absl::Status InvitationStore::ExpectInvited(const StoredInvitation& stored, storage::Batch& batch) {
  const v1::Invitation& shown = stored.invitation();
  std::vector<std::string> keys;
  for (const std::string& code : shown.municipalities()) keys.push_back(kInvited + code);
  const auto documents = store_.GetMany(batch.partition, keys);
  if (!documents.ok()) return documents.status();
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto& document = (*documents)[i];
    if (!document || document->value != names::LastId(shown.name())) {
      return status::Error(StatusCode::kFailedPrecondition, "INVITED_OTHERWISE",
                           "municipalities of this invitation were invited in another way since it was revoked",
                           {{"municipalities", names::LastId(keys[i])}});
    }
    batch.expectations.emplace_back(keys[i], document->version);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ReissueInvitationResponse> InvitationStore::Reissue(const v1::ReissueInvitationRequest& request,
                                                                       const absl::Status& allowed) {
  v1::ReissueInvitationResponse response;
  InvitationEdit edit = EditFor(request, request.name(), storage::DigestOf(request), response);
  edit.change = [&](StoredInvitation& stored, storage::Batch& batch) -> absl::StatusOr<bool> {
    if (!allowed.ok()) return allowed;
    v1::Invitation& shown = *stored.mutable_invitation();
    if (shown.has_revoked_at()) {
      if (absl::Status invited = ExpectInvited(stored, batch); !invited.ok()) return invited;
    }
    shown.clear_revoked_at();
    shown.clear_revocation_reason();
    if (!request.contact().empty()) {
      if (!IsOfOne(request.contact(), shown)) return ContactNotFound(request.contact());
      GiveToContact(request.contact(), stored);
    }
    return NewIssue(stored);
  };
  edit.fill = FillInvitation(response);
  if (absl::Status changed = documents_.Change(edit); !changed.ok()) return changed;
  auto link = LinkWhileItHolds(response.invitation());
  if (!link.ok()) return link.status();
  response.set_link(*std::move(link));
  return response;
}

absl::StatusOr<bool> InvitationStore::NewIssue(StoredInvitation& stored) const {
  v1::Invitation& shown = *stored.mutable_invitation();
  shown.set_issue(shown.issue() + 1);
  auto link = links_.New({.invitation = shown.name()}, shown.issue());
  if (!link.ok()) return link.status();
  *stored.mutable_link() = *std::move(link);
  *stored.mutable_last_use() = calendar::ToProto(clock_());
  return true;
}

absl::StatusOr<std::string> InvitationStore::LinkWhileItHolds(const v1::Invitation& issued) {
  const auto loaded = documents_.Load(issued.name());
  if (!loaded.ok()) return loaded.status();
  const StoredInvitation& stored = loaded->stored;
  if (!stored.has_link() || stored.link().issue() != issued.issue()) return "";
  return links_.Address({.invitation = issued.name()}, stored.link());
}

absl::StatusOr<std::string> InvitationStore::LinkWhileItHolds(const std::string& invitation, const v1::Colleague& invited) {
  const auto loaded = documents_.Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const stored::Link* link = FindLink(loaded->stored, invited.colleague());
  if (link == nullptr) return "";
  return links_.Address({.invitation = invitation, .colleague = invited.colleague()}, *link);
}

absl::StatusOr<v1::RevokeInvitationResponse> InvitationStore::Revoke(const v1::RevokeInvitationRequest& request) {
  v1::RevokeInvitationResponse response;
  InvitationEdit edit = EditFor(request, request.name(), storage::DigestOf(request), response);
  edit.change = [&](StoredInvitation& stored, storage::Batch&) {
    v1::Invitation& shown = *stored.mutable_invitation();
    if (shown.has_revoked_at()) return false;
    *shown.mutable_revoked_at() = calendar::ToProto(clock_());
    shown.set_revocation_reason(request.reason());
    EndLinks(stored);
    return true;
  };
  edit.fill = FillInvitation(response);
  if (absl::Status changed = documents_.Change(edit); !changed.ok()) return changed;
  return response;
}

bool InvitationStore::EndLink(stored::StoredColleague& colleague) const {
  if (!colleague.has_link()) return false;
  colleague.clear_link();
  *colleague.mutable_colleague()->mutable_removed_at() = calendar::ToProto(clock_());
  return true;
}

bool InvitationStore::EndLinks(StoredInvitation& stored) const {
  bool ended = stored.has_link();
  stored.clear_link();
  for (stored::StoredColleague& one : *stored.mutable_colleagues()) ended = EndLink(one) || ended;
  return ended;
}

absl::StatusOr<bool> InvitationStore::AddColleague(const v1::InviteColleagueRequest& request, StoredInvitation& stored) const {
  const std::string& name = stored.invitation().name();
  if (stored.invitation().has_revoked_at()) return Revoked(name);
  const auto count = [&](const auto& which) { return std::count_if(stored.colleagues().begin(), stored.colleagues().end(), which); };
  const auto live = count([](const stored::StoredColleague& one) { return one.has_link(); });
  if (live >= kMaxColleagues || stored.colleagues_size() >= kMaxColleaguesEver) {
    return TooMany("TOO_MANY_COLLEAGUES",
                   absl::StrCat("there are ", live, " colleagues, ", stored.colleagues_size(), " with those removed; at most ",
                                kMaxColleagues, " and ", kMaxColleaguesEver, " can be"),
                   name);
  }
  const std::string today = calendar::DayOf(clock_());
  const auto since_today = count(
      [&](const stored::StoredColleague& one) { return calendar::DayOf(calendar::FromProto(one.colleague().invited_at())) == today; });
  if (since_today >= kMaxColleaguesADay) {
    return TooMany("TOO_MANY_COLLEAGUES", absl::StrCat("at most ", kMaxColleaguesADay, " colleagues are invited in a day"), name);
  }
  const LinkId id{.invitation = name, .colleague = absl::StrCat(stored.colleagues_size() + 1)};
  auto link = links_.New(id, stored.invitation().issue());
  if (!link.ok()) return link.status();
  stored::StoredColleague& added = *stored.add_colleagues();
  *added.mutable_link() = *std::move(link);
  added.set_person(links_.Seal(PersonIn(request), name, id.colleague));
  v1::Colleague& colleague = *added.mutable_colleague();
  colleague.set_colleague(id.colleague);
  const std::set<int32_t> sections(request.sections().begin(), request.sections().end());
  colleague.mutable_sections()->Assign(sections.begin(), sections.end());
  *colleague.mutable_invited_at() = calendar::ToProto(clock_());
  *stored.mutable_last_use() = colleague.invited_at();
  return true;
}

absl::StatusOr<v1::InviteColleagueResponse> InvitationStore::InviteColleague(const v1::InviteColleagueRequest& request, const ByLink& by,
                                                                             const absl::Status& allowed) {
  const std::string name = InvitationOf(request.response());
  const auto digest = links_.Keyed(storage::DigestOf(request));
  if (!digest.ok()) return digest.status();
  v1::InviteColleagueResponse response;
  InvitationEdit edit = EditBy(by, request, name, *digest, response, [&](StoredInvitation& stored) -> absl::StatusOr<bool> {
    if (!allowed.ok()) return allowed;
    return AddColleague(request, stored);
  });
  edit.fill = [&](const StoredInvitation& stored, const v1::Invitation&) {
    *response.mutable_colleague() = stored.colleagues().rbegin()->colleague();
  };
  if (absl::Status changed = documents_.Change(edit); !changed.ok()) return changed;
  // No receipt has what is personal.
  response.mutable_colleague()->set_full_name(request.full_name());
  response.mutable_colleague()->set_email(request.email());
  auto link = LinkWhileItHolds(name, response.colleague());
  if (!link.ok()) return link.status();
  response.set_link(*std::move(link));
  return response;
}

v1::Colleague InvitationStore::Show(const std::string& invitation, const stored::StoredColleague& stored) const {
  v1::Colleague colleague = stored.colleague();
  const stored::Person person = links_.Unseal(stored.person(), invitation, colleague.colleague());
  colleague.set_full_name(person.full_name());
  colleague.set_email(person.email());
  return colleague;
}

absl::StatusOr<v1::ListColleaguesResponse> InvitationStore::ListColleagues(const v1::ListColleaguesRequest& request, const ByLink& by,
                                                                           bool with_addresses) {
  const std::string name = InvitationOf(request.response());
  const auto loaded = documents_.Load(name);
  if (!loaded.ok()) return loaded.status();
  if (absl::Status holds = CheckHolds(loaded->stored, by); !holds.ok()) return holds;
  v1::ListColleaguesResponse response;
  for (const stored::StoredColleague& one : loaded->stored.colleagues()) {
    v1::Colleague& colleague = *response.add_colleagues() = Show(name, one);
    if (!with_addresses) colleague.clear_email();
  }
  return response;
}

absl::StatusOr<v1::RemoveColleagueResponse> InvitationStore::RemoveColleague(const v1::RemoveColleagueRequest& request, const ByLink& by) {
  const std::string name = InvitationOf(request.response());
  v1::RemoveColleagueResponse response;
  InvitationEdit edit =
      EditBy(by, request, name, storage::DigestOf(request), response, [&](StoredInvitation& stored) -> absl::StatusOr<bool> {
        const auto at = FindColleague(stored, request.colleague());
        if (!at) return ColleagueNotFound(name, request.colleague());
        return EndLink(*stored.mutable_colleagues(*at));
      });
  edit.fill = [&](const StoredInvitation& stored, const v1::Invitation&) {
    *response.mutable_colleague() = stored.colleagues(*FindColleague(stored, request.colleague())).colleague();
  };
  if (absl::Status changed = documents_.Change(edit); !changed.ok()) return changed;
  // No receipt has what is personal.
  const auto loaded = documents_.Load(name);
  if (!loaded.ok()) return loaded.status();
  const auto at = FindColleague(loaded->stored, request.colleague());
  if (at) *response.mutable_colleague() = Show(name, loaded->stored.colleagues(*at));
  return response;
}

absl::Status InvitationStore::CountHandOver(StoredInvitation& stored) const {
  const std::string today = calendar::DayOf(clock_());
  const int before = stored.handed_over_on() == today ? stored.hand_overs() : 0;
  if (before >= kMaxHandOversADay) {
    return TooMany("TOO_MANY_HAND_OVERS", absl::StrCat("at most ", kMaxHandOversADay, " times in a day"), stored.invitation().name());
  }
  stored.set_handed_over_on(today);
  stored.set_hand_overs(before + 1);
  return absl::OkStatus();
}

absl::StatusOr<v1::HandOverResponse> InvitationStore::HandOver(const v1::HandOverRequest& request, const ByLink& by,
                                                               const absl::Status& allowed) {
  const std::string name = InvitationOf(request.response());
  const auto digest = links_.Keyed(storage::DigestOf(request));
  if (!digest.ok()) return digest.status();
  v1::HandOverResponse response;
  InvitationEdit edit = EditBy(by, request, name, *digest, response, [&](StoredInvitation& stored) -> absl::StatusOr<bool> {
    if (!allowed.ok()) return allowed;
    v1::Invitation& shown = *stored.mutable_invitation();
    if (shown.has_revoked_at()) return Revoked(name);
    if (absl::Status counted = CountHandOver(stored); !counted.ok()) return counted;
    shown.clear_contact();
    shown.set_handed_over(true);
    stored.set_holder(links_.Seal(PersonIn(request), name, kHolder));
    *stored.mutable_held_since() = calendar::ToProto(clock_());
    return NewIssue(stored);
  });
  edit.fill = FillInvitation(response);
  if (absl::Status changed = documents_.Change(edit); !changed.ok()) return changed;
  return response;
}

absl::Status InvitationStore::ErasePeople(const std::string& wave) {
  return documents_.ChangeAll(wave, [this](StoredInvitation& stored) -> absl::StatusOr<bool> {
    bool changed = EndLinks(stored) || !stored.holder().empty();
    stored.clear_holder();
    for (stored::StoredColleague& one : *stored.mutable_colleagues()) {
      changed = changed || !one.person().empty();
      one.clear_person();
    }
    return changed;
  });
}

bool InvitationStore::Forget(const std::string& address, StoredInvitation& stored) const {
  const auto is_theirs = [&](const std::string& sealed, const std::string& id) {
    return CanonicalAddress(links_.Unseal(sealed, stored.invitation().name(), id).email()) == address;
  };
  const bool holds = is_theirs(stored.holder(), kHolder);
  if (holds) {
    stored.clear_holder();
    stored.clear_link();
  }
  bool changed = holds;
  for (stored::StoredColleague& one : *stored.mutable_colleagues()) {
    if (!is_theirs(one.person(), one.colleague().colleague())) continue;
    one.clear_person();
    EndLink(one);
    changed = true;
  }
  return changed;
}

absl::Status InvitationStore::ErasePerson(const std::string& address) {
  const auto wanted = CanonicalAddress(address);
  if (!wanted) return absl::OkStatus();
  const auto waves = store_.Partitions(kWaves);
  if (!waves.ok()) return waves.status();
  for (const std::string& wave : *waves) {
    const auto forget = [&](StoredInvitation& stored) { return Forget(*wanted, stored); };
    if (absl::Status erased = documents_.ChangeAll(wave, forget); !erased.ok()) return erased;
  }
  return absl::OkStatus();
}

absl::StatusOr<vault::Resealed> InvitationStore::ResealHolders(const std::string& wave) {
  vault::Resealed found;
  const absl::Status done = documents_.ChangeAll(wave, [this, &found](StoredInvitation& stored) -> absl::StatusOr<bool> {
    const std::string& name = stored.invitation().name();
    bool changed = links_.Reseal(*stored.mutable_holder(), name, kHolder, found);
    for (stored::StoredColleague& one : *stored.mutable_colleagues()) {
      changed = links_.Reseal(*one.mutable_person(), name, one.colleague().colleague(), found) || changed;
    }
    return changed;
  });
  if (!done.ok()) return done;
  return found;
}

}  // namespace peiling::fieldwork

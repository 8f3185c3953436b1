#include "services/fieldwork/invitations/invitation_store.h"

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/fieldwork/invitations/issuing.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;
using stored::StoredInvitation;

constexpr char kInvitations[] = "invitation/";
constexpr char kInvited[] = "invited/";
constexpr char kVersion[] = "invitations";
// What keys of the vault are turned into: tokens, and digests of requests.
constexpr char kTokenPurpose[] = "invitation-token";
constexpr char kDigestPurpose[] = "invitation-request";
constexpr size_t kReadAtOnce = 1000;
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;

std::string KeyOf(const std::string& name) { return kInvitations + names::LastId(name); }
std::string NameOf(const std::string& wave, const std::string& id) { return absl::StrCat(wave, "/invitations/", id); }
// Of a response, which is named as its invitation is.
std::string InvitationOf(const std::string& response) { return NameOf(names::WaveOf(response), names::LastId(response)); }

std::string Etag(uint64_t version) { return absl::StrCat("v", version); }

// Every change of an invitation writes this.
storage::Write VersionWrite() { return {.key = kVersion, .value = ""}; }

absl::Status NotFound(const std::string& name) {
  return status::Error(StatusCode::kNotFound, "INVITATION_NOT_FOUND", absl::StrCat("no ", name), {{"invitation", name}});
}
absl::Status ColleagueNotFound(const std::string& invitation, const std::string& colleague) {
  return status::Error(StatusCode::kNotFound, "COLLEAGUE_NOT_FOUND", absl::StrCat(invitation, " has no colleague ", colleague),
                       {{"invitation", invitation}, {"colleague", colleague}});
}
absl::Status Revoked(const std::string& name) {
  return status::Error(StatusCode::kFailedPrecondition, "INVITATION_REVOKED", absl::StrCat(name, " has no such link any more"),
                       {{"invitation", name}});
}
// The same whatever is wrong, so that nobody learns what there is.
absl::Status TokenUnknown() {
  return status::Error(StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", "this link is not known, or does not hold any more");
}

v1::Invitation AsSeen(const StoredInvitation& stored, uint64_t version) {
  v1::Invitation invitation = stored.invitation();
  invitation.set_state(StateOf(invitation, false));
  invitation.set_etag(Etag(version));
  return invitation;
}

// Where a colleague is among them; nullopt when there is none of that number.
std::optional<int> Find(const StoredInvitation& stored, const std::string& colleague) {
  for (int i = 0; i < stored.colleagues_size(); ++i) {
    if (stored.colleagues(i).colleague().colleague() == colleague) return i;
  }
  return std::nullopt;
}

// The link of an id; null when there is none that holds.
const stored::Link* FindLink(const StoredInvitation& stored, const std::string& colleague) {
  if (colleague.empty()) return stored.has_link() ? &stored.link() : nullptr;
  const auto at = Find(stored, colleague);
  return at && stored.colleagues(*at).has_link() ? &stored.colleagues(*at).link() : nullptr;
}

// Of a link that was found.
LinkRights RightsIn(const StoredInvitation& stored, uint64_t version, const std::string& colleague) {
  LinkRights rights{.invitation = AsSeen(stored, version), .colleague = colleague, .opened = stored.invitation().has_opened_at()};
  if (colleague.empty()) return rights;
  const v1::Colleague& one = stored.colleagues(*Find(stored, colleague)).colleague();
  rights.sections.assign(one.sections().begin(), one.sections().end());
  rights.opened = one.has_opened_at();
  return rights;
}

// Whose a sealed person is, so that nobody can be put in another's place.
std::string HolderOf(const std::string& invitation) { return absl::StrCat(invitation, "/", InvitationStore::kHolder); }
std::string ColleagueOf(const std::string& invitation, const std::string& colleague) {
  return LinkId{.invitation = invitation, .colleague = colleague}.Subject();
}

}  // namespace

// A document as read.
struct InvitationStore::Loaded {
  StoredInvitation stored;
  uint64_t version = 0;
};

// One change of an invitation.
struct InvitationStore::Edit {
  // The invitation.
  std::string name;
  // Makes the change; false: there is nothing to change. What else must hold when it is committed goes into the batch.
  std::function<absl::StatusOr<bool>(StoredInvitation&, storage::Batch&)> change;
  // Of the request it is for; empty: it is for none.
  std::string request_id = "";
  std::string digest = "";
  google::protobuf::Message* answer = nullptr;
  // Fills in the answer, from the invitation as it is then.
  std::function<void(const StoredInvitation&, const v1::Invitation&)> fill = nullptr;
};

v1::InvitationState StateOf(const v1::Invitation& invitation, bool over) {
  if (invitation.has_revoked_at()) return v1::INVITATION_STATE_REVOKED;
  if (over) return v1::INVITATION_STATE_EXPIRED;
  return invitation.has_opened_at() ? v1::INVITATION_STATE_OPENED : v1::INVITATION_STATE_ISSUED;
}

absl::StatusOr<InvitationStore::Loaded> InvitationStore::Load(const std::string& name) {
  const auto document = store_.Get(names::WaveOf(name), KeyOf(name));
  if (!document.ok()) return document.status();
  if (!document->has_value()) return NotFound(name);
  auto stored = storage::Parse<StoredInvitation>(**document);
  if (!stored.ok()) return stored.status();
  return Loaded{.stored = *std::move(stored), .version = (*document)->version};
}

absl::Status InvitationStore::ForEachStored(const std::string& wave, const std::function<absl::Status(Loaded)>& visit) {
  for (std::string after;;) {
    const auto documents = store_.List(wave, kInvitations, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      auto stored = storage::Parse<StoredInvitation>(document);
      if (!stored.ok()) return stored.status();
      if (absl::Status visited = visit({.stored = *std::move(stored), .version = document.version}); !visited.ok()) return visited;
    }
    if (documents->size() < kReadAtOnce) return absl::OkStatus();
    after = documents->back().key;
  }
}

absl::StatusOr<v1::Invitation> InvitationStore::Get(const std::string& name) {
  const auto loaded = Load(name);
  if (!loaded.ok()) return loaded.status();
  return AsSeen(loaded->stored, loaded->version);
}

absl::Status InvitationStore::ForEach(const std::string& wave, const std::function<void(const v1::Invitation&)>& visit) {
  return ForEachStored(wave, [&](const Loaded& loaded) {
    visit(AsSeen(loaded.stored, loaded.version));
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> InvitationStore::Version(const std::string& wave) {
  const auto document = store_.Get(wave, kVersion);
  if (!document.ok()) return document.status();
  return document->has_value() ? (*document)->version : 0;
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

absl::StatusOr<stored::Link> InvitationStore::NewLink(const LinkId& id, int32_t issue) const {
  const auto key = vault_.Derive(vault_.key_id(), kTokenPurpose);
  if (!key.ok()) return key.status();
  stored::Link link;
  link.set_issue(issue);
  link.set_key_id(vault_.key_id());
  link.set_token_hash(HashOfToken(MakeToken(id, issue, *key)));
  return link;
}

absl::StatusOr<std::string> InvitationStore::LinkText(const LinkId& id, const stored::Link& link) const {
  const auto key = vault_.Derive(link.key_id(), kTokenPurpose);
  if (!key.ok()) return key.status();
  return absl::StrReplaceAll(link_, {{"{token}", MakeToken(id, link.issue(), *key)}});
}

absl::StatusOr<std::string> InvitationStore::LinkOf(const std::string& invitation) {
  const auto loaded = Load(invitation);
  if (!loaded.ok()) return loaded.status();
  if (!loaded->stored.has_link() || loaded->stored.invitation().handed_over()) return Revoked(invitation);
  return LinkText({.invitation = invitation}, loaded->stored.link());
}

absl::StatusOr<std::string> InvitationStore::LinkOf(const std::string& invitation, const std::string& holder) {
  const auto loaded = Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const bool took_over = holder == kHolder;
  if (took_over && !loaded->stored.invitation().handed_over()) return ColleagueNotFound(invitation, holder);
  if (loaded->stored.invitation().has_revoked_at()) return Revoked(invitation);
  const LinkId id{.invitation = invitation, .colleague = took_over ? "" : holder};
  const stored::Link* link = FindLink(loaded->stored, id.colleague);
  if (link == nullptr) return ColleagueNotFound(invitation, holder);
  return LinkText(id, *link);
}

absl::StatusOr<stored::Person> InvitationStore::Unseal(const std::string& sealed, const std::string& whose) const {
  const auto bytes = vault_.Unseal(sealed, whose);
  if (!bytes.ok()) return bytes.status();
  stored::Person person;
  if (!person.ParseFromString(*bytes)) {
    return status::Error(StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("who holds ", whose, " cannot be read"));
  }
  return person;
}

std::string InvitationStore::Seal(const std::string& full_name, const std::string& email, const std::string& whose) const {
  stored::Person person;
  person.set_full_name(full_name);
  person.set_email(email);
  return vault_.Seal(person.SerializeAsString(), whose);
}

absl::StatusOr<std::vector<LinkHolder>> InvitationStore::LinkHolders(const std::string& invitation) {
  const auto loaded = Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const StoredInvitation& stored = loaded->stored;
  std::vector<LinkHolder> holders;
  if (stored.has_link() && stored.invitation().handed_over()) {
    auto person = Unseal(stored.holder(), HolderOf(invitation));
    if (!person.ok()) return person.status();
    holders.push_back({.id = kHolder,
                       .full_name = person->full_name(),
                       .email = person->email(),
                       .mail_id = absl::StrCat("h", stored.link().issue()),
                       .since = calendar::FromProto(stored.held_since())});
  }
  for (const stored::StoredColleague& one : stored.colleagues()) {
    if (!one.has_link()) continue;
    const std::string& id = one.colleague().colleague();
    auto person = Unseal(one.person(), ColleagueOf(invitation, id));
    if (!person.ok()) return person.status();
    // The issue belongs to it: an invitation that takes the place of another counts its colleagues anew.
    holders.push_back({.id = id,
                       .full_name = person->full_name(),
                       .email = person->email(),
                       .mail_id = absl::StrCat("c", one.link().issue(), "x", id),
                       .since = calendar::FromProto(one.colleague().invited_at())});
  }
  return holders;
}

absl::Status InvitationStore::TryChange(const Edit& edit) {
  const std::string wave = names::WaveOf(edit.name);
  if (edit.answer != nullptr) {
    const auto answered = storage::FindReceipt(store_, wave, edit.request_id, edit.digest, *edit.answer);
    if (!answered.ok() || *answered) return answered.status();
  }
  auto loaded = Load(edit.name);
  if (!loaded.ok()) return loaded.status();
  storage::Batch batch{.partition = wave};
  const auto changed = edit.change(loaded->stored, batch);
  if (!changed.ok()) return changed.status();
  const uint64_t version = loaded->version + (*changed ? 1 : 0);
  if (edit.answer != nullptr) edit.fill(loaded->stored, AsSeen(loaded->stored, version));
  if (!*changed) return store_.Confirm(wave);
  batch.writes.push_back({.key = KeyOf(edit.name), .value = loaded->stored.SerializeAsString(), .expected_version = loaded->version});
  batch.writes.push_back(VersionWrite());
  if (edit.answer != nullptr) batch.writes.push_back(storage::ReceiptWrite(edit.request_id, edit.digest, *edit.answer));
  return store_.Commit(std::move(batch)).status();
}

absl::Status InvitationStore::Change(const Edit& edit) {
  return storage::RetryRaces([&] { return TryChange(edit); });
}

absl::Status InvitationStore::Escalate(const std::string& invitation, const std::string& from, const std::string& to) {
  bool moved = false;
  const absl::Status changed = Change({.name = invitation, .change = [&](StoredInvitation& stored, storage::Batch&) {
                                         v1::Invitation& shown = *stored.mutable_invitation();
                                         moved = shown.contact() != from || shown.handed_over() || shown.has_revoked_at();
                                         if (moved || from == to) return false;
                                         shown.set_contact(to);
                                         if (!from.empty()) shown.add_escalated_from(from);
                                         return true;
                                       }});
  if (!changed.ok()) return changed;
  if (!moved) return absl::OkStatus();
  return status::Error(StatusCode::kAborted, "CONCURRENT_CHANGE", "mail of this invitation goes to somebody else by now",
                       {{"invitation", invitation}});
}

absl::StatusOr<LinkRights> InvitationStore::Verify(std::string_view token) {
  const auto id = ParseToken(token);
  if (!id) return TokenUnknown();
  const auto loaded = Load(id->invitation);
  if (!loaded.ok() && !absl::IsNotFound(loaded.status())) return loaded.status();
  // What is not there is compared as well: it takes as long.
  const stored::Link* link = loaded.ok() ? FindLink(loaded->stored, id->colleague) : nullptr;
  if (!TokenMatches(token, (link != nullptr ? *link : stored::Link::default_instance()).token_hash())) return TokenUnknown();
  // A key is thrown away because somebody may have it: what it made holds no more.
  if (!vault_.HasKey(link->key_id())) return TokenUnknown();
  return RightsIn(loaded->stored, loaded->version, id->colleague);
}

absl::StatusOr<LinkRights> InvitationStore::RightsOf(const LinkId& id) {
  const auto loaded = Load(id.invitation);
  if (absl::IsNotFound(loaded.status())) return TokenUnknown();
  if (!loaded.ok()) return loaded.status();
  if (FindLink(loaded->stored, id.colleague) == nullptr) return TokenUnknown();
  return RightsIn(loaded->stored, loaded->version, id.colleague);
}

absl::Status InvitationStore::MarkOpened(const LinkId& id, const std::string& response) {
  const auto now = calendar::ToProto(clock_());
  return Change({.name = id.invitation, .change = [&](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
                   if (FindLink(stored, id.colleague) == nullptr) return TokenUnknown();
                   v1::Invitation& shown = *stored.mutable_invitation();
                   const bool first = !RightsIn(stored, 0, id.colleague).opened;
                   const bool new_response = !response.empty() && shown.response() != response;
                   if (first && id.colleague.empty()) *shown.mutable_opened_at() = now;
                   if (first && !id.colleague.empty()) {
                     *stored.mutable_colleagues(*Find(stored, id.colleague))->mutable_colleague()->mutable_opened_at() = now;
                   }
                   if (new_response) shown.set_response(response);
                   return first || new_response;
                 }});
}

// The invitations of a wave, and in which of them each municipality is.
struct InvitationStore::WaveDocuments {
  std::map<std::string, Loaded> invitations;
  std::map<std::string, storage::Document> invited;

  Standings AsStandings() const {
    Standings standings;
    for (const auto& [id, loaded] : invitations) {
      const v1::Invitation& shown = loaded.stored.invitation();
      standings.invitations[id] = {.municipalities = {shown.municipalities().begin(), shown.municipalities().end()},
                                   .revoked = shown.has_revoked_at()};
    }
    for (const auto& [code, document] : invited) standings.invited[code] = document.value;
    return standings;
  }
};

absl::StatusOr<InvitationStore::WaveDocuments> InvitationStore::LoadWave(const std::string& wave) {
  WaveDocuments documents;
  // Before the invitations, so that those they name are there.
  for (std::string after;;) {
    auto read = store_.List(wave, kInvited, after, kReadAtOnce);
    if (!read.ok()) return read.status();
    for (storage::Document& document : *read) {
      after = document.key;
      documents.invited[names::LastId(document.key)] = std::move(document);
    }
    if (read->size() < kReadAtOnce) break;
  }
  const absl::Status loaded = ForEachStored(wave, [&](Loaded one) {
    const std::string id = names::LastId(one.stored.invitation().name());
    documents.invitations[id] = std::move(one);
    return absl::OkStatus();
  });
  if (!loaded.ok()) return loaded;
  return documents;
}

absl::StatusOr<StoredInvitation> InvitationStore::NewInvitation(const std::string& wave, const Target& target, int32_t issue,
                                                                const ContactFinder& find_contact) const {
  StoredInvitation stored;
  v1::Invitation& shown = *stored.mutable_invitation();
  shown.set_name(NameOf(wave, target.id()));
  shown.mutable_municipalities()->Assign(target.municipalities.begin(), target.municipalities.end());
  shown.set_issue(issue);
  *shown.mutable_issued_at() = calendar::ToProto(clock_());
  auto contact = find_contact(shown);
  if (!contact.ok()) return contact.status();
  shown.set_contact(*std::move(contact));
  auto link = NewLink({.invitation = shown.name()}, issue);
  if (!link.ok()) return link.status();
  *stored.mutable_link() = *std::move(link);
  return stored;
}

void InvitationStore::Place(const std::vector<Target>& made, const WaveDocuments& there, storage::Batch& batch) {
  std::map<std::string, std::string> places;
  std::set<std::string> ids;
  for (const Target& target : made) {
    ids.insert(target.id());
    for (const std::string& code : target.municipalities) places[code] = target.id();
  }
  // Those that lose a municipality must be as they were read: revoked.
  std::set<std::string> left;
  for (const auto& [code, id] : places) {
    const auto in = there.invited.find(code);
    const bool placed = in != there.invited.end();
    if (placed && !ids.contains(in->second.value)) left.insert(in->second.value);
    batch.writes.push_back({.key = kInvited + code, .value = id, .expected_version = placed ? in->second.version : 0});
  }
  for (const std::string& id : left) {
    batch.expectations.emplace_back(kInvitations + id, there.invitations.at(id).version);
  }
  // What was in an invitation whose place another takes, and is in none now.
  for (const auto& [code, document] : there.invited) {
    if (!ids.contains(document.value) || places.contains(code)) continue;
    batch.writes.push_back({.key = document.key, .value = std::nullopt, .expected_version = document.version});
  }
}

absl::Status InvitationStore::TryIssue(const v1::IssueInvitationsRequest& request, const std::string& digest,
                                       const std::vector<Target>& targets, const ContactFinder& find_contact,
                                       v1::IssueInvitationsResponse& response) {
  const std::string& wave = request.parent();
  auto there = LoadWave(wave);
  if (!there.ok()) return there.status();
  const auto issuing = Compare(targets, there->AsStandings());
  if (!issuing.ok()) return issuing.status();

  storage::Batch batch{.partition = wave};
  Place(issuing->make, *there, batch);
  std::set<std::string> without_contact;
  const auto write = [&](const StoredInvitation& stored, uint64_t version) {
    batch.writes.push_back({.key = KeyOf(stored.invitation().name()), .value = stored.SerializeAsString(), .expected_version = version});
  };
  const auto note_contact = [&](const v1::Invitation& shown) {
    if (!shown.contact().empty() || shown.handed_over() || shown.has_revoked_at()) return;
    without_contact.insert(shown.municipalities().begin(), shown.municipalities().end());
  };
  for (const Target& target : issuing->make) {
    const auto old = there->invitations.find(target.id());
    const bool replaces = old != there->invitations.end();
    const auto made = NewInvitation(wave, target, replaces ? old->second.stored.invitation().issue() + 1 : 1, find_contact);
    if (!made.ok()) return made.status();
    write(*made, replaces ? old->second.version : 0);
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
  if (!batch.writes.empty()) batch.writes.push_back(VersionWrite());
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
  const absl::Status changed =
      Change({.name = request.name(),
              .change = [&](StoredInvitation& stored, storage::Batch& batch) -> absl::StatusOr<bool> {
                if (!allowed.ok()) return allowed;
                v1::Invitation& shown = *stored.mutable_invitation();
                if (shown.has_revoked_at()) {
                  if (absl::Status invited = ExpectInvited(stored, batch); !invited.ok()) return invited;
                }
                shown.clear_revoked_at();
                shown.clear_revocation_reason();
                if (!request.contact().empty()) {
                  shown.set_contact(request.contact());
                  shown.clear_handed_over();
                  stored.clear_holder();
                  stored.clear_held_since();
                }
                return NewIssue(stored);
              },
              .request_id = request.request_id(),
              .digest = storage::DigestOf(request),
              .answer = &response,
              .fill = [&](const StoredInvitation&, const v1::Invitation& now) { *response.mutable_invitation() = now; }});
  if (!changed.ok()) return changed;
  auto link = LinkWhileItHolds(response.invitation());
  if (!link.ok()) return link.status();
  response.set_link(*std::move(link));
  return response;
}

absl::StatusOr<bool> InvitationStore::NewIssue(StoredInvitation& stored) const {
  v1::Invitation& shown = *stored.mutable_invitation();
  shown.set_issue(shown.issue() + 1);
  auto link = NewLink({.invitation = shown.name()}, shown.issue());
  if (!link.ok()) return link.status();
  *stored.mutable_link() = *std::move(link);
  return true;
}

absl::StatusOr<std::string> InvitationStore::LinkWhileItHolds(const v1::Invitation& issued) {
  const auto loaded = Load(issued.name());
  if (!loaded.ok()) return loaded.status();
  const StoredInvitation& stored = loaded->stored;
  if (!stored.has_link() || stored.link().issue() != issued.issue()) return "";
  return LinkText({.invitation = issued.name()}, stored.link());
}

absl::StatusOr<std::string> InvitationStore::LinkWhileItHolds(const std::string& invitation, const v1::Colleague& invited) {
  const auto loaded = Load(invitation);
  if (!loaded.ok()) return loaded.status();
  const stored::Link* link = FindLink(loaded->stored, invited.colleague());
  if (link == nullptr) return "";
  // An invitation that takes the place of another counts its colleagues anew.
  if (loaded->stored.colleagues(*Find(loaded->stored, invited.colleague())).colleague().invited_at() != invited.invited_at()) return "";
  return LinkText({.invitation = invitation, .colleague = invited.colleague()}, *link);
}

absl::StatusOr<v1::RevokeInvitationResponse> InvitationStore::Revoke(const v1::RevokeInvitationRequest& request) {
  v1::RevokeInvitationResponse response;
  const absl::Status changed =
      Change({.name = request.name(),
              .change =
                  [&](StoredInvitation& stored, storage::Batch&) {
                    v1::Invitation& shown = *stored.mutable_invitation();
                    if (shown.has_revoked_at()) return false;
                    *shown.mutable_revoked_at() = calendar::ToProto(clock_());
                    shown.set_revocation_reason(request.reason());
                    EndLinks(stored);
                    return true;
                  },
              .request_id = request.request_id(),
              .digest = storage::DigestOf(request),
              .answer = &response,
              .fill = [&](const StoredInvitation&, const v1::Invitation& now) { *response.mutable_invitation() = now; }});
  if (!changed.ok()) return changed;
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

absl::StatusOr<std::string> InvitationStore::Keyed(const std::string& digest) const {
  const auto key = vault_.Derive(vault_.key_id(), kDigestPurpose);
  if (!key.ok()) return key.status();
  std::string keyed(SHA256_DIGEST_LENGTH, '\0');
  if (HMAC(EVP_sha256(), key->data(), static_cast<int>(key->size()), reinterpret_cast<const unsigned char*>(digest.data()), digest.size(),
           reinterpret_cast<unsigned char*>(keyed.data()), nullptr) == nullptr) {
    std::abort();
  }
  return keyed;
}

absl::StatusOr<bool> InvitationStore::AddColleague(const v1::InviteColleagueRequest& request, StoredInvitation& stored) const {
  const std::string& name = stored.invitation().name();
  if (stored.invitation().has_revoked_at()) return Revoked(name);
  const int live = static_cast<int>(std::count_if(stored.colleagues().begin(), stored.colleagues().end(),
                                                  [](const stored::StoredColleague& one) { return one.has_link(); }));
  if (live >= kMaxColleagues || stored.colleagues_size() >= kMaxColleaguesEver) {
    return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_COLLEAGUES",
                         absl::StrCat("there are ", live, " colleagues, ", stored.colleagues_size(), " with those removed; at most ",
                                      kMaxColleagues, " and ", kMaxColleaguesEver, " can be"),
                         {{"invitation", name}});
  }
  const LinkId id{.invitation = name, .colleague = absl::StrCat(stored.colleagues_size() + 1)};
  auto link = NewLink(id, stored.invitation().issue());
  if (!link.ok()) return link.status();
  stored::StoredColleague& added = *stored.add_colleagues();
  *added.mutable_link() = *std::move(link);
  added.set_person(Seal(request.full_name(), request.email(), id.Subject()));
  v1::Colleague& colleague = *added.mutable_colleague();
  colleague.set_colleague(id.colleague);
  const std::set<int32_t> sections(request.sections().begin(), request.sections().end());
  colleague.mutable_sections()->Assign(sections.begin(), sections.end());
  *colleague.mutable_invited_at() = calendar::ToProto(clock_());
  return true;
}

absl::StatusOr<v1::InviteColleagueResponse> InvitationStore::InviteColleague(const v1::InviteColleagueRequest& request,
                                                                             const absl::Status& allowed) {
  const std::string name = InvitationOf(request.response());
  const auto digest = Keyed(storage::DigestOf(request));
  if (!digest.ok()) return digest.status();
  v1::InviteColleagueResponse response;
  const absl::Status changed =
      Change({.name = name,
              .change = [&](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
                if (!allowed.ok()) return allowed;
                return AddColleague(request, stored);
              },
              .request_id = request.request_id(),
              .digest = *digest,
              .answer = &response,
              .fill = [&](const StoredInvitation& stored,
                          const v1::Invitation&) { *response.mutable_colleague() = stored.colleagues().rbegin()->colleague(); }});
  if (!changed.ok()) return changed;
  // No receipt has what is personal.
  response.mutable_colleague()->set_full_name(request.full_name());
  response.mutable_colleague()->set_email(request.email());
  auto link = LinkWhileItHolds(name, response.colleague());
  if (!link.ok()) return link.status();
  response.set_link(*std::move(link));
  return response;
}

absl::StatusOr<v1::Colleague> InvitationStore::Show(const std::string& invitation, const stored::StoredColleague& stored) const {
  v1::Colleague colleague = stored.colleague();
  auto person = Unseal(stored.person(), ColleagueOf(invitation, colleague.colleague()));
  if (!person.ok()) return person.status();
  colleague.set_full_name(person->full_name());
  colleague.set_email(person->email());
  return colleague;
}

absl::StatusOr<v1::ListColleaguesResponse> InvitationStore::ListColleagues(const v1::ListColleaguesRequest& request, bool with_addresses) {
  const std::string name = InvitationOf(request.response());
  const auto loaded = Load(name);
  if (!loaded.ok()) return loaded.status();
  v1::ListColleaguesResponse response;
  for (const stored::StoredColleague& one : loaded->stored.colleagues()) {
    auto colleague = Show(name, one);
    if (!colleague.ok()) return colleague.status();
    if (!with_addresses) colleague->clear_email();
    *response.add_colleagues() = *std::move(colleague);
  }
  return response;
}

absl::StatusOr<v1::RemoveColleagueResponse> InvitationStore::RemoveColleague(const v1::RemoveColleagueRequest& request) {
  const std::string name = InvitationOf(request.response());
  v1::RemoveColleagueResponse response;
  const absl::Status changed = Change({.name = name,
                                       .change = [&](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
                                         const auto at = Find(stored, request.colleague());
                                         if (!at) return ColleagueNotFound(name, request.colleague());
                                         return EndLink(*stored.mutable_colleagues(*at));
                                       },
                                       .request_id = request.request_id(),
                                       .digest = storage::DigestOf(request),
                                       .answer = &response,
                                       .fill =
                                           [&](const StoredInvitation& stored, const v1::Invitation&) {
                                             *response.mutable_colleague() =
                                                 stored.colleagues(*Find(stored, request.colleague())).colleague();
                                           }});
  if (!changed.ok()) return changed;
  // No receipt has what is personal.
  const auto loaded = Load(name);
  if (!loaded.ok()) return loaded.status();
  const auto at = Find(loaded->stored, request.colleague());
  if (!at) return response;
  auto colleague = Show(name, loaded->stored.colleagues(*at));
  if (!colleague.ok()) return colleague.status();
  *response.mutable_colleague() = *std::move(colleague);
  return response;
}

absl::StatusOr<v1::HandOverResponse> InvitationStore::HandOver(const v1::HandOverRequest& request, const absl::Status& allowed) {
  const std::string name = InvitationOf(request.response());
  const auto digest = Keyed(storage::DigestOf(request));
  if (!digest.ok()) return digest.status();
  v1::HandOverResponse response;
  const absl::Status changed =
      Change({.name = name,
              .change = [&](StoredInvitation& stored, storage::Batch&) -> absl::StatusOr<bool> {
                if (!allowed.ok()) return allowed;
                v1::Invitation& shown = *stored.mutable_invitation();
                if (shown.has_revoked_at()) return Revoked(name);
                shown.clear_contact();
                shown.set_handed_over(true);
                stored.set_holder(Seal(request.full_name(), request.email(), HolderOf(name)));
                *stored.mutable_held_since() = calendar::ToProto(clock_());
                return NewIssue(stored);
              },
              .request_id = request.request_id(),
              .digest = *digest,
              .answer = &response,
              .fill = [&](const StoredInvitation&, const v1::Invitation& now) { *response.mutable_invitation() = now; }});
  if (!changed.ok()) return changed;
  return response;
}

absl::Status InvitationStore::ChangeAll(const std::string& wave, const std::function<absl::StatusOr<bool>(StoredInvitation&)>& change) {
  return ForEachStored(wave, [&](Loaded loaded) -> absl::Status {
    // What there is nothing to change about is not read again.
    const auto changes = change(loaded.stored);
    if (!changes.ok()) return changes.status();
    if (!*changes) return absl::OkStatus();
    return Change(
        {.name = loaded.stored.invitation().name(), .change = [&](StoredInvitation& stored, storage::Batch&) { return change(stored); }});
  });
}

absl::Status InvitationStore::EraseHolders(const std::string& wave) {
  return ChangeAll(wave, [this](StoredInvitation& stored) -> absl::StatusOr<bool> {
    bool changed = EndLinks(stored) || !stored.holder().empty();
    stored.clear_holder();
    for (stored::StoredColleague& one : *stored.mutable_colleagues()) {
      changed = changed || !one.person().empty();
      one.clear_person();
    }
    return changed;
  });
}

absl::StatusOr<bool> InvitationStore::Reseal(std::string& sealed, const std::string& whose) const {
  if (sealed.empty() || !vault_.NeedsResealing(sealed)) return false;
  const auto bytes = vault_.Unseal(sealed, whose);
  if (!bytes.ok()) return bytes.status();
  sealed = vault_.Seal(*bytes, whose);
  return true;
}

absl::Status InvitationStore::ResealHolders(const std::string& wave) {
  return ChangeAll(wave, [this](StoredInvitation& stored) -> absl::StatusOr<bool> {
    const std::string& name = stored.invitation().name();
    auto changed = Reseal(*stored.mutable_holder(), HolderOf(name));
    for (stored::StoredColleague& one : *stored.mutable_colleagues()) {
      if (!changed.ok()) return changed;
      const auto resealed = Reseal(*one.mutable_person(), ColleagueOf(name, one.colleague().colleague()));
      if (!resealed.ok()) return resealed;
      *changed = *changed || *resealed;
    }
    return changed;
  });
}

}  // namespace peiling::fieldwork

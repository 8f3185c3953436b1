#include "services/fieldwork/invitations/invitation_documents.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"

namespace peiling::fieldwork {
namespace {

using stored::StoredInvitation;

constexpr char kVersion[] = "invitations";
constexpr size_t kReadAtOnce = 1000;

// Visits documents by key, until `visit` is not OK.
absl::Status ForEachDocument(storage::Store& store, const std::string& partition, const std::string& prefix,
                             const std::function<absl::Status(storage::Document)>& visit) {
  for (std::string after;;) {
    auto documents = store.List(partition, prefix, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    const bool last = documents->size() < kReadAtOnce;
    if (!last) after = documents->back().key;
    for (storage::Document& document : *documents) {
      if (absl::Status visited = visit(std::move(document)); !visited.ok()) return visited;
    }
    if (last) return absl::OkStatus();
  }
}

}  // namespace

std::string InvitationName(const std::string& wave, const std::string& id) { return absl::StrCat(wave, "/invitations/", id); }
std::string InvitationKey(const std::string& name) { return kInvitations + names::LastId(name); }

v1::Invitation AsSeen(const StoredInvitation& stored, uint64_t version) {
  v1::Invitation invitation = stored.invitation();
  invitation.set_state(StateOf(invitation, false));
  invitation.set_etag(absl::StrCat("v", version));
  return invitation;
}

v1::InvitationState StateOf(const v1::Invitation& invitation, bool over) {
  if (invitation.has_revoked_at()) return v1::INVITATION_STATE_REVOKED;
  if (over) return v1::INVITATION_STATE_EXPIRED;
  return invitation.has_opened_at() ? v1::INVITATION_STATE_OPENED : v1::INVITATION_STATE_ISSUED;
}

std::optional<int> FindColleague(const StoredInvitation& stored, const std::string& colleague) {
  for (int i = 0; i < stored.colleagues_size(); ++i) {
    if (stored.colleagues(i).colleague().colleague() == colleague) return i;
  }
  return std::nullopt;
}

const stored::Link* FindLink(const StoredInvitation& stored, const std::string& colleague) {
  if (colleague.empty()) return stored.has_link() ? &stored.link() : nullptr;
  const auto at = FindColleague(stored, colleague);
  return at && stored.colleagues(*at).has_link() ? &stored.colleagues(*at).link() : nullptr;
}

bool Holds(const StoredInvitation& stored, const LinkId& id) {
  const stored::Link* const link = FindLink(stored, id.colleague);
  const bool is_it = link != nullptr && (!id.colleague.empty() || link->issue() == id.issue);
  return is_it && stored.invitation().name() == id.invitation;
}

absl::StatusOr<InvitationDocument> InvitationDocuments::Load(const std::string& name) {
  const auto document = store_.Get(names::WaveOf(name), InvitationKey(name));
  if (!document.ok()) return document.status();
  if (!document->has_value()) {
    return status::Error(absl::StatusCode::kNotFound, "INVITATION_NOT_FOUND", absl::StrCat("no ", name), {{"invitation", name}});
  }
  auto stored = storage::Parse<StoredInvitation>(**document);
  if (!stored.ok()) return stored.status();
  return InvitationDocument{.stored = *std::move(stored), .version = (*document)->version};
}

absl::Status InvitationDocuments::ForEach(const std::string& wave, const std::function<absl::Status(InvitationDocument)>& visit) {
  return ForEachDocument(store_, wave, kInvitations, [&](const storage::Document& document) -> absl::Status {
    auto stored = storage::Parse<StoredInvitation>(document);
    if (!stored.ok()) return stored.status();
    return visit({.stored = *std::move(stored), .version = document.version});
  });
}

absl::StatusOr<WaveDocuments> InvitationDocuments::LoadWave(const std::string& wave) {
  WaveDocuments documents;
  // Before the invitations, so that those they name are there.
  absl::Status read = ForEachDocument(store_, wave, kInvited, [&](storage::Document document) {
    documents.invited[names::LastId(document.key)] = std::move(document);
    return absl::OkStatus();
  });
  if (read.ok()) {
    read = ForEach(wave, [&](InvitationDocument document) {
      const std::string id = names::LastId(document.stored.invitation().name());
      documents.invitations[id] = std::move(document);
      return absl::OkStatus();
    });
  }
  if (!read.ok()) return read;
  return documents;
}

absl::StatusOr<uint64_t> InvitationDocuments::Version(const std::string& wave) {
  const auto document = store_.Get(wave, kVersion);
  if (!document.ok()) return document.status();
  return document->has_value() ? (*document)->version : 0;
}

storage::Write InvitationDocuments::VersionWrite() { return {.key = kVersion, .value = ""}; }

absl::Status InvitationDocuments::TryChange(const InvitationEdit& edit) {
  const std::string wave = names::WaveOf(edit.name);
  if (edit.answer != nullptr) {
    const auto answered = storage::FindReceipt(store_, wave, edit.request_id, edit.digest, *edit.answer);
    if (!answered.ok() || *answered) return answered.status();
  }
  auto document = Load(edit.name);
  if (!document.ok()) return document.status();
  storage::Batch batch{.partition = wave};
  const auto changed = edit.change(document->stored, batch);
  if (!changed.ok()) return changed.status();
  const uint64_t version = document->version + (*changed ? 1 : 0);
  if (edit.answer != nullptr) edit.fill(document->stored, AsSeen(document->stored, version));
  if (!*changed) return store_.Confirm(wave);
  batch.writes.push_back(
      {.key = InvitationKey(edit.name), .value = document->stored.SerializeAsString(), .expected_version = document->version});
  batch.writes.push_back(VersionWrite());
  if (edit.answer != nullptr) batch.writes.push_back(storage::ReceiptWrite(edit.request_id, edit.digest, *edit.answer));
  return store_.Commit(std::move(batch)).status();
}

absl::Status InvitationDocuments::Change(const InvitationEdit& edit) {
  return storage::RetryRaces([&] { return TryChange(edit); });
}

absl::Status InvitationDocuments::ChangeAll(const std::string& wave, const std::function<absl::StatusOr<bool>(StoredInvitation&)>& change) {
  return ForEach(wave, [&](InvitationDocument document) -> absl::Status {
    // What has nothing to change is not read again.
    const auto changes = change(document.stored);
    if (!changes.ok() || !*changes) return changes.status();
    return Change(
        {.name = document.stored.invitation().name(), .change = [&](StoredInvitation& stored, storage::Batch&) { return change(stored); }});
  });
}

}  // namespace peiling::fieldwork

#include "services/intake/drafts/draft_documents.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "google/protobuf/wrappers.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/storage/parse.h"
#include "services/intake/drafts/draft_etag.h"
#include "services/intake/personal_answers.h"

namespace peiling::intake {
namespace {

std::string BytesLeftKey(const std::string& id) { return "draft-bytes/" + id; }

}  // namespace

std::string DraftKey(const std::string& id) { return "draft/" + id; }

std::string DraftChangePrefix(const std::string& id) { return "draft-change/" + id + "/"; }

DraftPlace PlaceOfDraft(const std::string& response, int partitions) {
  DraftPlace place{.wave = names::WaveOf(response), .id = names::LastId(response)};
  place.partition = names::PartitionOf(place.id, partitions);
  place.partition_name = names::PartitionName(place.wave, place.partition);
  return place;
}

absl::StatusOr<std::optional<StoredDraft>> LoadDraft(storage::Store& store, const vault::Vault& vault, const DraftPlace& place) {
  auto documents = store.GetMany(place.partition_name,
                                 {DraftKey(place.id), PersonalKey(place.id), kUnpublishedPrefix + place.id, BytesLeftKey(place.id)});
  if (!documents.ok()) return documents.status();
  const std::optional<storage::Document>&document = (*documents)[0], &personal = (*documents)[1], &mark = (*documents)[2],
        &bytes_left = (*documents)[3];
  if (!document) return std::nullopt;
  absl::StatusOr<v1::Draft> draft = storage::Parse<v1::Draft>(*document);
  if (!draft.ok()) return draft.status();
  draft->set_etag(DraftEtag(document->version));
  StoredDraft stored{.draft = *std::move(draft), .version = document->version, .unpublished_version = mark ? mark->version : 0};
  if (bytes_left) {
    auto bytes = storage::Parse<google::protobuf::UInt64Value>(*bytes_left);
    if (!bytes.ok()) return bytes.status();
    stored.bytes_version = bytes_left->version;
    stored.bytes_left = bytes->value();
  }
  if (!personal) return stored;
  absl::StatusOr<survey::v1::Answers> answers = UnsealPersonal(vault, place.partition_name, *personal);
  if (!answers.ok()) return answers.status();
  stored.personal = *std::move(answers);
  stored.personal_version = personal->version;
  return stored;
}

storage::Write DraftWrite(const std::string& id, const v1::Draft& draft, uint64_t expected_version) {
  return {.key = DraftKey(id), .value = draft.SerializeAsString(), .expected_version = expected_version};
}

storage::Write DraftChangeWrite(const std::string& id, const v1::DraftChange& change) {
  // As wide as any number, so that they sort.
  return {.key = absl::StrFormat("%s%020d", DraftChangePrefix(id), RevisionOf(change.etag())), .value = change.SerializeAsString()};
}

v1::DraftChange MakeDraftChange(v1::DraftChangeKind kind, uint64_t revision, absl::Time now, const std::string& author) {
  v1::DraftChange change;
  change.set_kind(kind);
  change.set_etag(DraftEtag(revision));
  *change.mutable_changed_at() = calendar::ToProto(now);
  change.set_changed_by(author);
  return change;
}

storage::Write BytesLeftWrite(const std::string& id, const StoredDraft& stored, size_t more) {
  google::protobuf::UInt64Value bytes;
  bytes.set_value(stored.bytes_left + more);
  return {.key = BytesLeftKey(id), .value = bytes.SerializeAsString(), .expected_version = stored.bytes_version};
}

storage::Write UnpublishedWrite(const std::string& id) { return {.key = kUnpublishedPrefix + id, .value = ""}; }

storage::Write PublishedWrite(const std::string& id, uint64_t unpublished_version) {
  return {.key = kUnpublishedPrefix + id, .value = std::nullopt, .expected_version = unpublished_version};
}

absl::StatusOr<std::vector<storage::Write>> ErasureWrites(storage::Store& store, const std::string& partition_name, const std::string& id,
                                                          const std::string& author, const std::string& reason, absl::Time now) {
  auto document = store.Get(partition_name, DraftKey(id));
  if (!document.ok()) return document.status();
  if (!document->has_value()) return std::vector<storage::Write>();
  absl::StatusOr<v1::Draft> draft = storage::Parse<v1::Draft>(**document);
  if (!draft.ok()) return draft.status();
  const uint64_t version = (*document)->version;
  v1::DraftChange change = MakeDraftChange(v1::DRAFT_CHANGE_KIND_ERASED, version + 1, now, author);
  change.set_reason(reason);
  *draft->mutable_updated_at() = change.changed_at();
  return std::vector<storage::Write>{DraftWrite(id, *draft, version), DraftChangeWrite(id, change)};
}

}  // namespace peiling::intake

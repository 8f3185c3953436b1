// Drafts as they are stored, in the partition of their response:
//   draft/<id>                    the draft (a serialised Draft) without personal answers; its version is the draft's revision,
//   personal/<id>                 its personal answers, as those of any response (personal_answers.h),
//   draft-change/<id>/<revision>  its history (a serialised DraftChange), one for each revision that changed answers or the state,
//   draft-bytes/<id>              how many bytes (a UInt64Value) its saves and steps left for ever: history, receipts, events,
//   unpublished/<id>              there as long as the submission feed does not have the draft as it is.
// Every change is one commit that also leaves the request's receipt. Without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::intake {

// Where a draft is kept.
struct DraftPlace {
  // "surveys/s/waves/w".
  std::string wave;
  // Of the wave, from 0, and as the store calls it.
  int partition = 0;
  std::string partition_name;
  // Last part of the response's name.
  std::string id;
};

// Of a response of a wave with so many partitions.
DraftPlace PlaceOfDraft(const std::string& response, int partitions);

struct StoredDraft {
  // With its etag.
  v1::Draft draft;
  survey::v1::Answers personal;
  // Versions of the documents; 0: there is none.
  uint64_t version = 0;
  uint64_t personal_version = 0;
  uint64_t unpublished_version = 0;
  uint64_t bytes_version = 0;
  // What it left so far.
  uint64_t bytes_left = 0;
};

inline constexpr char kUnpublishedPrefix[] = "unpublished/";

std::string DraftKey(const std::string& id);
// What the keys of its history begin with.
std::string DraftChangePrefix(const std::string& id);

// nullopt when there is none. DATA_LOSS/STORAGE_CORRUPT, the vault's and the store's errors.
absl::StatusOr<std::optional<StoredDraft>> LoadDraft(storage::Store& store, const vault::Vault& vault, const DraftPlace& place);

// The draft, in place of the version it had; 0: new.
storage::Write DraftWrite(const std::string& id, const v1::Draft& draft, uint64_t expected_version);
// An entry of its history; its etag says which.
storage::Write DraftChangeWrite(const std::string& id, const v1::DraftChange& change);
// An entry without answers.
v1::DraftChange MakeDraftChange(v1::DraftChangeKind kind, uint64_t revision, absl::Time now, const std::string& author);
// That so many bytes more are left.
storage::Write BytesLeftWrite(const std::string& id, const StoredDraft& stored, size_t more);
// That the feed does not have it as it is, and that it has (again) what was read with this mark.
storage::Write UnpublishedWrite(const std::string& id);
storage::Write PublishedWrite(const std::string& id, uint64_t unpublished_version);

// For who erases the personal answers of a response: the writes that say so in the draft and its history, to be committed together with
// that; none when the response is no draft. The writes expect the draft as it was read: a lost race is to be tried again.
absl::StatusOr<std::vector<storage::Write>> ErasureWrites(storage::Store& store, const std::string& partition_name, const std::string& id,
                                                          const std::string& author, const std::string& reason, absl::Time now);

}  // namespace peiling::intake

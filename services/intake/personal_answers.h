// Personal answers as they are stored: apart from all others, sealed, under personal/<id> in the partition of their response. Responses and
// drafts keep them in the same place. Once those of a wave are erased, each of its partitions holds the document "erased", and takes in no
// more of them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/survey/v1/answers.pb.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::intake {

inline constexpr char kPersonalPrefix[] = "personal/";
inline constexpr char kErasedKey[] = "erased";

// Where those of a response are kept.
std::string PersonalKey(const std::string& id);

// The document's value. `partition`: the store's.
std::string SealPersonal(const vault::Vault& vault, const std::string& partition, const std::string& id,
                         const survey::v1::Answers& personal);

// What stands in a document of the vault's that may be from before there were keys: that is not sealed until it is sealed anew
// (resealer.h).
absl::StatusOr<std::string> UnsealOld(const vault::Vault& vault, const std::string& partition, const storage::Document& document);
// Of a document of PersonalKey. The vault's errors; DATA_LOSS/STORAGE_CORRUPT.
absl::StatusOr<survey::v1::Answers> UnsealPersonal(const vault::Vault& vault, const std::string& partition,
                                                   const storage::Document& document);

// What stays of personal answers that were erased, until some are given anew: that they were, and for whom the response stands.
void KeepErasure(const v1::Response& before, const survey::v1::Answers& personal, v1::Response& response);

// Every batch that puts personal answers into a partition needs this: it fails with ABORTED/CONCURRENT_CHANGE when those of the wave are
// erased by now, which CheckNotErased then tells from other lost races. Calling it again changes nothing.
void ExpectNotErased(storage::Batch& batch);
// FAILED_PRECONDITION/PERSONAL_DATA_ERASED.
absl::Status CheckNotErased(storage::Store& store, const std::string& partition);

}  // namespace peiling::intake

// Personal answers as they are stored: apart from all others, sealed, under personal/<id> in the partition of their response. Responses and
// drafts keep them in the same place.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "peiling/survey/v1/answers.pb.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"

namespace peiling::intake {

// Where those of a response are kept.
std::string PersonalKey(const std::string& id);

// The document's value. `partition`: the store's.
std::string SealPersonal(const vault::Vault& vault, const std::string& partition, const std::string& id,
                         const survey::v1::Answers& personal);

// Of a document of PersonalKey. The vault's errors; DATA_LOSS/STORAGE_CORRUPT.
absl::StatusOr<survey::v1::Answers> UnsealPersonal(const vault::Vault& vault, const std::string& partition,
                                                   const storage::Document& document);

}  // namespace peiling::intake

#include "services/intake/personal_answers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::intake {

std::string PersonalKey(const std::string& id) { return kPersonalPrefix + id; }

std::string SealPersonal(const vault::Vault& vault, const std::string& partition, const std::string& id,
                         const survey::v1::Answers& personal) {
  return vault.Seal(personal.SerializeAsString(), vault::ContextOf(partition, PersonalKey(id)));
}

absl::StatusOr<std::string> UnsealOld(const vault::Vault& vault, const std::string& partition, const storage::Document& document) {
  if (!vault::Vault::IsSealed(document.value)) return document.value;
  return vault.Unseal(document.value, vault::ContextOf(partition, document.key));
}

absl::StatusOr<survey::v1::Answers> UnsealPersonal(const vault::Vault& vault, const std::string& partition,
                                                   const storage::Document& document) {
  const absl::StatusOr<std::string> opened = UnsealOld(vault, partition, document);
  if (!opened.ok()) return opened.status();
  survey::v1::Answers personal;
  if (!personal.ParseFromString(*opened)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", document.key, " cannot be read"));
  }
  return personal;
}

void KeepErasure(const v1::Response& before, const survey::v1::Answers& personal, v1::Response& response) {
  if (!before.has_personal_erased_at() || !personal.answers().empty()) return;
  *response.mutable_personal_erased_at() = before.personal_erased_at();
  response.set_respondent_key(before.respondent_key());
}

void ExpectNotErased(storage::Batch& batch) {
  const std::pair<std::string, uint64_t> not_erased(kErasedKey, 0);
  if (std::find(batch.expectations.begin(), batch.expectations.end(), not_erased) == batch.expectations.end()) {
    batch.expectations.push_back(not_erased);
  }
}

absl::Status CheckNotErased(storage::Store& store, const std::string& partition) {
  auto erased = store.Get(partition, kErasedKey);
  if (!erased.ok()) return erased.status();
  if (!erased->has_value()) return absl::OkStatus();
  if (absl::Status confirmed = store.Confirm(partition); !confirmed.ok()) return confirmed;
  return status::Error(absl::StatusCode::kFailedPrecondition, "PERSONAL_DATA_ERASED",
                       "De persoonsgegevens van deze peiling zijn gewist; er komen er geen meer bij.");
}

}  // namespace peiling::intake

#include "services/fieldwork/mail/suppression_list.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"

namespace peiling::fieldwork {
namespace {

constexpr char kPrefix[] = "suppression/";

std::string KeyOf(const std::string& token) { return absl::StrCat(kPrefix, token); }

v1::Suppression Make(const std::string& token, v1::SuppressionReason reason, const std::string& caller, const std::string& message,
                     absl::Time now) {
  v1::Suppression suppression;
  suppression.set_name(absl::StrCat("suppressions/", token));
  suppression.set_reason(reason);
  *suppression.mutable_created_at() = calendar::ToProto(now);
  suppression.set_created_by(caller);
  suppression.set_message(message);
  return suppression;
}

}  // namespace

absl::Status SuppressionList::Prepare(v1::Suppression& suppression, storage::Batch& batch) {
  const std::string key = KeyOf(names::LastId(suppression.name()));
  const auto document = store_.Get(kPartition, key);
  if (!document.ok()) return document.status();
  if (!document->has_value()) {
    batch.writes.push_back({.key = key, .value = suppression.SerializeAsString(), .expected_version = 0});
    batch.events.push_back(suppression.name());
    return absl::OkStatus();
  }
  auto known = storage::Parse<v1::Suppression>(**document);
  if (!known.ok()) return known.status();
  suppression = *std::move(known);
  batch.expectations.emplace_back(key, (*document)->version);
  return absl::OkStatus();
}

absl::StatusOr<v1::Suppression> SuppressionList::Add(const std::string& token, v1::SuppressionReason reason, const std::string& caller,
                                                     const std::string& message) {
  v1::Suppression suppression = Make(token, reason, caller, message, clock_());
  const absl::Status added = storage::RetryRaces([&]() -> absl::Status {
    storage::Batch batch{.partition = kPartition};
    if (absl::Status prepared = Prepare(suppression, batch); !prepared.ok()) return prepared;
    if (batch.writes.empty()) return store_.Confirm(kPartition);
    return store_.Commit(std::move(batch)).status();
  });
  if (!added.ok()) return added;
  return suppression;
}

absl::StatusOr<std::vector<bool>> SuppressionList::Contains(const std::vector<std::string>& tokens) {
  if (tokens.empty()) return std::vector<bool>();
  std::vector<std::string> keys;
  keys.reserve(tokens.size());
  for (const std::string& token : tokens) keys.push_back(KeyOf(token));
  const auto documents = store_.GetMany(kPartition, keys);
  if (!documents.ok()) return documents.status();
  std::vector<bool> there;
  there.reserve(documents->size());
  for (const auto& document : *documents) there.push_back(document.has_value());
  return there;
}

absl::StatusOr<std::vector<bool>> SuppressionList::ContainsAddresses(const std::vector<std::string>& addresses) {
  std::vector<std::string> tokens;
  tokens.reserve(addresses.size());
  for (const std::string& address : addresses) {
    auto token = contacts_.AddressToken(address);
    if (!token.ok()) return token.status();
    tokens.push_back(*std::move(token));
  }
  return Contains(tokens);
}

absl::StatusOr<uint64_t> SuppressionList::Count() { return store_.Count(kPartition, kPrefix); }

absl::StatusOr<v1::ListSuppressionsResponse> SuppressionList::List(const v1::ListSuppressionsRequest& request, const paging::Page& page) {
  auto documents = store_.List(kPartition, kPrefix, page.after, static_cast<size_t>(page.size) + 1);
  if (!documents.ok()) return documents.status();
  v1::ListSuppressionsResponse response;
  for (const storage::Document& document : *documents) {
    if (response.suppressions_size() == page.size) {
      response.set_next_page_token(paging::NextPageToken(request, KeyOf(names::LastId(response.suppressions(page.size - 1).name()))));
      break;
    }
    auto suppression = storage::Parse<v1::Suppression>(document);
    if (!suppression.ok()) return suppression.status();
    *response.add_suppressions() = *std::move(suppression);
  }
  return response;
}

absl::StatusOr<v1::Suppression> SuppressionList::Find(const std::string& address) {
  const auto token = contacts_.AddressToken(address);
  if (!token.ok()) return token.status();
  const auto document = store_.Get(kPartition, KeyOf(*token));
  if (!document.ok()) return document.status();
  if (!document->has_value()) {
    return status::Error(absl::StatusCode::kNotFound, "SUPPRESSION_NOT_FOUND", "mail goes to that address");
  }
  return storage::Parse<v1::Suppression>(**document);
}

absl::StatusOr<v1::CreateSuppressionResponse> SuppressionList::Create(const v1::CreateSuppressionRequest& request,
                                                                      const std::string& caller) {
  const auto token = contacts_.AddressToken(request.address());
  if (!token.ok()) return token.status();
  // The address itself is left out of the digest: it is not to be guessed from the store.
  v1::CreateSuppressionRequest content = request;
  content.set_address(*token);
  const std::string digest = storage::DigestOf(content);
  const v1::SuppressionReason reason =
      request.reason() == v1::SUPPRESSION_REASON_UNSPECIFIED ? v1::SUPPRESSION_REASON_MANUAL : request.reason();
  v1::CreateSuppressionResponse response;
  const absl::Status created = storage::RetryRaces([&]() -> absl::Status {
    const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
    if (!answered.ok() || *answered) return answered.status();
    *response.mutable_suppression() = Make(*token, reason, caller, "", clock_());
    storage::Batch batch{.partition = kPartition};
    if (absl::Status prepared = Prepare(*response.mutable_suppression(), batch); !prepared.ok()) return prepared;
    batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
    return store_.Commit(std::move(batch)).status();
  });
  if (!created.ok()) return created;
  return response;
}

absl::Status SuppressionList::TryDelete(const v1::DeleteSuppressionRequest& request) {
  const std::string digest = storage::DigestOf(request);
  v1::DeleteSuppressionResponse response;
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok() || *answered) return answered.status();
  const std::string key = KeyOf(names::LastId(request.name()));
  const auto document = store_.Get(kPartition, key);
  if (!document.ok()) return document.status();
  if (!document->has_value()) {
    return status::Error(absl::StatusCode::kNotFound, "SUPPRESSION_NOT_FOUND", absl::StrCat("no ", request.name()),
                         {{"suppression", request.name()}});
  }
  storage::Batch batch{.partition = kPartition, .events = {request.name()}};
  batch.writes.push_back({.key = key, .value = std::nullopt, .expected_version = (*document)->version});
  batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
  return store_.Commit(std::move(batch)).status();
}

absl::Status SuppressionList::Delete(const v1::DeleteSuppressionRequest& request) {
  return storage::RetryRaces([&] { return TryDelete(request); });
}

}  // namespace peiling::fieldwork

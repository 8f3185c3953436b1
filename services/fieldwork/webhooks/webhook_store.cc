#include "services/fieldwork/webhooks/webhook_store.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "services/common/identity/key_secret.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"

namespace peiling::fieldwork {
namespace {

using absl::StatusCode;
using calendar::ToProto;

constexpr char kWebhooks[] = "webhook/";
constexpr char kDue[] = "due/";
constexpr size_t kReadAtOnce = 1000;
// Deliveries looked at for one page, so that a rare state does not hold the call.
constexpr size_t kMaxScanned = 10'000;

std::string WebhookKey(const std::string& id) { return absl::StrCat(kWebhooks, id); }
std::string SecretKey(const std::string& id) { return absl::StrCat(WebhookStore::kSecrets, id); }
std::string DeliveryPrefix(const std::string& id) { return absl::StrCat("delivery/", id, "/"); }
std::string BodyPrefix(const std::string& id) { return absl::StrCat("body/", id, "/"); }
std::string ToldPrefix(const std::string& id) { return absl::StrCat("told/", id, "/"); }
std::string DuePrefix(const std::string& id) { return absl::StrCat(kDue, id, "/"); }
std::string DueKey(const std::string& id, absl::Time at, const std::string& event) {
  return absl::StrFormat("%s%020d/%s", DuePrefix(id), absl::ToUnixMicros(at), event);
}
// Sorts after all of a webhook's.
std::string EndOfDue(const std::string& id) { return DuePrefix(id) + "~"; }

// Id of the webhook a delivery belongs to: of "webhooks/5f2c/deliveries/018c…".
std::string WebhookOf(const std::string& delivery) { return names::Match(delivery, "webhooks/*/deliveries/*")->front(); }

// Where a delivery is kept, by its name.
std::string DeliveryKey(const std::string& delivery) { return DeliveryPrefix(WebhookOf(delivery)) + names::LastId(delivery); }
std::string BodyKey(const std::string& delivery) { return BodyPrefix(WebhookOf(delivery)) + names::LastId(delivery); }
std::string DueKeyOf(const v1::WebhookDelivery& delivery) {
  return DueKey(WebhookOf(delivery.name()), calendar::FromProto(delivery.next_attempt_at()), names::LastId(delivery.name()));
}

std::string Etag(uint64_t version) { return absl::StrCat("v", version); }

absl::Status NotFound(const std::string& name) {
  return status::Error(StatusCode::kNotFound, "WEBHOOK_NOT_FOUND", absl::StrCat("\"", name, "\" does not exist"), {{"name", name}});
}

// Up to what was told; of what cannot be read, nothing.
int64_t NumberOf(const storage::Document& told) {
  int64_t number = 0;
  return absl::SimpleAtoi(told.value, &number) ? number : 0;
}

std::string SecretContext(const std::string& id) { return vault::ContextOf(WebhookStore::kPartition, SecretKey(id)); }

}  // namespace

struct WebhookStore::Secret {
  // Seconds since 1970; 0: it is the present one.
  int64_t ends = 0;
  std::string text;
};

struct WebhookStore::Stored {
  v1::Webhook webhook;
  uint64_t version = 0;
};

absl::StatusOr<WebhookStore::Stored> WebhookStore::Find(const std::string& name) {
  auto document = store_.Get(kPartition, WebhookKey(names::LastId(name)));
  if (!document.ok()) return document.status();
  if (!document->has_value()) return NotFound(name);
  auto webhook = storage::Parse<v1::Webhook>(**document);
  if (!webhook.ok()) return webhook.status();
  webhook->set_etag(Etag((*document)->version));
  return Stored{*std::move(webhook), (*document)->version};
}

absl::StatusOr<std::vector<WebhookStore::Secret>> WebhookStore::SecretsOf(const std::string& id, uint64_t* version) {
  auto document = store_.Get(kPartition, SecretKey(id));
  if (!document.ok()) return document.status();
  if (!document->has_value()) return NotFound(absl::StrCat("webhooks/", id));
  if (version != nullptr) *version = (*document)->version;
  const auto lines = vault_.Unseal((*document)->value, SecretContext(id));
  if (!lines.ok()) return lines.status();
  std::vector<Secret> secrets;
  for (const absl::string_view line : absl::StrSplit(*lines, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    int64_t ends = 0;
    if (absl::SimpleAtoi(parts.first, &ends) && (ends == 0 || absl::FromUnixSeconds(ends) > clock_()))
      secrets.push_back({ends, parts.second});
  }
  // Nothing is sent without a signature.
  if (secrets.empty()) return status::Error(StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("webhooks/", id, " has no secret"));
  return secrets;
}

storage::Write WebhookStore::SecretWrite(const std::string& id, const std::vector<Secret>& secrets, uint64_t version) const {
  std::string lines;
  for (const auto& [ends, text] : secrets) absl::StrAppend(&lines, ends, " ", text, "\n");
  return {.key = SecretKey(id), .value = vault_.Seal(lines, SecretContext(id)), .expected_version = version};
}

absl::Status WebhookStore::TryCreate(const v1::CreateWebhookRequest& request, const std::string& digest, const v1::Webhook& webhook,
                                     const std::string& secret, v1::CreateWebhookResponse& response) {
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok() || *answered) return answered.status();
  const auto count = store_.Count(kPartition, kWebhooks);
  if (!count.ok()) return count.status();
  if (*count >= kMostWebhooks) {
    return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_WEBHOOKS",
                         absl::StrCat("there are ", *count, " webhooks; delete those nobody uses"));
  }
  *response.mutable_webhook() = webhook;
  response.mutable_webhook()->set_etag(Etag(1));
  const std::string id = names::LastId(webhook.name());
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back({.key = WebhookKey(id), .value = webhook.SerializeAsString(), .expected_version = 0});
  batch.writes.push_back(SecretWrite(id, {{0, secret}}, 0));
  batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<v1::CreateWebhookResponse> WebhookStore::Create(const v1::CreateWebhookRequest& request, const std::string& caller) {
  const absl::Time now = clock_();
  v1::Webhook webhook = request.webhook();
  webhook.set_name(absl::StrFormat("webhooks/%012x-%s", absl::ToUnixMillis(now), identity::NewKeyId()));
  *webhook.mutable_created_at() = ToProto(now);
  webhook.set_created_by(caller);
  const std::string secret = NewWebhookSecret();
  v1::CreateWebhookResponse response;
  const std::string digest = storage::DigestOf(request);
  const absl::Status created = storage::RetryRaces([&] { return TryCreate(request, digest, webhook, secret, response); });
  if (!created.ok()) return created;
  // No receipt has it.
  if (response.webhook().name() == webhook.name()) response.set_secret(secret);
  return response;
}

absl::Status WebhookStore::CountDeliveries(v1::Webhook& webhook) {
  const std::string prefix = DeliveryPrefix(names::LastId(webhook.name()));
  for (std::string after;;) {
    const auto page = store_.List(kPartition, prefix, after, kReadAtOnce);
    if (!page.ok()) return page.status();
    for (const storage::Document& document : *page) {
      const auto delivery = storage::Parse<v1::WebhookDelivery>(document);
      if (!delivery.ok()) return delivery.status();
      if (delivery->state() == v1::DELIVERY_STATE_DEAD) {
        webhook.set_dead(webhook.dead() + 1);
      } else {
        webhook.set_waiting(webhook.waiting() + 1);
      }
    }
    if (page->size() < kReadAtOnce) return absl::OkStatus();
    after = page->back().key;
  }
}

absl::StatusOr<v1::Webhook> WebhookStore::Get(const std::string& name) {
  auto stored = Find(name);
  if (!stored.ok()) return stored.status();
  if (const absl::Status counted = CountDeliveries(stored->webhook); !counted.ok()) return counted;
  return std::move(stored->webhook);
}

absl::StatusOr<std::vector<v1::Webhook>> WebhookStore::All() {
  const auto documents = store_.List(kPartition, kWebhooks, "", kMostWebhooks);
  if (!documents.ok()) return documents.status();
  std::vector<v1::Webhook> webhooks;
  for (const storage::Document& document : *documents) {
    auto webhook = storage::Parse<v1::Webhook>(document);
    if (!webhook.ok()) {
      // The others are told all the same.
      log::Error("a webhook cannot be read", {{"document", document.key}});
      continue;
    }
    webhook->set_etag(Etag(document.version));
    webhooks.push_back(*std::move(webhook));
  }
  return webhooks;
}

absl::StatusOr<v1::ListWebhooksResponse> WebhookStore::List(const v1::ListWebhooksRequest& request, const paging::Page& page) {
  auto webhooks = All();
  if (!webhooks.ok()) return webhooks.status();
  v1::ListWebhooksResponse response;
  for (v1::Webhook& webhook : *webhooks) {
    if (webhook.name() <= page.after) continue;
    if (response.webhooks_size() == page.size) {
      response.set_next_page_token(paging::NextPageToken(request, response.webhooks(page.size - 1).name()));
      break;
    }
    if (const absl::Status counted = CountDeliveries(webhook); !counted.ok()) return counted;
    *response.add_webhooks() = std::move(webhook);
  }
  return response;
}

absl::Status WebhookStore::DeleteAll(const std::string& prefix) {
  while (true) {
    const auto page = store_.List(kPartition, prefix, "", kReadAtOnce);
    if (!page.ok()) return page.status();
    if (page->empty()) return absl::OkStatus();
    storage::Batch batch{.partition = kPartition};
    for (const storage::Document& document : *page) batch.writes.push_back({.key = document.key, .value = std::nullopt});
    if (const absl::Status deleted = store_.Commit(std::move(batch)).status(); !deleted.ok()) return deleted;
  }
}

absl::Status WebhookStore::Delete(const v1::DeleteWebhookRequest& request) {
  const std::string digest = storage::DigestOf(request);
  v1::DeleteWebhookResponse response;
  const std::string id = names::LastId(request.name());
  const absl::Status deleted = storage::RetryRaces([&]() -> absl::Status {
    const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
    if (!answered.ok() || *answered) return answered.status();
    const auto stored = Find(request.name());
    if (!stored.ok()) return stored.status();
    storage::Batch batch{.partition = kPartition};
    batch.writes.push_back({.key = WebhookKey(id), .value = std::nullopt, .expected_version = stored->version});
    batch.writes.push_back({.key = SecretKey(id), .value = std::nullopt});
    batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
    return store_.Commit(std::move(batch)).status();
  });
  if (!deleted.ok()) return deleted;
  // Without their webhook these are nothing any more; what is left when this fails is taken away by a repeat.
  for (const std::string& prefix : {DuePrefix(id), DeliveryPrefix(id), BodyPrefix(id), ToldPrefix(id)}) {
    if (const absl::Status gone = DeleteAll(prefix); !gone.ok()) return gone;
  }
  return absl::OkStatus();
}

absl::Status WebhookStore::TryRotate(const v1::RotateWebhookSecretRequest& request, const std::string& digest, const std::string& secret,
                                     v1::RotateWebhookSecretResponse& response) {
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok() || *answered) return answered.status();
  const std::string id = names::LastId(request.name());
  auto stored = Find(request.name());
  if (!stored.ok()) return stored.status();
  uint64_t version = 0;
  auto secrets = SecretsOf(id, &version);
  if (!secrets.ok()) return secrets.status();
  if (secrets->size() >= kMostSecrets) {
    return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_SECRETS",
                         absl::StrCat(secrets->size(), " secrets sign already; the oldest ends within a day"), {{"name", request.name()}});
  }
  secrets->front().ends = absl::ToUnixSeconds(clock_() + kSecretOverlap);
  secrets->insert(secrets->begin(), Secret{0, secret});
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back(SecretWrite(id, *secrets, version));
  batch.writes.push_back({.key = WebhookKey(id), .value = stored->webhook.SerializeAsString(), .expected_version = stored->version});
  *response.mutable_webhook() = stored->webhook;
  response.mutable_webhook()->set_etag(Etag(stored->version + 1));
  batch.writes.push_back(storage::ReceiptWrite(request.request_id(), digest, response));
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<v1::RotateWebhookSecretResponse> WebhookStore::Rotate(const v1::RotateWebhookSecretRequest& request) {
  const std::string secret = NewWebhookSecret();
  const std::string digest = storage::DigestOf(request);
  v1::RotateWebhookSecretResponse response;
  const absl::Status rotated = storage::RetryRaces([&] { return TryRotate(request, digest, secret, response); });
  if (!rotated.ok()) return rotated;
  const auto secrets = SecretsOf(names::LastId(request.name()));
  if (!secrets.ok()) return secrets.status();
  // Of a repeat it is not told again.
  if (secrets->front().text == secret) response.set_secret(secret);
  return response;
}

absl::StatusOr<v1::ListWebhookDeliveriesResponse> WebhookStore::ListDeliveries(const v1::ListWebhookDeliveriesRequest& request,
                                                                               const paging::Page& page) {
  if (const auto stored = Find(request.parent()); !stored.ok()) return stored.status();
  const std::string prefix = DeliveryPrefix(names::LastId(request.parent()));
  v1::ListWebhookDeliveriesResponse response;
  std::string after = page.after;
  for (size_t scanned = 0; scanned < kMaxScanned; scanned += kReadAtOnce) {
    const auto documents = store_.List(kPartition, prefix, after, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      if (response.deliveries_size() == page.size) {
        response.set_next_page_token(paging::NextPageToken(request, after));
        return response;
      }
      after = document.key;
      auto delivery = storage::Parse<v1::WebhookDelivery>(document);
      if (!delivery.ok()) return delivery.status();
      const bool wanted = request.state() == v1::DELIVERY_STATE_UNSPECIFIED || delivery->state() == request.state();
      if (wanted) *response.add_deliveries() = *std::move(delivery);
    }
    if (documents->size() < kReadAtOnce) return response;
  }
  response.set_next_page_token(paging::NextPageToken(request, after));
  return response;
}

absl::StatusOr<bool> WebhookStore::TryRedeliver(const std::string& key) {
  const auto document = store_.Get(kPartition, key);
  if (!document.ok()) return document.status();
  if (!document->has_value()) return false;
  auto delivery = storage::Parse<v1::WebhookDelivery>(**document);
  if (!delivery.ok()) return delivery.status();
  if (delivery->state() != v1::DELIVERY_STATE_DEAD) return false;
  delivery->set_state(v1::DELIVERY_STATE_WAITING);
  delivery->set_attempts(0);
  *delivery->mutable_next_attempt_at() = ToProto(clock_());
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back({.key = key, .value = delivery->SerializeAsString(), .expected_version = (*document)->version});
  batch.writes.push_back({.key = DueKeyOf(*delivery), .value = ""});
  if (const absl::Status committed = store_.Commit(std::move(batch)).status(); !committed.ok()) return committed;
  return true;
}

absl::StatusOr<v1::RedeliverWebhookResponse> WebhookStore::Redeliver(const v1::RedeliverWebhookRequest& request) {
  if (const auto stored = Find(request.name()); !stored.ok()) return stored.status();
  v1::RedeliverWebhookResponse response;
  const std::string digest = storage::DigestOf(request);
  const auto answered = storage::FindReceipt(store_, kPartition, request.request_id(), digest, response);
  if (!answered.ok()) return answered.status();
  if (*answered) return response;
  std::vector<std::string> keys;
  for (const std::string& name : request.deliveries()) keys.push_back(DeliveryKey(name));
  const std::string prefix = DeliveryPrefix(names::LastId(request.name()));
  for (std::string after; request.deliveries().empty();) {
    const auto page = store_.List(kPartition, prefix, after, kReadAtOnce);
    if (!page.ok()) return page.status();
    for (const storage::Document& document : *page) keys.push_back(document.key);
    if (page->size() < kReadAtOnce) break;
    after = page->back().key;
  }
  for (const std::string& key : keys) {
    absl::StatusOr<bool> again = false;
    const absl::Status tried = storage::RetryRaces([&] {
      again = TryRedeliver(key);
      return again.status();
    });
    if (!tried.ok()) return tried;
    if (*again) response.set_redelivered(response.redelivered() + 1);
  }
  // What a crash before this left undone, a repeat does.
  storage::Batch batch{.partition = kPartition, .writes = {storage::ReceiptWrite(request.request_id(), digest, response)}};
  if (const absl::Status committed = store_.Commit(std::move(batch)).status(); !committed.ok() && !absl::IsAborted(committed)) {
    return committed;
  }
  return response;
}

absl::StatusOr<std::vector<std::pair<std::string, int64_t>>> WebhookStore::Told(const v1::Webhook& webhook) {
  const std::string prefix = ToldPrefix(names::LastId(webhook.name()));
  std::vector<std::pair<std::string, int64_t>> told;
  for (std::string after;;) {
    const auto page = store_.List(kPartition, prefix, after, kReadAtOnce);
    if (!page.ok()) return page.status();
    for (const storage::Document& document : *page) told.emplace_back(document.key.substr(prefix.size()), NumberOf(document));
    if (page->size() < kReadAtOnce) return told;
    after = page->back().key;
  }
}

absl::Status WebhookStore::Tell(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what, int64_t value) {
  const std::string id = names::LastId(webhook.name());
  v1::WebhookDelivery delivery;
  delivery.set_event_id(EventId(event));
  delivery.set_name(absl::StrCat(webhook.name(), "/deliveries/", delivery.event_id()));
  delivery.set_event_type(event.type);
  delivery.set_state(v1::DELIVERY_STATE_WAITING);
  *delivery.mutable_created_at() = ToProto(event.time);
  *delivery.mutable_next_attempt_at() = ToProto(clock_());
  const std::string told_key = absl::StrCat(ToldPrefix(id), event.wave, "|", what);
  return storage::RetryRaces([&]() -> absl::Status {
    const auto found = store_.GetMany(kPartition, {told_key, WebhookKey(id)});
    if (!found.ok()) return found.status();
    const auto& told = (*found)[0];
    const auto& stored = (*found)[1];
    if (!stored || (told && NumberOf(*told) >= value)) return absl::OkStatus();
    storage::Batch batch{.partition = kPartition, .expectations = {{WebhookKey(id), stored->version}}};
    batch.writes.push_back({.key = told_key, .value = absl::StrCat(value), .expected_version = told ? told->version : 0});
    batch.writes.push_back({.key = DeliveryKey(delivery.name()), .value = delivery.SerializeAsString()});
    batch.writes.push_back({.key = BodyKey(delivery.name()), .value = CloudEvent(event, source_)});
    batch.writes.push_back({.key = DueKeyOf(delivery), .value = ""});
    return store_.Commit(std::move(batch)).status();
  });
}

// Nullopt when it is not due any more: its webhook is gone, or it cannot be read and never will be.
absl::StatusOr<std::optional<DueDelivery>> WebhookStore::TryTake(const storage::Document& due, absl::Duration hold) {
  const std::vector<std::string> parts = absl::StrSplit(due.key, '/');
  const std::string& id = parts[1];
  const std::string name = absl::StrCat("webhooks/", id, "/deliveries/", parts[3]);
  const auto found = store_.GetMany(kPartition, {DeliveryKey(name), BodyKey(name), WebhookKey(id)});
  if (!found.ok()) return found.status();
  const auto& [delivery, body, webhook] = std::tie((*found)[0], (*found)[1], (*found)[2]);
  DueDelivery taken{.secrets = std::vector<std::string>()};
  const bool whole = delivery && body && webhook;
  const bool readable = whole && taken.delivery.ParseFromString(delivery->value) && taken.webhook.ParseFromString(webhook->value);
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back({.key = due.key, .value = std::nullopt, .expected_version = due.version});
  if (!readable) {
    if (whole) log::Error("a webhook's delivery cannot be read, and is not tried any more", {{"delivery", name}});
    if (const absl::Status dropped = store_.Commit(std::move(batch)).status(); !dropped.ok()) return dropped;
    return std::nullopt;
  }

  taken.body = body->value;
  const auto secrets = SecretsOf(id);
  if (absl::IsUnavailable(secrets.status())) return secrets.status();
  if (secrets.ok()) {
    for (const Secret& secret : *secrets) taken.secrets->push_back(secret.text);
  } else {
    taken.secrets = secrets.status();
  }
  taken.delivery.set_attempts(taken.delivery.attempts() + 1);
  // Whoever takes it and dies leaves it due again.
  *taken.delivery.mutable_next_attempt_at() = ToProto(clock_() + hold);
  batch.writes.push_back({.key = delivery->key, .value = taken.delivery.SerializeAsString(), .expected_version = delivery->version});
  batch.writes.push_back({.key = DueKeyOf(taken.delivery), .value = ""});
  if (const absl::Status committed = store_.Commit(std::move(batch)).status(); !committed.ok()) return committed;
  return std::make_optional(std::move(taken));
}

absl::StatusOr<std::optional<DueDelivery>> WebhookStore::TakeBetween(const std::string& after, const std::string& last, absl::Duration hold,
                                                                     const std::function<bool(const std::string& id)>& may) {
  for (std::string from = after.empty() ? "" : EndOfDue(after);;) {
    // The earliest of the next webhook something waits for.
    const auto due = store_.List(kPartition, kDue, from, 1);
    if (!due.ok()) return due.status();
    if (due->empty()) return std::nullopt;
    const std::string& key = due->front().key;
    const std::string id =
        key.substr(std::string_view(kDue).size(), key.find('/', std::string_view(kDue).size()) - std::string_view(kDue).size());
    if (!last.empty() && id > last) return std::nullopt;
    if (!may(id) || key > DueKey(id, clock_(), "~")) {
      from = EndOfDue(id);
      continue;
    }
    // When somebody else was faster it looks once more.
    auto taken = TryTake(due->front(), hold);
    if (!absl::IsAborted(taken.status()) && (!taken.ok() || *taken)) return taken;
  }
}

absl::StatusOr<std::optional<DueDelivery>> WebhookStore::Take(absl::Duration hold, const std::string& after,
                                                              const std::function<bool(const std::string& id)>& may) {
  auto taken = TakeBetween(after, "", hold, may);
  if (!taken.ok() || *taken || after.empty()) return taken;
  return TakeBetween("", after, hold, may);
}

absl::Status WebhookStore::Delivered(const DueDelivery& taken) {
  const std::string& name = taken.delivery.name();
  storage::Batch batch{.partition = kPartition};
  for (const std::string& key : {DeliveryKey(name), BodyKey(name), DueKeyOf(taken.delivery)}) {
    batch.writes.push_back({.key = key, .value = std::nullopt});
  }
  if (const absl::Status committed = store_.Commit(std::move(batch)).status(); !committed.ok()) return committed;
  return storage::RetryRaces([&]() -> absl::Status {
    auto stored = Find(taken.webhook.name());
    if (absl::IsNotFound(stored.status())) return absl::OkStatus();
    if (!stored.ok()) return stored.status();
    *stored->webhook.mutable_last_delivered_at() = ToProto(clock_());
    storage::Batch note{.partition = kPartition};
    note.writes.push_back({.key = WebhookKey(names::LastId(taken.webhook.name())),
                           .value = stored->webhook.SerializeAsString(),
                           .expected_version = stored->version});
    return store_.Commit(std::move(note)).status();
  });
}

absl::Status WebhookStore::Failed(const DueDelivery& taken, int http_status, const std::string& error, std::optional<absl::Time> again) {
  const std::string key = DeliveryKey(taken.delivery.name());
  return storage::RetryRaces([&]() -> absl::Status {
    const auto document = store_.Get(kPartition, key);
    if (!document.ok()) return document.status();
    if (!document->has_value() || (*document)->value != taken.delivery.SerializeAsString()) return absl::OkStatus();
    v1::WebhookDelivery delivery = taken.delivery;
    delivery.set_last_status(http_status);
    delivery.set_last_error(error);
    storage::Batch batch{.partition = kPartition};
    batch.writes.push_back({.key = DueKeyOf(taken.delivery), .value = std::nullopt});
    if (again) {
      *delivery.mutable_next_attempt_at() = ToProto(*again);
      batch.writes.push_back({.key = DueKeyOf(delivery), .value = ""});
    } else {
      delivery.clear_next_attempt_at();
      delivery.set_state(v1::DELIVERY_STATE_DEAD);
    }
    batch.writes.push_back({.key = key, .value = delivery.SerializeAsString(), .expected_version = (*document)->version});
    return store_.Commit(std::move(batch)).status();
  });
}

}  // namespace peiling::fieldwork

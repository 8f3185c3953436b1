// Webhooks and their deliveries as they are stored, in partition "webhooks":
//   webhook/<id>                     v1::Webhook; ids grow with time
//   secret/<id>                      its secrets, sealed: lines "<seconds since 1970 when it ends, or 0> <secret>", the present one first;
//   delivery/<id>/<event id>         v1::WebhookDelivery;
//   body/<id>/<event id>             what is sent;
//   due/<id>/<microseconds>/<event id>
//                                    waiting deliveries by when they are tried next;
//   told/<id>/<wave>|<what>          up to what a webhook was told of (see Tell), a number;
//   receipt/<…>
// Replicas may share the store.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/webhooks/webhook_event.h"

namespace peiling::fieldwork {

// A delivery whose turn it is. Whoever has it tries it, and nobody else for a while.
struct DueDelivery {
  v1::Webhook webhook;
  v1::WebhookDelivery delivery;
  std::string body;
  // The present one first; or why they cannot be had, so that it cannot be signed.
  absl::StatusOr<std::vector<std::string>> secrets;
};

// Thread-safe. Requests were checked. Errors of the store and the vault come beside those named, and ABORTED/CONCURRENT_CHANGE after too
// many lost races.
class WebhookStore {
 public:
  static constexpr char kPartition[] = "webhooks";
  // What keys of documents begin with that are sealed whole.
  static constexpr char kSecrets[] = "secret/";
  static constexpr size_t kMostWebhooks = 100;
  // After so long a replaced secret signs no more.
  static constexpr absl::Duration kSecretOverlap = absl::Hours(24);
  // Most secrets that sign at a time.
  static constexpr size_t kMostSecrets = 10;

  // All must outlive it. `source`: CloudEvents' source.
  WebhookStore(storage::Store& store, const vault::Vault& vault, std::string source, calendar::Clock clock)
      : store_(store), vault_(vault), source_(std::move(source)), clock_(std::move(clock)) {}

  // --- For the RPCs. NOT_FOUND/WEBHOOK_NOT_FOUND where one is named. ---

  // RESOURCE_EXHAUSTED/TOO_MANY_WEBHOOKS. `caller`: subject of who asks.
  absl::StatusOr<v1::CreateWebhookResponse> Create(const v1::CreateWebhookRequest& request, const std::string& caller);
  absl::StatusOr<v1::Webhook> Get(const std::string& name);
  absl::StatusOr<v1::ListWebhooksResponse> List(const v1::ListWebhooksRequest& request, const paging::Page& page);
  absl::Status Delete(const v1::DeleteWebhookRequest& request);
  // RESOURCE_EXHAUSTED/TOO_MANY_SECRETS.
  absl::StatusOr<v1::RotateWebhookSecretResponse> Rotate(const v1::RotateWebhookSecretRequest& request);
  absl::StatusOr<v1::ListWebhookDeliveriesResponse> ListDeliveries(const v1::ListWebhookDeliveriesRequest& request,
                                                                   const paging::Page& page);
  absl::StatusOr<v1::RedeliverWebhookResponse> Redeliver(const v1::RedeliverWebhookRequest& request);

  // --- For who tells ---

  // All webhooks that can be read, without the numbers of their deliveries.
  absl::StatusOr<std::vector<v1::Webhook>> All();
  // Up to what a webhook was told of, by "<wave>|<what>".
  absl::StatusOr<std::vector<std::pair<std::string, int64_t>>> Told(const v1::Webhook& webhook);
  // Puts an event on its way to a webhook and remembers that `what` is told up to `value`; nothing when it was told so far already, by
  // whatever replica, or the webhook is no more. So who lags behind tells nothing that was.
  absl::Status Tell(const v1::Webhook& webhook, const WebhookEvent& event, const std::string& what, int64_t value);

  // --- For who sends ---

  // The next delivery whose time has come, taken for `hold`, of a webhook that `may` says yes to by its id; looked for from the webhook
  // after `after` on and around. nullopt when there is none.
  absl::StatusOr<std::optional<DueDelivery>> Take(absl::Duration hold, const std::string& after,
                                                  const std::function<bool(const std::string& id)>& may);
  // It arrived.
  absl::Status Delivered(const DueDelivery& taken);
  // It did not; it is tried again at `again`, or given up when that is absent. Nothing when somebody else has it by now.
  absl::Status Failed(const DueDelivery& taken, int http_status, const std::string& error, std::optional<absl::Time> again);

 private:
  struct Stored;

  absl::StatusOr<Stored> Find(const std::string& name);
  struct Secret;
  // Those that sign, the present one first.
  absl::StatusOr<std::vector<Secret>> SecretsOf(const std::string& id, uint64_t* version = nullptr);
  storage::Write SecretWrite(const std::string& id, const std::vector<Secret>& secrets, uint64_t version) const;
  absl::Status CountDeliveries(v1::Webhook& webhook);
  absl::Status DeleteAll(const std::string& prefix);
  // One try of each.
  absl::Status TryCreate(const v1::CreateWebhookRequest& request, const std::string& digest, const v1::Webhook& webhook,
                         const std::string& secret, v1::CreateWebhookResponse& response);
  absl::Status TryRotate(const v1::RotateWebhookSecretRequest& request, const std::string& digest, const std::string& secret,
                         v1::RotateWebhookSecretResponse& response);
  absl::StatusOr<bool> TryRedeliver(const std::string& key);
  absl::StatusOr<std::optional<DueDelivery>> TryTake(const storage::Document& due, absl::Duration hold);
  // Take, of webhooks after `after` up to `last` ("": all).
  absl::StatusOr<std::optional<DueDelivery>> TakeBetween(const std::string& after, const std::string& last, absl::Duration hold,
                                                         const std::function<bool(const std::string& id)>& may);

  storage::Store& store_;
  const vault::Vault& vault_;
  const std::string source_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork

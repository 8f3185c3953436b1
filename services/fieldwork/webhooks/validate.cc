#include "services/fieldwork/webhooks/validate.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/requests/checks.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

using status::BadRequest;

constexpr char kWebhook[] = "webhooks/*";
constexpr size_t kMaxTitle = 200;
constexpr int kMaxDeliveries = 1000;

void CheckEventTypes(const v1::Webhook& webhook, BadRequest& bad) {
  if (webhook.event_types().empty()) bad.Add("webhook.event_types", "want at least one");
  std::set<int> types;
  for (int i = 0; i < webhook.event_types_size(); ++i) {
    const v1::WebhookEventType type = webhook.event_types(i);
    const std::string field = absl::StrCat("webhook.event_types[", i, "]");
    if (!v1::WebhookEventType_IsValid(type) || type == v1::WEBHOOK_EVENT_TYPE_UNSPECIFIED) bad.Add(field, "is no type of event");
    if (!types.insert(type).second) bad.Add(field, "is there twice");
  }
}

template <typename Request>
absl::Status ValidateWrite(const Request& request) {
  BadRequest bad;
  names::Require("name", request.name(), kWebhook, bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

}  // namespace

absl::Status Validate(const v1::CreateWebhookRequest& request, const AllowedNetworks& allowed) {
  BadRequest bad;
  const v1::Webhook& webhook = request.webhook();
  requests::RequireText("webhook.title", webhook.title(), kMaxTitle, bad);
  if (const std::string problem = UrlProblem(webhook.url(), allowed); !problem.empty()) bad.Add("webhook.url", problem);
  CheckEventTypes(webhook, bad);
  const std::string& resource = webhook.resource();
  if (!resource.empty() && !names::Match(resource, "surveys/*") && !names::Match(resource, "surveys/*/waves/*")) {
    bad.Add("webhook.resource", absl::StrCat("\"", resource, "\", want surveys/S, surveys/S/waves/W or nothing"));
  }
  requests::RequireUnset("webhook.name", !webhook.name().empty(), bad);
  requests::RequireUnset("webhook.created_at", webhook.has_created_at(), bad);
  requests::RequireUnset("webhook.created_by", !webhook.created_by().empty(), bad);
  requests::RequireUnset("webhook.waiting", webhook.waiting() != 0, bad);
  requests::RequireUnset("webhook.dead", webhook.dead() != 0, bad);
  requests::RequireUnset("webhook.last_delivered_at", webhook.has_last_delivered_at(), bad);
  requests::RequireUnset("webhook.etag", !webhook.etag().empty(), bad);
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetWebhookRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kWebhook, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListWebhooksRequest& request, paging::Page& page) {
  BadRequest bad;
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::DeleteWebhookRequest& request) { return ValidateWrite(request); }

absl::Status Validate(const v1::RotateWebhookSecretRequest& request) { return ValidateWrite(request); }

absl::Status Validate(const v1::ListWebhookDeliveriesRequest& request, paging::Page& page) {
  BadRequest bad;
  names::Require("parent", request.parent(), kWebhook, bad);
  if (!v1::DeliveryState_IsValid(request.state())) bad.Add("state", "is no state of a delivery");
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::RedeliverWebhookRequest& request) {
  BadRequest bad;
  names::Require("name", request.name(), kWebhook, bad);
  if (request.deliveries_size() > kMaxDeliveries) {
    bad.Add("deliveries", absl::StrCat(request.deliveries_size(), " deliveries, want at most ", kMaxDeliveries));
  }
  for (int i = 0; i < request.deliveries_size(); ++i) {
    if (names::Match(request.deliveries(i), "webhooks/*/deliveries/*") && request.deliveries(i).starts_with(request.name() + "/")) continue;
    bad.Add(absl::StrCat("deliveries[", i, "]"), absl::StrCat("\"", request.deliveries(i), "\", want one of ", request.name()));
  }
  requests::RequireRequestId(request.request_id(), bad);
  return bad.ToStatus();
}

}  // namespace peiling::fieldwork

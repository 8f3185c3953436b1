// What webhooks tell, as it goes over the wire: CloudEvents 1.0 (structured JSON, NL GOV profile), signed as Standard Webhooks 1.0 has it
// (https://www.standardwebhooks.com). Without personal data. Thread-safe, without state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"

namespace peiling::fieldwork {

// Something that happened.
struct WebhookEvent {
  v1::WebhookEventType type = v1::WEBHOOK_EVENT_TYPE_UNSPECIFIED;
  // "surveys/s/waves/w"
  std::string wave;
  absl::Time time;
  // Of RESPONSE_SUBMITTED.
  std::string response;
  std::vector<std::string> municipalities;
  // Of WAVE_EXTENDED.
  absl::Time closes_at;
  int extensions = 0;
};

// The same for the same event, whoever tells it and however often. Ids sort by time.
std::string EventId(const WebhookEvent& event);
// "nl.vng.peiling.response.submitted.v1".
std::string EventTypeName(v1::WebhookEventType type);
// The body. `source`: who sends it, "urn:nld:oin:00000001234567890000:systeem:peiling".
std::string CloudEvent(const WebhookEvent& event, std::string_view source);

// A new secret, "whsec_" and base64 of 32 random bytes.
std::string NewWebhookSecret();
// Value of "webhook-signature" for each of the secrets, separated by spaces: "v1," and base64 of HMAC-SHA-256 over "id.timestamp.body".
// `timestamp`: seconds since 1970.
std::string Signatures(const std::vector<std::string>& secrets, std::string_view id, int64_t timestamp, std::string_view body);

}  // namespace peiling::fieldwork

#include "services/fieldwork/webhooks/webhook_event.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "services/common/hmac/hmac.h"

namespace peiling::fieldwork {
namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr size_t kSecretBytes = 32;

std::string Rfc3339(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

void Put(Writer& writer, const char* key, std::string_view text) {
  writer.Key(key);
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void PutData(Writer& writer, const WebhookEvent& event) {
  writer.StartObject();
  Put(writer, "wave", event.wave);
  switch (event.type) {
    case v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED:
      Put(writer, "response", event.response);
      writer.Key("municipalities");
      writer.StartArray();
      for (const std::string& code : event.municipalities) writer.String(code.c_str());
      writer.EndArray();
      Put(writer, "submittedAt", Rfc3339(event.time));
      break;
    case v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED:
      Put(writer, "closedAt", Rfc3339(event.time));
      break;
    case v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED:
      Put(writer, "closesAt", Rfc3339(event.closes_at));
      writer.Key("extensions");
      writer.Int(event.extensions);
      break;
    default:
      break;
  }
  writer.EndObject();
}

std::string Base64(std::string_view bytes) { return absl::Base64Escape({bytes.data(), bytes.size()}); }

// The bytes of a secret.
std::string KeyOf(const std::string& secret) {
  std::string key;
  // Only what NewWebhookSecret made is stored.
  if (!absl::Base64Unescape(secret.substr(kSecretPrefix.size()), &key)) std::abort();
  return key;
}

}  // namespace

std::string EventTypeName(v1::WebhookEventType type) {
  switch (type) {
    case v1::WEBHOOK_EVENT_TYPE_RESPONSE_SUBMITTED:
      return "nl.vng.peiling.response.submitted.v1";
    case v1::WEBHOOK_EVENT_TYPE_WAVE_CLOSED:
      return "nl.vng.peiling.wave.closed.v1";
    case v1::WEBHOOK_EVENT_TYPE_WAVE_EXTENDED:
      return "nl.vng.peiling.wave.extended.v1";
    default:
      return "";
  }
}

std::string EventId(const WebhookEvent& event) {
  const std::string what = absl::StrCat(EventTypeName(event.type), "\n", event.wave, "\n", event.response, "\n",
                                        absl::ToUnixMicros(event.time), "\n", event.extensions);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(what.data()), what.size(), digest);
  const std::string hex = absl::BytesToHexString({reinterpret_cast<const char*>(digest), 12});
  return absl::StrFormat("%012x-%s", absl::ToUnixMillis(event.time), hex);
}

std::string CloudEvent(const WebhookEvent& event, std::string_view source) {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.StartObject();
  Put(writer, "specversion", "1.0");
  Put(writer, "id", EventId(event));
  Put(writer, "source", source);
  Put(writer, "type", EventTypeName(event.type));
  Put(writer, "subject", event.response.empty() ? event.wave : event.response);
  Put(writer, "time", Rfc3339(event.time));
  Put(writer, "datacontenttype", "application/json");
  writer.Key("data");
  PutData(writer, event);
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string NewWebhookSecret() {
  unsigned char bytes[kSecretBytes];
  // Without randomness there are no secrets, and no way to go on.
  if (RAND_bytes(bytes, sizeof bytes) != 1) std::abort();
  return absl::StrCat(std::string(kSecretPrefix), Base64({reinterpret_cast<const char*>(bytes), sizeof bytes}));
}

std::string Signatures(const std::vector<std::string>& secrets, std::string_view id, int64_t timestamp, std::string_view body) {
  const std::string content = absl::StrCat(std::string(id), ".", timestamp, ".", std::string(body));
  return absl::StrJoin(secrets, " ", [&](std::string* out, const std::string& secret) {
    absl::StrAppend(out, "v1,", Base64(hmac::Sha256(KeyOf(secret), content)));
  });
}

}  // namespace peiling::fieldwork

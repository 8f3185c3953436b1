#include "services/common/storage/redis_reply.h"

#include <charconv>
#include <utility>

#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

using Next = RedisOutcome::Next;

struct Meaning {
  std::string_view prefix;
  absl::StatusCode code;
  std::string_view reason;
  Next next;
};

// The errors of Redis that mean something to us, by how they begin. All but the last few say that nothing was executed.
constexpr Meaning kMeanings[] = {
    {"NOSCRIPT", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kSendWhole},
    {"READONLY", absl::StatusCode::kUnavailable, "STORAGE_READ_ONLY", Next::kTryAgain},
    {"LOADING", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
    {"MASTERDOWN", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
    {"TRYAGAIN", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
    {"BUSY", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kTryAgain},
    {"NOREPLICAS", absl::StatusCode::kUnavailable, "STORAGE_NOT_REPLICATED", Next::kFinal},
    {"OOM", absl::StatusCode::kResourceExhausted, "STORAGE_FULL", Next::kFinal},
    {"NOAUTH", absl::StatusCode::kUnavailable, "STORAGE_ACCESS", Next::kFinal},
    {"WRONGPASS", absl::StatusCode::kUnavailable, "STORAGE_ACCESS", Next::kFinal},
    {"NOPERM", absl::StatusCode::kUnavailable, "STORAGE_ACCESS", Next::kFinal},
    {"ERR max number of clients", absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", Next::kFinal},
    {"WRONGTYPE", absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", Next::kFinal},
    {"CORRUPT", absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", Next::kFinal},
};

bool BeginsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

RedisOutcome OfError(std::string_view text) {
  const std::string message = "Redis says: " + std::string(text);
  const auto error = [&](absl::StatusCode code, std::string_view reason) { return status::Error(code, reason, message); };
  if (BeginsWith(text, "MOVED ") || BeginsWith(text, "ASK ")) {
    RedisOutcome outcome = RedisOutcome::Failed(error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE"), Next::kTryAgain);
    if (const auto endpoint = ParseRedisEndpoint(text.substr(text.rfind(' ') + 1))) {
      outcome.next = Next::kRedirected;
      outcome.redirect = {*endpoint, BeginsWith(text, "ASK ")};
    }
    return outcome;
  }
  if (BeginsWith(text, "MISCONF")) {
    const bool full = text.find("No space left") != std::string_view::npos;
    return RedisOutcome::Failed(
        full ? error(absl::StatusCode::kResourceExhausted, "STORAGE_FULL") : error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE"),
        Next::kFinal);
  }
  for (const Meaning& meaning : kMeanings) {
    if (BeginsWith(text, meaning.prefix)) return RedisOutcome::Failed(error(meaning.code, meaning.reason), meaning.next);
  }
  return RedisOutcome::Failed(error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE"), Next::kFinal);
}

}  // namespace

bool IsError(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }

std::string_view Text(const redisReply& reply) {
  const bool has_text = reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS || IsError(reply);
  return has_text ? std::string_view(reply.str, reply.len) : std::string_view();
}

int64_t ToNumber(std::string_view text) {
  int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int64_t Number(const redisReply& reply) { return reply.type == REDIS_REPLY_INTEGER ? reply.integer : ToNumber(Text(reply)); }

size_t Size(const redisReply& reply) { return reply.type == REDIS_REPLY_ARRAY ? reply.elements : 0; }

const redisReply& At(const redisReply& reply, size_t index) { return *reply.element[index]; }

RedisOutcome RedisOutcome::Of(RedisReply reply) {
  if (IsError(*reply)) return OfError(Text(*reply));
  return {absl::OkStatus(), std::move(reply), Next::kFinal, {}};
}

absl::Status RedisError(absl::StatusCode code, std::string_view reason, const std::string& server, std::string_view message) {
  return status::Error(code, reason, "Redis " + server + ": " + std::string(message), {{"server", server}});
}

std::optional<RedisEndpoint> ParseRedisEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  int port = 0;
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (port <= 0 || port > 65535) return std::nullopt;
  return RedisEndpoint{std::string(text.substr(0, colon)), port};
}

}  // namespace peiling::storage

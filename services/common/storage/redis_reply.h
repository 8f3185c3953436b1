// What a Redis server answered, and what its errors mean. Private to this library.
#pragma once

#include <hiredis/hiredis.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/common/storage/redis_address.h"

namespace peiling::storage {

struct FreeRedisReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisReply = std::unique_ptr<redisReply, FreeRedisReply>;

bool IsError(const redisReply& reply);
// The bytes of a string, status or error; "" for anything else.
std::string_view Text(const redisReply& reply);
// An integer, or a string of digits; 0 for anything else, nil among it.
int64_t Number(const redisReply& reply);
// The number a text begins with, 0 when it begins with none.
int64_t ToNumber(std::string_view text);
// Elements of an array; 0 for anything else.
size_t Size(const redisReply& reply);
const redisReply& At(const redisReply& reply, size_t index);

// Where a Cluster says that a slot is.
struct RedisRedirect {
  RedisEndpoint endpoint;
  // Only this command, after ASKING: the slot is under way to there.
  bool ask = false;
};

// What became of a command that was sent, or was to be.
struct RedisOutcome {
  enum class Next {
    // The answer, or an error that stands. After an error of the network the command may have been executed.
    kFinal,
    // Was not executed; may be, when tried again in a while, there or elsewhere.
    kTryAgain,
    // Was not executed; is to be tried at `redirect`.
    kRedirected,
    // Was not executed: the server does not know the script's digest, or another write of a transaction was refused. Is to be sent again,
    // with the whole script and by itself.
    kSendWhole,
  };
  // OK: `reply` is there and no error.
  absl::Status status;
  RedisReply reply;
  Next next = Next::kFinal;
  RedisRedirect redirect;

  static RedisOutcome Of(RedisReply reply);
  static RedisOutcome Failed(absl::Status status, Next next) { return {std::move(status), nullptr, next, {}}; }
};

// Errors of this library, all with the server they are about. Reasons: STORAGE_UNAVAILABLE, STORAGE_ACCESS, STORAGE_READ_ONLY, …
absl::Status RedisError(absl::StatusCode code, std::string_view reason, const std::string& server, std::string_view message);

// "host:port" as Redis writes it.
std::optional<RedisEndpoint> ParseRedisEndpoint(std::string_view text);

}  // namespace peiling::storage

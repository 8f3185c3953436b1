// One connection to a Redis server, over TCP or TLS: commands go out in a pipeline, their replies come back. Private to this library.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/common/storage/redis_address.h"
#include "services/common/storage/redis_reply.h"
#include "services/common/storage/redis_tls.h"

namespace peiling::storage {

using RedisCommand = std::vector<std::string_view>;
using RedisDeadline = std::chrono::steady_clock::time_point;

// Not thread-safe. After an error it is broken for good: the reply to an old command could be taken for that to a new one.
class RedisConnection {
 public:
  // UNAVAILABLE/STORAGE_UNAVAILABLE when nobody answers in time, STORAGE_ACCESS when TLS does not come about.
  static absl::StatusOr<std::unique_ptr<RedisConnection>> Connect(const RedisAddress& address, const RedisEndpoint& endpoint,
                                                                  RedisDeadline deadline);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // Adds a command to what Exchange sends.
  void Append(const RedisCommand& command);
  // Sends what was appended and waits for all replies; errors of the server are replies. UNAVAILABLE when they did not come: then it is
  // not known what was executed.
  absl::StatusOr<std::vector<RedisReply>> Exchange(RedisDeadline deadline);

  // False after an error, and when the server has closed it meanwhile.
  bool usable() const;
  const RedisEndpoint& endpoint() const { return endpoint_; }
  std::chrono::steady_clock::time_point created() const { return created_; }

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };

  RedisConnection(RedisEndpoint endpoint, int descriptor);
  absl::Status StartTls(const RedisAddress& address, RedisDeadline deadline);
  // Sends and receives until `done`, which is asked after everything received.
  absl::Status Transfer(const std::function<absl::StatusOr<bool>()>& done, RedisDeadline deadline);
  absl::Status SendSome();
  absl::Status ReceiveSome();
  absl::StatusOr<bool> TakeReplies(std::vector<RedisReply>& replies);
  absl::Status Broken(std::string_view why);

  const RedisEndpoint endpoint_;
  const std::chrono::steady_clock::time_point created_ = std::chrono::steady_clock::now();
  const int descriptor_;
  std::unique_ptr<TlsSession> tls_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::string appended_;  // Commands, before TLS.
  size_t pending_ = 0;    // Commands appended and not answered.
  std::string outgoing_;  // For the network, from `sent_` on.
  size_t sent_ = 0;
  bool broken_ = false;
};

}  // namespace peiling::storage

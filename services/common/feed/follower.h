// Following another service's feed: a thread that watches, applies, and after any break resumes where it was.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace peiling::feed {

// Runs `session` again and again until stopped, with exponential backoff (100 ms to 5 s, jittered) between two sessions. The backoff starts
// over once a session has called `healthy`.
class Retrier {
 public:
  // `session` gets a context to make its call with (cancelled by Stop) and returns when the call ends.
  using Session = std::function<absl::Status(grpc::ClientContext& context, const std::function<void()>& healthy)>;

  // `name` for logs, e.g. "submissions surveys/s/waves/w".
  Retrier(std::string name, Session session);
  ~Retrier();  // Stops.
  Retrier(const Retrier&) = delete;
  Retrier& operator=(const Retrier&) = delete;

  void Start();
  // Cancels the call under way and waits for the thread. May be called twice, not by the session.
  void Stop();

 private:
  void Run();
  absl::Status RunSession(bool& healthy);

  const std::string name_;
  const Session session_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  grpc::ClientContext* context_ = nullptr;
  std::thread thread_;
};

// The most that WatchSession reads ahead of `apply`.
constexpr size_t kMaxBatch = 256;
constexpr size_t kMaxBatchBytes = 8 << 20;

// A session that opens a watch and hands what arrives to `apply` until the stream ends or `apply` fails. Reading goes on while `apply`
// works: it gets, in order, everything that has arrived meanwhile (one message or more, at most kMaxBatch), so that a consumer can make
// one commit of it. `apply` may move the messages away. What stood before a break is applied before the session ends.
template <typename Response>
Retrier::Session WatchSession(std::function<std::unique_ptr<grpc::ClientReaderInterface<Response>>(grpc::ClientContext*)> open,
                              std::function<absl::Status(std::vector<Response>&)> apply);

}  // namespace peiling::feed

#include "services/common/feed/follower.inl.h"

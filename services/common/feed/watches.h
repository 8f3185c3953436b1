// Watches as calls that hold no thread of gRPC's, of which there are few: each has a thread of its own, which mostly sleeps until its feed
// grows, and a queue towards the client. That thread may block in the store; gRPC's callback threads may not.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "grpcpp/support/server_callback.h"
#include "services/common/feed/serve.h"
#include "services/common/status/errors.h"
#include "services/common/storage/store.h"

namespace peiling::feed {

// The client's end of a watch. All but the reactions are called by the watch's own thread.
template <typename Message>
class WatchStream final : public grpc::ServerWriteReactor<Message> {
 public:
  // Sends a message after those before; waits while kMaxBytes are under way to a client that does not read. False when the client is gone.
  bool Write(Message message);
  // Whether the client is gone, or ran out of time.
  bool cancelled();
  // Ends the call once everything written has gone; as CANCELLED when the client is gone. The stream is not to be used afterwards.
  void End(const absl::Status& status);

 private:
  // A single message is let in whatever its size.
  static constexpr size_t kMaxBytes = 1 << 20;
  struct Outgoing {
    Message message;
    size_t bytes;
  };

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

  std::mutex mutex_;
  std::condition_variable changed_;
  // The first is being sent.
  std::deque<Outgoing> messages_;
  size_t bytes_ = 0;
  bool gone_ = false;
  std::optional<grpc::Status> end_;
};

// The watches of a service. Thread-safe.
class Watches {
 public:
  // At most so many at a time. A thread that waits takes some 20 KiB.
  explicit Watches(int most) : most_(most) {}
  // Waits for the last; interrupt the store before.
  ~Watches();
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  // The reactor of a call that `serve` writes, whose status ends it. `serve` may outlive the handler, and must hold what it needs of the
  // request. The call ends with RESOURCE_EXHAUSTED/TOO_MANY_WATCHERS when there are too many.
  template <typename Message>
  grpc::ServerWriteReactor<Message>* Start(std::function<absl::Status(WatchStream<Message>&)> serve);

 private:
  // Runs `watch` in a thread.
  absl::Status Run(std::function<void()> watch);

  const int most_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;
};

// Serves a feed of `store` as a watch (see Serve). `fill` reads an event into a message of the stream; false when it cannot, which ends the
// watch as DATA_LOSS/STORAGE_CORRUPT. `reaches` as in Sink.
template <typename Message>
absl::Status ServeTo(WatchStream<Message>& stream, storage::Store& store, const std::string& partition, uint64_t after_sequence,
                     const std::function<bool(const storage::FeedEvent&, Message&)>& fill,
                     const std::function<void(uint64_t sequence)>& reaches);

template <typename Message>
bool WatchStream<Message>::Write(Message message) {
  const size_t bytes = message.ByteSizeLong();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return gone_ || messages_.empty() || bytes_ + bytes <= kMaxBytes; });
  if (gone_) return false;
  messages_.push_back({std::move(message), bytes});
  bytes_ += bytes;
  const bool idle = messages_.size() == 1;
  const Message* next = &messages_.front().message;
  lock.unlock();
  if (idle) this->StartWrite(next);
  return true;
}

template <typename Message>
bool WatchStream<Message>::cancelled() {
  const std::lock_guard lock(mutex_);
  return gone_;
}

template <typename Message>
void WatchStream<Message>::End(const absl::Status& status) {
  std::unique_lock lock(mutex_);
  end_ = gone_ ? grpc::Status::CANCELLED : status::ToGrpc(status);
  // Else the last write ends it.
  if (!messages_.empty()) return;
  const grpc::Status end = *end_;
  lock.unlock();
  this->Finish(end);
}

template <typename Message>
void WatchStream<Message>::OnWriteDone(bool ok) {
  std::unique_lock lock(mutex_);
  gone_ = gone_ || !ok;
  bytes_ -= messages_.front().bytes;
  messages_.pop_front();
  if (gone_) messages_.clear();
  const Message* next = messages_.empty() ? nullptr : &messages_.front().message;
  const std::optional<grpc::Status> end = next == nullptr ? end_ : std::nullopt;
  changed_.notify_all();
  lock.unlock();
  if (next != nullptr) this->StartWrite(next);
  if (end) this->Finish(*end);
}

template <typename Message>
void WatchStream<Message>::OnCancel() {
  const std::lock_guard lock(mutex_);
  gone_ = true;
  changed_.notify_all();
}

template <typename Message>
grpc::ServerWriteReactor<Message>* Watches::Start(std::function<absl::Status(WatchStream<Message>&)> serve) {
  auto* stream = new WatchStream<Message>;
  const absl::Status running = Run([stream, serve = std::move(serve)] { stream->End(serve(*stream)); });
  if (!running.ok()) stream->End(running);
  return stream;
}

template <typename Message>
absl::Status ServeTo(WatchStream<Message>& stream, storage::Store& store, const std::string& partition, uint64_t after_sequence,
                     const std::function<bool(const storage::FeedEvent&, Message&)>& fill,
                     const std::function<void(uint64_t sequence)>& reaches) {
  bool readable = true;
  const Sink sink{.event =
                      [&](const storage::FeedEvent& event) {
                        Message message;
                        readable = fill(event, message);
                        return readable && stream.Write(std::move(message));
                      },
                  .caught_up =
                      [&](uint64_t sequence) {
                        Message message;
                        message.mutable_caught_up()->set_sequence(sequence);
                        return stream.Write(std::move(message));
                      },
                  .cancelled = [&] { return stream.cancelled(); },
                  .reaches = reaches};
  const absl::Status status = Serve(store, partition, after_sequence, sink);
  return readable ? status : status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", "an event of the feed cannot be read");
}

}  // namespace peiling::feed

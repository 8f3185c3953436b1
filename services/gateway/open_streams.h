// Streams may go on for days, so a caller who was let in once must be looked at again.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "peiling/access/v1/identity.pb.h"
#include "services/gateway/identity/authenticator.h"

namespace peiling::gateway {

// Looks twice a second at who has them open. Thread-safe.
class OpenStreams {
 public:
  // The authenticator must outlive it.
  explicit OpenStreams(const Authenticator& authenticator);
  // All streams are removed before.
  ~OpenStreams();
  OpenStreams(const OpenStreams&) = delete;
  OpenStreams& operator=(const OpenStreams&) = delete;

  // Calls `withdrawn` at most once, on a thread of its own, when the caller's credential holds no longer; it must not block. `stream` is
  // what the stream is told by; the caller outlives its removal.
  void Add(const void* stream, const access::v1::Identity& caller, std::function<void()> withdrawn);
  // From its return on nothing is called, unless it is called from within. Waits for a call under way, which must not wait for this one.
  // Does nothing when the stream was never added.
  void Remove(const void* stream);

 private:
  struct Stream {
    const access::v1::Identity* caller;
    std::function<void()> withdrawn;
  };

  void Run();
  // Unlocks the mutex meanwhile.
  void Call(const void* stream, std::unique_lock<std::mutex>& lock);

  const Authenticator& authenticator_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<const void*, Stream> streams_;
  // The one that is being called.
  const void* called_ = nullptr;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::gateway

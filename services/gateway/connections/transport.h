// One connection as bytes, whatever carries them.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace peiling::gateway {

// All on one thread, on which what it is given is called, never from within the call that gives it. Dispatch and Post alone may be called
// from anywhere.
class Transport {
 public:
  virtual ~Transport() = default;

  // Reads at least one byte; `ok` is false when no more will come. One at a time.
  virtual void Read(char* to, size_t size, std::function<void(bool ok, size_t bytes)> done) = 0;
  // Writes both parts whole; they must stay as they are until `done`. One at a time.
  virtual void Write(std::string_view first, std::string_view second, std::function<void(bool ok)> done) = 0;
  // Says that nothing more will be written.
  virtual void ShutdownSend() = 0;
  // Ends it: reads and writes under way are over.
  virtual void Close() = 0;
  // Calls `wake` then, instead of what it was told before.
  virtual void WakeAt(std::chrono::steady_clock::time_point time, std::function<void()> wake) = 0;
  // Runs `work` on the connection's thread: at once when that is this one.
  virtual void Dispatch(std::function<void()> work) = 0;
  // Runs `work` on the connection's thread, after what waits for it now.
  virtual void Post(std::function<void()> work) = 0;

  // As gRPC writes it: "ipv4:127.0.0.1:51234".
  virtual std::string peer() const = 0;
  // PEM of what the client has shown; empty: nothing.
  virtual std::string certificate() const = 0;
};

}  // namespace peiling::gateway

// A connection without a socket, for sessions of any protocol.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "services/gateway/connections/transport.h"

namespace peiling::fuzz {

// What the client says comes in pieces, and then no more; what it is told is kept. All work runs when Run is called.
class Wire {
 public:
  class End final : public gateway::Transport {
   public:
    explicit End(Wire& wire) : wire_(wire) {}
    void Read(char* to, size_t size, std::function<void(bool, size_t)> done) override {
      if (wire_.closed) return wire_.Later([done = std::move(done)] { done(false, 0); });
      const size_t bytes = std::min({size, wire_.piece, wire_.said.size()});
      wire_.said.copy(to, bytes);
      wire_.said.erase(0, bytes);
      wire_.Later([done = std::move(done), bytes] { done(bytes > 0, bytes); });
    }
    void Write(std::string_view first, std::string_view second, std::function<void(bool)> done) override {
      wire_.told.append(first).append(second);
      wire_.Later([done = std::move(done)] { done(true); });
    }
    void ShutdownSend() override {}
    void Close() override { wire_.closed = true; }
    void WakeAt(std::chrono::steady_clock::time_point, std::function<void()> wake) override { wire_.wake_ = std::move(wake); }
    void Dispatch(std::function<void()> work) override { work(); }
    void Post(std::function<void()> work) override { wire_.Later(std::move(work)); }
    std::string peer() const override { return "ipv4:127.0.0.1:1"; }
    std::string certificate() const override { return ""; }

   private:
    Wire& wire_;
  };

  void Later(std::function<void()> work) { work_.push_back(std::move(work)); }
  void Run() {
    while (!work_.empty()) {
      const auto work = std::move(work_.front());
      work_.pop_front();
      work();
      if (const auto wake = wakes ? std::exchange(wake_, nullptr) : nullptr) wake();
    }
  }

  std::string said;
  std::string told;
  size_t piece = 1;
  bool closed = false;
  // Whether it is always time for what was to be done at some time.
  bool wakes = false;

 private:
  std::deque<std::function<void()>> work_;
  std::function<void()> wake_;
};

}  // namespace peiling::fuzz

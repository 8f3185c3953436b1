#include "services/gateway/open_streams.h"

#include <chrono>
#include <utility>
#include <vector>

namespace peiling::gateway {
namespace {

// What access promises of a revoked key is a second, which the news of it also needs some of.
constexpr std::chrono::milliseconds kInterval(500);

}  // namespace

OpenStreams::OpenStreams(const Authenticator& authenticator) : authenticator_(authenticator), thread_([this] { Run(); }) {}

OpenStreams::~OpenStreams() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void OpenStreams::Add(const void* stream, const access::v1::Identity& caller, std::function<void()> withdrawn) {
  const std::lock_guard lock(mutex_);
  streams_.insert_or_assign(stream, Stream{&caller, std::move(withdrawn)});
}

void OpenStreams::Remove(const void* stream) {
  std::unique_lock lock(mutex_);
  streams_.erase(stream);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  changed_.wait(lock, [&] { return called_ != stream; });
}

void OpenStreams::Run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    std::vector<const void*> withdrawn;
    for (const auto& [stream, open] : streams_) {
      if (!authenticator_.StillHolds(*open.caller)) withdrawn.push_back(stream);
    }
    for (const void* stream : withdrawn) Call(stream, lock);
  }
}

void OpenStreams::Call(const void* stream, std::unique_lock<std::mutex>& lock) {
  // It may be gone since, while another was called.
  auto open = streams_.extract(stream);
  if (open.empty()) return;
  called_ = stream;
  lock.unlock();
  open.mapped().withdrawn();
  lock.lock();
  called_ = nullptr;
  changed_.notify_all();
}

}  // namespace peiling::gateway

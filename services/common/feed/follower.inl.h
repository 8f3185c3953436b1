#pragma once

#include <utility>

#include "services/common/status/errors.h"

namespace peiling::feed {
namespace internal {

// A bounded queue between the thread that reads a stream and the one that applies it.
template <typename Response>
class Arrivals {
 public:
  // Waits for room; false when nobody takes any more.
  bool Put(Response response) {
    const size_t bytes = response.ByteSizeLong();
    std::unique_lock lock(mutex_);
    // A single message is let in whatever its size.
    changed_.wait(lock, [&] { return closed_ || arrived_.empty() || (arrived_.size() < kMaxBatch && bytes_ + bytes <= kMaxBatchBytes); });
    if (closed_) return false;
    arrived_.push_back(std::move(response));
    bytes_ += bytes;
    changed_.notify_all();
    return true;
  }

  // Waits for something and takes all of it; false when everything has been taken and nothing will come.
  bool Take(std::vector<Response>& batch) {
    batch.clear();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !arrived_.empty(); });
    batch.swap(arrived_);
    bytes_ = 0;
    changed_.notify_all();
    return !batch.empty();
  }

  // Nothing more is put or wanted.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Response> arrived_;
  size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace internal

template <typename Response>
Retrier::Session WatchSession(std::function<std::unique_ptr<grpc::ClientReaderInterface<Response>>(grpc::ClientContext*)> open,
                              std::function<absl::Status(std::vector<Response>&)> apply) {
  return [open = std::move(open), apply = std::move(apply)](grpc::ClientContext& context, const std::function<void()>& healthy) {
    auto reader = open(&context);
    internal::Arrivals<Response> arrivals;
    std::thread reading([&] {
      Response response;
      while (reader->Read(&response) && arrivals.Put(std::move(response))) response = Response();
      arrivals.Close();
    });
    absl::Status applied;
    std::vector<Response> batch;
    while (applied.ok() && arrivals.Take(batch)) {
      applied = apply(batch);
      if (applied.ok()) healthy();
    }
    if (!applied.ok()) {
      context.TryCancel();
      arrivals.Close();
    }
    reading.join();
    const grpc::Status finished = reader->Finish();
    return applied.ok() ? status::FromGrpc(finished) : applied;
  };
}

}  // namespace peiling::feed

// A store that hands everything on to another; tests override what they want to see or to disturb.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/common/storage/store.h"

namespace peiling::intake {

class ForwardingStore : public storage::Store {
 public:
  explicit ForwardingStore(storage::Store& store) : store_(store) {}

  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override { return store_.Commit(std::move(batch)); }
  absl::StatusOr<std::optional<storage::Document>> Get(const std::string& partition, const std::string& key) override {
    return store_.Get(partition, key);
  }
  absl::StatusOr<std::vector<std::optional<storage::Document>>> GetMany(const std::string& partition,
                                                                        const std::vector<std::string>& keys) override {
    return store_.GetMany(partition, keys);
  }
  absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                      size_t limit) override {
    return store_.List(partition, prefix, after, limit);
  }
  absl::StatusOr<uint64_t> Count(const std::string& partition, const std::string& prefix) override {
    return store_.Count(partition, prefix);
  }
  absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) override { return store_.Partitions(prefix); }
  absl::StatusOr<std::vector<storage::FeedEvent>> ReadFeed(const std::string& partition, uint64_t after, size_t limit) override {
    return store_.ReadFeed(partition, after, limit);
  }
  absl::StatusOr<uint64_t> LastSequence(const std::string& partition) override { return store_.LastSequence(partition); }
  absl::StatusOr<bool> WaitFeed(const std::string& partition, uint64_t after, std::chrono::milliseconds timeout) override {
    return store_.WaitFeed(partition, after, timeout);
  }
  absl::Status Confirm(const std::string& partition) override { return store_.Confirm(partition); }
  absl::Status Health() override { return store_.Health(); }
  absl::StatusOr<std::vector<storage::SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) override {
    return store_.Save(partition, after, limit);
  }
  absl::Status Restore(const std::string& partition, const std::vector<storage::SavedDocument>& documents,
                       const std::vector<storage::FeedEvent>& events) override {
    return store_.Restore(partition, documents, events);
  }
  void Interrupt() override { store_.Interrupt(); }

 private:
  storage::Store& store_;
};

}  // namespace peiling::intake

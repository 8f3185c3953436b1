// A store that hands everything on to another: to be overridden where a test wants to look or to interfere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/common/storage/store.h"

namespace peiling::storage {

class ForwardingStore : public Store {
 public:
  // The other must outlive it.
  explicit ForwardingStore(Store& store) : store_(store) {}

  absl::StatusOr<CommitResult> Commit(Batch batch) override { return store_.Commit(std::move(batch)); }
  absl::StatusOr<std::optional<Document>> Get(const std::string& partition, const std::string& key) override {
    return store_.Get(partition, key);
  }
  absl::StatusOr<std::vector<std::optional<Document>>> GetMany(const std::string& partition,
                                                               const std::vector<std::string>& keys) override {
    return store_.GetMany(partition, keys);
  }
  absl::StatusOr<std::vector<Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                             size_t limit) override {
    return store_.List(partition, prefix, after, limit);
  }
  absl::StatusOr<uint64_t> Count(const std::string& partition, const std::string& prefix) override {
    return store_.Count(partition, prefix);
  }
  absl::StatusOr<std::vector<std::string>> Partitions(const std::string& prefix) override { return store_.Partitions(prefix); }
  absl::StatusOr<std::vector<FeedEvent>> ReadFeed(const std::string& partition, uint64_t after_sequence, size_t limit) override {
    return store_.ReadFeed(partition, after_sequence, limit);
  }
  absl::StatusOr<uint64_t> LastSequence(const std::string& partition) override { return store_.LastSequence(partition); }
  absl::StatusOr<bool> WaitFeed(const std::string& partition, uint64_t after_sequence, std::chrono::milliseconds timeout) override {
    return store_.WaitFeed(partition, after_sequence, timeout);
  }
  absl::Status Confirm(const std::string& partition) override { return store_.Confirm(partition); }
  absl::Status Health() override { return store_.Health(); }
  absl::StatusOr<std::vector<SavedDocument>> Save(const std::string& partition, const std::string& after, size_t limit) override {
    return store_.Save(partition, after, limit);
  }
  absl::Status Restore(const std::string& partition, const std::vector<SavedDocument>& documents,
                       const std::vector<FeedEvent>& events) override {
    return store_.Restore(partition, documents, events);
  }
  void Interrupt() override { store_.Interrupt(); }

 private:
  Store& store_;
};

}  // namespace peiling::storage

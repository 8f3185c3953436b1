// The documents one step of the ledger reads and changes, old and new side by side, until they are committed together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/storage/store.h"
#include "services/dedup/documents.h"

namespace peiling::dedup {

// Not thread-safe.
class Workspace {
 public:
  Workspace(storage::Store& store, std::string partition) : store_(store), partition_(std::move(partition)) {}

  // Reads documents that are not here yet.
  absl::Status Load(const std::vector<std::string>& keys);

  // The document must have been loaded. Version 0: it does not exist.
  uint64_t VersionOf(const std::string& key) const { return At(key).version; }
  // Bytes as stored, and as they will be; nullopt: none.
  const std::optional<std::string>& Before(const std::string& key) const { return At(key).before; }
  const std::optional<std::string>& After(const std::string& key) const { return At(key).after; }
  bool Changed(const std::string& key) const { return Before(key) != After(key); }
  // As it will be; an empty message when there is none. DATA_LOSS/STORAGE_CORRUPT.
  template <typename Message>
  absl::StatusOr<Message> Get(const std::string& key) const {
    return ParseValue<Message>(key, After(key));
  }
  // As it is stored.
  template <typename Message>
  absl::StatusOr<Message> GetStored(const std::string& key) const {
    return ParseValue<Message>(key, Before(key));
  }

  void Put(const std::string& key, std::string value) { At(key).after = std::move(value); }
  void Put(const std::string& key, const google::protobuf::Message& message) { Put(key, proto::CanonicalBytes(message)); }
  void Erase(const std::string& key) { At(key).after.reset(); }
  // The same, and written even when nothing changes, so that the document takes the sequence of the batch's last event.
  void PutWithEvent(const std::string& key, const google::protobuf::Message& message);

  // Whether anything has to be written.
  bool Changed() const;
  // Adds what has to be written, on condition that nothing that was read has changed since: not what changes here, not what was only
  // looked at, not what was not there. `batch` has its events already.
  void AddTo(storage::Batch& batch) const;

 private:
  struct Entry {
    std::optional<std::string> before;
    std::optional<std::string> after;
    uint64_t version = 0;
    bool with_event = false;

    bool written() const { return with_event || before != after; }
  };

  Entry& At(const std::string& key);
  const Entry& At(const std::string& key) const;
  void Add(const std::string& key, std::optional<storage::Document> document);

  template <typename Message>
  static absl::StatusOr<Message> ParseValue(const std::string& key, const std::optional<std::string>& value) {
    Message message;
    if (!value.has_value()) return message;
    if (absl::Status parsed = documents::Parse(key, *value, message); !parsed.ok()) return parsed;
    return message;
  }

  storage::Store& store_;
  const std::string partition_;
  std::map<std::string, Entry> entries_;
};

}  // namespace peiling::dedup

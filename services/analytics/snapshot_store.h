// Snapshots of waves in a store.
//
// In the partition of the wave's name: "header", the parts as "part/0/000000", …, and "claim". Parts go to the place (0 or 1) the header
// does not name, and the header follows when all are there, in one commit that removes the old ones: a half-written snapshot is never read.
// Whoever writes first puts "claim" and goes on only as long as nobody else has: two who write at once cannot mix their parts. Keys are
// used again and again, since a store remembers the versions of what was deleted.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/analytics/snapshot.h"
#include "services/common/storage/store.h"

namespace peiling::analytics {

// Thread-safe, and safe among processes over one store. All methods give the store's errors, too.
class SnapshotStore {
 public:
  // `store` outlives this.
  explicit SnapshotStore(storage::Store& store) : store_(store) {}

  // What there is of a wave, as of one moment.
  struct Stored {
    // nullopt: none, or none that can be read.
    std::optional<snapshot::Header> header;
    // The document is there, whether it can be read or not.
    bool damaged = false;
    // Changes whenever somebody begins to write.
    uint64_t claim = 0;
  };
  absl::StatusOr<Stored> Look(const std::string& wave) const;

  // The last snapshot that fits `wanted`; nullopt when there is none. FAILED_PRECONDITION/SNAPSHOT_DOES_NOT_FIT,
  // DATA_LOSS/SNAPSHOT_DAMAGED.
  absl::StatusOr<std::optional<Snapshot>> Read(const std::string& wave, const snapshot::Header& wanted) const;

  // Replaces what was `seen`. ABORTED/CONCURRENT_CHANGE when somebody else writes or wrote since; CANCELLED when `keep_going`, asked before
  // every part, says no. What was there before then remains.
  absl::Status Write(const std::string& wave, const Stored& seen, Snapshot snapshot, const std::function<bool()>& keep_going);

 private:
  absl::StatusOr<std::vector<std::string>> ReadParts(const std::string& wave, const snapshot::Header& header) const;

  storage::Store& store_;
};

}  // namespace peiling::analytics

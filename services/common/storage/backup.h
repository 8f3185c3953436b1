// Backups: everything a store holds as one file, and back into a store of any kind. The format stands in
// protos/peiling/storage/v1/backup.proto.
//
// Memory is bounded by the largest documents and events, however large the store. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/timestamp.pb.h"
#include "peiling/storage/v1/backup.pb.h"
#include "services/common/storage/digest.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

// Told now and then, and at the end of every step: what is done ("reading"), how many documents and events of how many; 0: not known.
using Progress = std::function<void(const std::string& step, uint64_t done, uint64_t total)>;

// Reads the whole store.
absl::StatusOr<v1::StoreSummary> Summarize(Store& store, const std::string& owner, const Progress& progress);

// Writes a backup. The store is read twice, and what is the same both times stood there, all of it, at the moment in between: that is what
// the backup holds. ABORTED/STORE_CHANGED, naming the partition, when somebody wrote meanwhile; what is in `out` then has no trailer.
// RESOURCE_EXHAUSTED/FILE_NOT_WRITABLE when `out` does not take it; else the store's errors.
absl::StatusOr<v1::StoreSummary> Export(Store& store, const std::string& owner, const google::protobuf::Timestamp& now, std::ostream& out,
                                        const Progress& progress);

// A backup, record by record, checked on the way: form, counts and checksums. INVALID_ARGUMENT: BACKUP_INVALID (no backup),
// BACKUP_VERSION (of a newer program), BACKUP_TRUNCATED or BACKUP_DAMAGED.
class BackupReader {
 public:
  // Reads the header. The stream must outlive the reader.
  static absl::StatusOr<std::unique_ptr<BackupReader>> Open(std::istream& in);

  const v1::BackupHeader& header() const { return header_; }

  // The next partition, event, document or summary. Nothing once the trailer was read, and with it the end of the file: then all of it is
  // right. Before that, what came is right as far as the last summary.
  absl::StatusOr<std::optional<v1::BackupRecord>> Next();

  // The partitions read to their end.
  const v1::StoreSummary& summary() const { return summary_; }

 private:
  explicit BackupReader(std::istream& in) : in_(in) {}
  absl::StatusOr<v1::BackupRecord> ReadRecord();
  absl::Status CheckRecord(const v1::BackupRecord& record);
  absl::Status CheckTrailer(const v1::BackupTrailer& trailer);

  std::istream& in_;
  std::string frame_;  // The last record as it was read.
  v1::BackupHeader header_;
  v1::StoreSummary summary_;
  // Of what was read of the partition under way, if there is one.
  std::optional<PartitionTally> tally_;
  Sha256 digest_;
};

// Reads a backup to its end.
absl::StatusOr<v1::StoreSummary> CheckBackup(std::istream& in, const Progress& progress);

// Puts a backup into a store, reads the store again and compares checksums. What stands there already is left as it is, so that an import
// that broke off is run again. A backup that can be read twice (no pipe) is checked to its end before anything is stored.
// FAILED_PRECONDITION/RESTORE_CONFLICT, naming partition and key, when the store holds something else or something more;
// FAILED_PRECONDITION/BACKUP_OWNER when the backup is of a store of another name; errors of BackupReader; else the store's.
absl::StatusOr<v1::StoreSummary> Import(std::istream& in, const std::string& owner, Store& store, const Progress& progress);

// Whether a store holds exactly what a backup does: FAILED_PRECONDITION/RESTORE_CONFLICT, naming the first partition that differs.
absl::Status CompareSummaries(const v1::StoreSummary& backup, const v1::StoreSummary& store);

}  // namespace peiling::storage

#include "services/common/storage/backup.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "google/protobuf/stubs/logging.h"
#include "google/protobuf/util/message_differencer.h"
#include "services/common/status/errors.h"

namespace peiling::storage {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr char kFormat[] = "peiling store backup";
constexpr uint32_t kVersion = 1;
// Larger than what a store takes in one commit.
constexpr uint64_t kMaxRecordBytes = 257 << 20;
// Read from and put into a store at once.
constexpr size_t kPage = 500;
constexpr size_t kChunkBytes = 1 << 20;
constexpr uint64_t kItemsBetweenSteps = 1000;

absl::Status BadBackup(std::string_view reason, const std::string& message) {
  return status::Error(absl::StatusCode::kInvalidArgument, reason, message);
}
absl::Status Damaged(const std::string& why) { return BadBackup("BACKUP_DAMAGED", "the backup is damaged: " + why); }
absl::Status CutOff() { return BadBackup("BACKUP_TRUNCATED", "the backup was cut off: its end is missing"); }

absl::Status Conflict(const std::string& message, const std::string& partition) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "RESTORE_CONFLICT", message, {{"partition", partition}});
}

uint64_t ItemsOf(const v1::PartitionSummary& summary) { return summary.documents() + summary.deleted_documents() + summary.events(); }

uint64_t ItemsOf(const v1::StoreSummary& summary) {
  uint64_t items = 0;
  for (const auto& partition : summary.partitions()) items += ItemsOf(partition);
  return items;
}

// One step of the work, and how far it is.
class Meter {
 public:
  Meter(const Progress& progress, std::string step, uint64_t total) : progress_(progress), step_(std::move(step)), total_(total) {}
  ~Meter() { progress_(step_, done_, total_); }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  void Count() {
    if (++done_ % kItemsBetweenSteps == 0) progress_(step_, done_, total_);
  }

 private:
  const Progress& progress_;
  const std::string step_;
  const uint64_t total_;
  uint64_t done_ = 0;
};

// ---- Reading a store

using Take = std::function<absl::Status(const v1::BackupRecord&)>;

absl::Status TakeEvents(Store& store, const std::string& partition, const Take& take) {
  v1::BackupRecord record;
  v1::BackupEvent& out = *record.mutable_event();
  for (uint64_t sequence = 0;;) {
    auto events = store.ReadFeed(partition, sequence, kPage);
    if (!events.ok()) return events.status();
    if (events->empty()) return absl::OkStatus();
    for (FeedEvent& event : *events) {
      out.set_sequence(event.sequence);
      out.set_value(std::move(event.value));
      if (absl::Status taken = take(record); !taken.ok()) return taken;
    }
    sequence = events->back().sequence;
  }
}

absl::Status TakeDocuments(Store& store, const std::string& partition, const Take& take) {
  v1::BackupRecord record;
  for (std::string after;;) {
    auto documents = store.Save(partition, after, kPage);
    if (!documents.ok()) return documents.status();
    if (documents->empty()) return absl::OkStatus();
    after = documents->back().key;
    for (SavedDocument& document : *documents) {
      v1::BackupDocument& out = *record.mutable_document();
      out.Clear();
      out.set_key(std::move(document.key));
      if (document.value) out.set_value(*std::move(document.value));
      out.set_version(document.version);
      out.set_sequence(document.sequence);
      if (absl::Status taken = take(record); !taken.ok()) return taken;
    }
  }
}

// Gives every record of a partition, with its length, in the order of a backup.
absl::StatusOr<v1::PartitionSummary> ReadPartition(Store& store, const std::string& partition, Meter& meter,
                                                   const std::function<void(const std::string& frame)>& write) {
  PartitionTally tally(partition);
  const Take take = [&](const v1::BackupRecord& record) {
    const std::string frame = Frame(record);
    tally.Add(record, frame);
    meter.Count();
    write(frame);
    return absl::OkStatus();
  };
  absl::Status status = TakeEvents(store, partition, take);
  if (status.ok()) status = TakeDocuments(store, partition, take);
  // Nothing goes into a backup that the store could still lose.
  if (status.ok()) status = store.Confirm(partition);
  if (!status.ok()) return status;
  return tally.Finish();
}

absl::StatusOr<v1::StoreSummary> ReadStore(Store& store, const std::string& owner, Meter& meter) {
  auto partitions = store.Partitions("");
  if (!partitions.ok()) return partitions.status();
  v1::StoreSummary summary;
  summary.set_owner(owner);
  for (const std::string& partition : *partitions) {
    auto read = ReadPartition(store, partition, meter, [](const std::string&) {});
    if (!read.ok()) return read.status();
    *summary.add_partitions() = *std::move(read);
  }
  return summary;
}

// Deleted documents are not counted.
absl::StatusOr<uint64_t> CountItems(Store& store, const std::vector<std::string>& partitions) {
  uint64_t items = 0;
  for (const std::string& partition : partitions) {
    auto documents = store.Count(partition, "");
    if (!documents.ok()) return documents.status();
    auto events = store.LastSequence(partition);
    if (!events.ok()) return events.status();
    items += *documents + *events;
  }
  return items;
}

// ---- Writing a backup

class Writer {
 public:
  explicit Writer(std::ostream& out) : out_(out) {}

  void Write(const std::string& frame) {
    digest_.Add(frame);
    out_.write(frame.data(), static_cast<std::streamsize>(frame.size()));
  }
  void Write(const v1::BackupRecord& record) { Write(Frame(record)); }

  absl::Status Finish(uint64_t partitions) {
    v1::BackupRecord record;
    record.mutable_trailer()->set_partitions(partitions);
    record.mutable_trailer()->set_sha256(digest_.Finish());
    const std::string frame = Frame(record);
    out_.write(frame.data(), static_cast<std::streamsize>(frame.size()));
    out_.flush();
    return Check();
  }

  absl::Status Check() {
    if (out_) return absl::OkStatus();
    return status::Error(absl::StatusCode::kResourceExhausted, "FILE_NOT_WRITABLE",
                         "the backup cannot be written to its end; is the disk full?");
  }

 private:
  std::ostream& out_;
  Sha256 digest_;
};

absl::StatusOr<v1::PartitionSummary> WritePartition(Store& store, const std::string& partition, Meter& meter, Writer& writer) {
  v1::BackupRecord record;
  record.set_partition(partition);
  writer.Write(record);
  auto summary = ReadPartition(store, partition, meter, [&](const std::string& frame) { writer.Write(frame); });
  if (!summary.ok()) return summary.status();
  *record.mutable_summary() = *summary;
  writer.Write(record);
  if (absl::Status written = writer.Check(); !written.ok()) return written;
  return summary;
}

// The name of a partition that is not the same in both; nothing when all are.
std::optional<std::string> Difference(const v1::StoreSummary& one, const v1::StoreSummary& other) {
  std::map<std::string, const v1::PartitionSummary*> left;
  for (const auto& partition : one.partitions()) left[partition.name()] = &partition;
  for (const auto& partition : other.partitions()) {
    const auto found = left.find(partition.name());
    if (found == left.end() || !MessageDifferencer::Equals(*found->second, partition)) return partition.name();
    left.erase(found);
  }
  if (left.empty()) return std::nullopt;
  return left.begin()->first;
}

}  // namespace

absl::StatusOr<v1::StoreSummary> Summarize(Store& store, const std::string& owner, const Progress& progress) {
  auto partitions = store.Partitions("");
  if (!partitions.ok()) return partitions.status();
  auto items = CountItems(store, *partitions);
  if (!items.ok()) return items.status();
  Meter meter(progress, "reading", *items);
  return ReadStore(store, owner, meter);
}

absl::StatusOr<v1::StoreSummary> Export(Store& store, const std::string& owner, const google::protobuf::Timestamp& now, std::ostream& out,
                                        const Progress& progress) {
  auto partitions = store.Partitions("");
  if (!partitions.ok()) return partitions.status();
  auto items = CountItems(store, *partitions);
  if (!items.ok()) return items.status();
  Writer writer(out);
  v1::BackupRecord record;
  record.mutable_header()->set_format(kFormat);
  record.mutable_header()->set_version(kVersion);
  record.mutable_header()->set_owner(owner);
  *record.mutable_header()->mutable_create_time() = now;
  writer.Write(record);
  v1::StoreSummary summary;
  summary.set_owner(owner);
  {
    Meter meter(progress, "writing", *items);
    for (const std::string& partition : *partitions) {
      auto written = WritePartition(store, partition, meter, writer);
      if (!written.ok()) return written.status();
      *summary.add_partitions() = *std::move(written);
    }
  }
  Meter meter(progress, "reading again", ItemsOf(summary));
  auto again = ReadStore(store, owner, meter);
  if (!again.ok()) return again.status();
  if (const auto changed = Difference(summary, *again)) {
    return status::Error(absl::StatusCode::kAborted, "STORE_CHANGED", "partition " + *changed + " changed while it was read",
                         {{"partition", *changed}});
  }
  if (absl::Status finished = writer.Finish(partitions->size()); !finished.ok()) return finished;
  return summary;
}

// ---- Reading a backup

absl::StatusOr<std::unique_ptr<BackupReader>> BackupReader::Open(std::istream& in) {
  std::unique_ptr<BackupReader> reader(new BackupReader(in));
  auto record = reader->ReadRecord();
  if (!record.ok() || record->header().format() != kFormat) return BadBackup("BACKUP_INVALID", "this is no backup of a store");
  reader->header_ = record->header();
  const uint32_t version = reader->header_.version();
  if (version != kVersion) {
    return BadBackup("BACKUP_VERSION", "the backup has version " + std::to_string(version) + ", this program knows " +
                                           std::to_string(kVersion) + ": use the program that wrote it");
  }
  reader->summary_.set_owner(reader->header_.owner());
  reader->digest_.Add(reader->frame_);
  return reader;
}

absl::StatusOr<v1::BackupRecord> BackupReader::ReadRecord() {
  frame_.clear();
  uint64_t size = 0;
  for (int shift = 0;; shift += 7) {
    const int byte = in_.get();
    if (byte == std::istream::traits_type::eof()) return CutOff();
    frame_.push_back(static_cast<char>(byte));
    size |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) break;
    if (shift > 21) return Damaged("a record has no sensible length");
  }
  if (size > kMaxRecordBytes) return Damaged("a record has no sensible length");
  const size_t begin = frame_.size();
  // In pieces: memory is taken for what is there, not for what a length says.
  while (frame_.size() < begin + size) {
    const size_t have = frame_.size();
    frame_.resize(std::min<size_t>(begin + size, have + kChunkBytes));
    in_.read(frame_.data() + have, static_cast<std::streamsize>(frame_.size() - have));
    if (!in_) return CutOff();
  }
  // It would write to standard error what is said here.
  const google::protobuf::LogSilencer silencer;
  v1::BackupRecord record;
  if (!record.ParseFromArray(frame_.data() + begin, static_cast<int>(size))) return Damaged("a record cannot be read");
  return record;
}

absl::StatusOr<std::optional<v1::BackupRecord>> BackupReader::Next() {
  auto record = ReadRecord();
  if (!record.ok()) return record.status();
  if (record->has_trailer()) {
    if (absl::Status checked = CheckTrailer(record->trailer()); !checked.ok()) return checked;
    return std::nullopt;
  }
  digest_.Add(frame_);
  if (absl::Status checked = CheckRecord(*record); !checked.ok()) return checked;
  return *std::move(record);
}

absl::Status BackupReader::CheckRecord(const v1::BackupRecord& record) {
  const bool begins = record.record_case() == v1::BackupRecord::kPartition;
  if (begins == tally_.has_value()) return Damaged("a record stands where it cannot");
  switch (record.record_case()) {
    case v1::BackupRecord::kPartition:
      tally_.emplace(record.partition());
      return absl::OkStatus();
    case v1::BackupRecord::kEvent:
    case v1::BackupRecord::kDocument:
      tally_->Add(record, frame_);
      return absl::OkStatus();
    case v1::BackupRecord::kSummary:
      *summary_.add_partitions() = tally_->Finish();
      tally_.reset();
      if (MessageDifferencer::Equals(*summary_.partitions().rbegin(), record.summary())) return absl::OkStatus();
      return Damaged("the checksum of partition " + record.summary().name() + " is another");
    default:
      return Damaged("a record is of no known kind");
  }
}

absl::Status BackupReader::CheckTrailer(const v1::BackupTrailer& trailer) {
  if (tally_) return Damaged("a partition has no end");
  if (trailer.partitions() != static_cast<uint64_t>(summary_.partitions_size())) return Damaged("a partition is missing");
  if (trailer.sha256() != digest_.Finish()) return Damaged("its checksum is another");
  if (in_.peek() != std::istream::traits_type::eof()) return Damaged("something stands behind its end");
  return absl::OkStatus();
}

absl::StatusOr<v1::StoreSummary> CheckBackup(std::istream& in, const Progress& progress) {
  auto reader = BackupReader::Open(in);
  if (!reader.ok()) return reader.status();
  Meter meter(progress, "checking", 0);
  while (true) {
    auto record = (*reader)->Next();
    if (!record.ok()) return record.status();
    if (!*record) return (*reader)->summary();
    if ((*record)->has_event() || (*record)->has_document()) meter.Count();
  }
}

// ---- Into a store

namespace {

// Documents and events on their way into a partition.
class Restorer {
 public:
  Restorer(Store& store, Meter& meter) : store_(store), meter_(meter) {}

  absl::Status Add(v1::BackupRecord record) {
    switch (record.record_case()) {
      case v1::BackupRecord::kPartition:
        partition_ = record.partition();
        return absl::OkStatus();
      case v1::BackupRecord::kEvent:
        Add(std::move(*record.mutable_event()));
        break;
      case v1::BackupRecord::kDocument:
        Add(std::move(*record.mutable_document()));
        break;
      default:
        return Flush();
    }
    meter_.Count();
    return documents_.size() + events_.size() >= kPage || bytes_ >= kChunkBytes ? Flush() : absl::OkStatus();
  }

 private:
  void Add(v1::BackupEvent event) {
    bytes_ += event.value().size();
    events_.push_back({event.sequence(), std::move(*event.mutable_value())});
  }

  void Add(v1::BackupDocument document) {
    bytes_ += document.key().size() + document.value().size();
    SavedDocument saved{std::move(*document.mutable_key()), std::nullopt, document.version(), document.sequence()};
    if (document.has_value()) saved.value = std::move(*document.mutable_value());
    documents_.push_back(std::move(saved));
  }

  absl::Status Flush() {
    const absl::Status restored = store_.Restore(partition_, documents_, events_);
    documents_.clear();
    events_.clear();
    bytes_ = 0;
    return restored;
  }

  Store& store_;
  Meter& meter_;
  std::string partition_;
  std::vector<SavedDocument> documents_;
  std::vector<FeedEvent> events_;
  size_t bytes_ = 0;
};

// The backup's summary when it can be read twice: the stream then stands at its begin again.
absl::StatusOr<std::optional<v1::StoreSummary>> CheckBefore(std::istream& in, const Progress& progress) {
  const auto begin = in.tellg();
  in.clear();
  if (begin == std::istream::pos_type(-1)) return std::nullopt;
  auto summary = CheckBackup(in, progress);
  if (!summary.ok()) return summary.status();
  in.clear();
  in.seekg(begin);
  return *std::move(summary);
}

// What a store holds beside the backup would be mixed with it.
absl::Status RefuseOthers(const v1::StoreSummary& backup, Store& store) {
  auto partitions = store.Partitions("");
  if (!partitions.ok()) return partitions.status();
  for (const std::string& partition : *partitions) {
    const std::string name = absl::CHexEscape(partition);
    const bool known =
        std::any_of(backup.partitions().begin(), backup.partitions().end(), [&](const auto& one) { return one.name() == name; });
    if (!known) return Conflict("the store holds partition " + name + ", which the backup does not", name);
  }
  return absl::OkStatus();
}

absl::Status RestoreAll(BackupReader& backup, Store& store, Meter& meter) {
  Restorer restorer(store, meter);
  while (true) {
    auto record = backup.Next();
    if (!record.ok()) return record.status();
    if (!*record) return absl::OkStatus();
    if (absl::Status restored = restorer.Add(**std::move(record)); !restored.ok()) return restored;
  }
}

}  // namespace

absl::StatusOr<v1::StoreSummary> Import(std::istream& in, const std::string& owner, Store& store, const Progress& progress) {
  auto known = CheckBefore(in, progress);
  if (!known.ok()) return known.status();
  auto backup = BackupReader::Open(in);
  if (!backup.ok()) return backup.status();
  const std::string& of = (*backup)->header().owner();
  if (of != owner) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "BACKUP_OWNER",
                         "the backup is of the store of " + of + ", not of " + owner);
  }
  if (absl::Status alone = *known ? RefuseOthers(**known, store) : absl::OkStatus(); !alone.ok()) return alone;
  {
    Meter meter(progress, "restoring", *known ? ItemsOf(**known) : 0);
    if (absl::Status restored = RestoreAll(**backup, store, meter); !restored.ok()) return restored;
  }
  const v1::StoreSummary& want = (*backup)->summary();
  Meter meter(progress, "comparing", ItemsOf(want));
  auto have = ReadStore(store, owner, meter);
  if (!have.ok()) return have.status();
  if (absl::Status same = CompareSummaries(want, *have); !same.ok()) return same;
  return *std::move(have);
}

absl::Status CompareSummaries(const v1::StoreSummary& backup, const v1::StoreSummary& store) {
  const auto partition = Difference(backup, store);
  if (!partition) return absl::OkStatus();
  return Conflict("partition " + *partition + " holds more or less than the backup", *partition);
}

}  // namespace peiling::storage

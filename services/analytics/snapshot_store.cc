#include "services/analytics/snapshot_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace {

constexpr char kHeader[] = "header";
constexpr char kClaim[] = "claim";
// Parts read at once.
constexpr int kPartsPerRead = 4;
// A snapshot may be replaced while it is read.
constexpr int kAttempts = 3;

std::string PartKey(uint32_t place, size_t part) { return absl::StrFormat("part/%d/%06d", place, part); }

std::string Seal(const snapshot::Header& header) {
  snapshot::SealedHeader sealed;
  sealed.set_header(header.SerializeAsString());
  sealed.set_sha256(Sha256(sealed.header()));
  return sealed.SerializeAsString();
}

std::optional<snapshot::Header> Unseal(const std::string& bytes) {
  snapshot::SealedHeader sealed;
  snapshot::Header header;
  if (!sealed.ParseFromString(bytes) || sealed.sha256() != Sha256(sealed.header()) || !header.ParseFromString(sealed.header())) {
    return std::nullopt;
  }
  return header;
}

absl::Status Damaged(const std::string& wave) {
  return status::Error(absl::StatusCode::kDataLoss, "SNAPSHOT_DAMAGED", "the snapshot is not what was written", {{"wave", wave}});
}

}  // namespace

absl::StatusOr<SnapshotStore::Stored> SnapshotStore::Look(const std::string& wave) const {
  const auto documents = store_.GetMany(wave, {kHeader, kClaim});
  if (!documents.ok()) return documents.status();
  const auto& header = documents->at(0);
  const auto& claim = documents->at(1);
  Stored stored;
  if (header) stored.header = Unseal(header->value);
  stored.damaged = header && !stored.header;
  if (claim) stored.claim = claim->version;
  return stored;
}

absl::StatusOr<std::optional<Snapshot>> SnapshotStore::Read(const std::string& wave, const snapshot::Header& wanted) const {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto stored = Look(wave);
    if (!stored.ok()) return stored.status();
    if (stored->damaged) break;
    if (!stored->header) return std::nullopt;
    const auto fits = Fits(*stored->header, wanted);
    if (!fits.ok()) return fits;
    auto parts = ReadParts(wave, *stored->header);
    if (parts.ok()) return Snapshot{*stored->header, *std::move(parts)};
    if (!absl::IsDataLoss(parts.status())) return parts.status();
  }
  return Damaged(wave);
}

absl::StatusOr<std::vector<std::string>> SnapshotStore::ReadParts(const std::string& wave, const snapshot::Header& header) const {
  std::vector<std::string> parts;
  const int count = header.part_sha256_size();
  for (int first = 0; first < count; first += kPartsPerRead) {
    std::vector<std::string> keys;
    for (int part = first; part < std::min(first + kPartsPerRead, count); ++part) keys.push_back(PartKey(header.place(), part));
    auto documents = store_.GetMany(wave, keys);
    if (!documents.ok()) return documents.status();
    for (auto& document : *documents) {
      if (!document || Sha256(document->value) != header.part_sha256(static_cast<int>(parts.size()))) return Damaged(wave);
      parts.push_back(std::move(document->value));
    }
  }
  return parts;
}

absl::Status SnapshotStore::Write(const std::string& wave, const Stored& seen, Snapshot snapshot, const std::function<bool()>& keep_going) {
  const auto claimed = store_.Commit({.partition = wave, .writes = {{.key = kClaim, .value = "", .expected_version = seen.claim}}});
  if (!claimed.ok()) return claimed.status();
  const std::vector<std::pair<std::string, uint64_t>> still_mine = {{kClaim, seen.claim + 1}};

  auto& header = snapshot.header;
  header.set_place(seen.header ? 1 - std::min(seen.header->place(), 1u) : 0);
  for (size_t i = 0; i < snapshot.parts.size(); ++i) {
    if (!keep_going()) return absl::CancelledError("shutting down");
    auto& part = snapshot.parts[i];
    header.add_part_sha256(Sha256(part));
    const auto written = store_.Commit(
        {.partition = wave, .writes = {{.key = PartKey(header.place(), i), .value = std::move(part)}}, .expectations = still_mine});
    if (!written.ok()) return written.status();
  }

  storage::Batch last{.partition = wave, .writes = {{.key = kHeader, .value = Seal(header)}}, .expectations = still_mine};
  const int old_parts = seen.header ? seen.header->part_sha256_size() : 0;
  for (int part = 0; part < old_parts; ++part) last.writes.push_back({.key = PartKey(seen.header->place(), part)});
  return store_.Commit(std::move(last)).status();
}

}  // namespace peiling::analytics

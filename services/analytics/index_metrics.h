// What the indexes of this process hold, and how it stands with their snapshots, as metrics. Thread-safe.
//
// peiling_index_records{wave}, peiling_index_bytes{wave}: records, and the memory of their bitmaps.
// peiling_snapshot_success_timestamp_seconds{wave}: when the wave was last found saved, be it by this process or another.
// peiling_snapshot_failures_total: times a snapshot could not be saved, or one that is there could not be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace peiling::analytics {

void RecordIndex(const std::string& wave, int64_t records, size_t bytes);
void RecordSnapshot(const std::string& wave);
void RecordSnapshotFailure();

}  // namespace peiling::analytics

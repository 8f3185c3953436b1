// A wave's index as it is saved: what snapshot.proto says, and how parts are filled and judged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/analytics/snapshot.pb.h"

namespace peiling::analytics {

// Bytes of a part, at most.
inline constexpr size_t kMaxPartBytes = 1 << 20;

// As large as the index itself: some 110 bytes a record of the questionnaire of 2022, and 30 for every response.
struct Snapshot {
  // Raised with every change of snapshot.proto, and of what the index or the fieldwork makes of an event: what another program counted
  // otherwise is then counted anew (snapshot_test says when).
  static constexpr uint32_t kFormat = 1;

  // Without `place` and `part_sha256`, which whoever stores it sets.
  snapshot::Header header;
  // Serialised.
  std::vector<std::string> parts;
};

// Whether a snapshot is of the same program, questionnaire and frame; FAILED_PRECONDITION/SNAPSHOT_DOES_NOT_FIT says what is not.
absl::Status Fits(const snapshot::Header& saved, const snapshot::Header& wanted);

std::string Sha256(std::string_view bytes);

// Fills parts, one after the other. Not thread-safe.
class PartWriter {
 public:
  // The part to add something to that takes at most so many bytes there.
  snapshot::Part& RoomFor(size_t bytes);
  // All parts; the writer is done.
  std::vector<std::string> Finish();

 private:
  void Close();

  snapshot::Part part_;
  size_t bytes_ = 0;
  std::vector<std::string> parts_;
};

}  // namespace peiling::analytics

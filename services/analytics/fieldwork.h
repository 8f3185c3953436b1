// The fieldwork of a wave: what became of every response, and so how far the fieldwork was on any day.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/survey/v1/published.pb.h"
#include "services/analytics/bitmap.h"
#include "services/analytics/frame.h"
#include "services/analytics/snapshot.h"

namespace peiling::analytics {

// Reading is thread-safe; Put wants it to itself.
class Fieldwork {
 public:
  // Days begin and end in `zone`.
  Fieldwork(std::shared_ptr<const Frame> frame, absl::TimeZone zone);

  // Takes in what became of a response; a later decision on the same response replaces it.
  void Put(const dedup::v1::Decision& decision);

  // Writes all of it down; takes over what another of the same frame has written, part by part. False when it cannot be of such a one; then
  // this one is of no use.
  void Save(PartWriter& parts) const;
  bool Load(const snapshot::Part& part);

  // As it stood at the end of a day; nullopt: now. A municipality is usable from the day on which the first of its responses that count was
  // started: kept, or put aside for a better one of the same municipality. It is complete from the day on which one of them was submitted,
  // unless a ruling keeps one that never was. Without position and notices.
  v1::Progress On(std::optional<absl::CivilDay> day) const;

  // Responses: FIELDWORK_COUNT_STARTED, _KEPT or _JOINT_QUESTIONNAIRES (other counts give 0). With `among`: those about at least one of
  // these municipalities.
  int64_t Responses(survey::v1::FieldworkCount count, const Bitmap* among) const;

 private:
  struct Response {
    dedup::v1::Disposition disposition;
    absl::CivilDay started;
    std::optional<absl::CivilDay> submitted;
    // The municipalities of the frame it is about, and whether it is the record there.
    std::vector<std::pair<MunicipalityIndex, bool>> municipalities;
  };
  struct Stand;

  void CountStarted(const Response& response, Stand& stand) const;

  const std::shared_ptr<const Frame> frame_;
  const absl::TimeZone zone_;
  // By the last part of their names.
  absl::flat_hash_map<std::string, Response> responses_;
};

}  // namespace peiling::analytics

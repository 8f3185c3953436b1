// What fieldwork knows of waves: their times and plans from intake's catalogue, their frame from the registry, and what became of responses
// from intake's submission feeds and dedup's record feeds. Held in memory and built anew at every start; it lags behind by as much as feeds
// do, so what must not be wrong at the moment asks intake (DraftService.BatchGetResponseStates).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/survey/v1/answers.pb.h"

namespace peiling::fieldwork {

// The municipalities of a wave, on its frame date.
struct Frame {
  // By code, with facts of the frame date.
  std::vector<registry::v1::Municipality> municipalities;
  // Null when it has none of that code.
  const registry::v1::Municipality* Find(std::string_view code) const;
};

// A wave at one moment; immutable.
struct WaveDetails {
  intake::v1::Wave wave;
  // Null while it is not known, which Get never gives.
  std::shared_ptr<const Frame> frame;
};

// What became of a response.
struct ResponseStand {
  intake::v1::ResponseState state = intake::v1::RESPONSE_STATE_UNSPECIFIED;
  std::vector<std::string> municipalities;
  survey::v1::Completeness completeness;
  absl::Time started_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();
  absl::Time submitted_at = absl::InfinitePast();
  bool test = false;
};

// Thread-safe.
class WaveBook {
 public:
  virtual ~WaveBook() = default;

  // Names of all waves, sorted; only those whose feeds are caught up with.
  virtual std::vector<std::string> Waves() const = 0;
  // As intake's catalogue has it, whatever dedup, the registry and its feeds are up to: links work from then on. NOT_FOUND/WAVE_NOT_FOUND;
  // UNAVAILABLE/WAVE_LOADING while the catalogue is not read.
  virtual absl::StatusOr<std::shared_ptr<const WaveDetails>> Details(const std::string& wave) const = 0;
  // The same once its frame is known and its feeds are caught up with; UNAVAILABLE/WAVE_LOADING until then.
  virtual absl::StatusOr<std::shared_ptr<const WaveDetails>> Get(const std::string& wave) const = 0;
  // A response by the last part of its name; nullopt when the feed does not have it (yet), or the wave is not known.
  virtual std::optional<ResponseStand> Response(const std::string& wave, const std::string& response_id) const = 0;
  // Every response of a wave, in any order. `visit` must not call the book.
  virtual void ForEachResponse(const std::string& wave,
                               const std::function<void(const std::string& response_id, const ResponseStand&)>& visit) const = 0;
  // Whether a municipality has a record from a submitted response, by whatever way it came in.
  virtual bool HasSubmittedRecord(const std::string& wave, const std::string& municipality) const = 0;
  // Grows with every change of a wave or a response in it; 0 for one that is not known.
  virtual uint64_t Version(const std::string& wave) const = 0;
  // Waits until anything changes after `since` (a value this gave; 0 at first), or `timeout` has passed; the present value. Grows with
  // every change of any wave.
  virtual uint64_t AwaitChange(uint64_t since, absl::Duration timeout) const = 0;
};

}  // namespace peiling::fieldwork

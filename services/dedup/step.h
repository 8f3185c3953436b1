// One step of the ledger: what one commit reads, changes and tells.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/storage/store.h"
#include "services/dedup/rulings.h"
#include "services/dedup/wave_setup.h"
#include "services/dedup/workspace.h"

namespace peiling::dedup {

// The rulings of a wave as of one moment, kept from step to step: they have to be read again only when the last one is another.
struct KnownRulings {
  // documents::kLastRuling. The bytes too: a store that failed over may have given a version twice.
  uint64_t version = 0;
  std::optional<std::string> last;
  // Null: not read yet.
  std::shared_ptr<const Rulings> all;
};

// Begin, change `work` and say what is touched, Settle, Commit. Used once, by one thread.
struct Step {
  // Reads what every step reads, and `keys` with it; rulings as `known`, which it brings up to date.
  static absl::StatusOr<Step> Begin(storage::Store& store, const std::string& wave, int partition, std::vector<std::string> keys,
                                    KnownRulings& known);

  // A response as it came. Its documents must have been loaded (documents::AddKeysOfResponse).
  void Take(const intake::v1::SubmissionEvent& event, const registry::v1::Resolution& resolution);
  // Another reading of what a response says its municipality is. As Take.
  void Resolve(const std::string& response_id, const registry::v1::Resolution& resolution);

  // Decides again what hangs on the touched.
  absl::Status Settle(const WaveSetup& setup);
  // Commits all of it, `more` with it, as long as nothing it read and nothing of the setup has changed since: else ABORTED. Returns the
  // sequence of the last of its record events; documents written by `more` have it too.
  absl::StatusOr<uint64_t> Commit(const WaveSetup& setup, std::vector<storage::Write> more = {});

  storage::Store& store;
  std::string wave;
  // Of the wave; its position and its share of the report are written.
  int partition;
  Workspace work;
  std::shared_ptr<const Rulings> rulings;
  // Of the partition's submission feed, before and after.
  uint64_t taken_in_before = 0;
  uint64_t taken_in = 0;
  v1::CleaningReport report;
  // Ids of responses to decide again.
  std::set<std::string> touched;
  std::vector<v1::RecordEvent> events;
};

}  // namespace peiling::dedup

// Erases personal answers for ever: of one response when somebody asks for it, and of a wave some months after it closed (wave_times.h).
// The other answers, and so every table, stay as they are.
//
// Of a wave, every step is durable before the next, and done again without harm by whoever finds it begun:
//   erasure/<wave> in the catalogue fixes its times (wave_changes.h);
//   "erased" in each of its partitions keeps new ones out (personal_answers.h), and the secret of the respondents' keys goes with it;
//   then they are deleted response by response, each with an event, but those of a response that cannot be read, without;
//   a WaveChange tells that all are gone.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/repeater/repeater.h"
#include "services/common/storage/store.h"
#include "services/intake/catalog.h"
#include "services/intake/response_store.h"

namespace peiling::intake {

// Thread-safe. Replicas may all do this.
class Erasure {
 public:
  // All must outlive it.
  Erasure(storage::Store& store, Catalog& catalog, ResponseStore& responses) : store_(store), catalog_(catalog), responses_(responses) {}

  // As the RPC. `caller`: subject of who asks.
  absl::StatusOr<v1::Response> Erase(const v1::ErasePersonalAnswersRequest& request, const std::string& caller);
  // Erases those of every wave whose time has come. After an error, which is the first there was, the other waves have theirs erased all
  // the same; breaks off once it is stopped. What it did not get to, the next sweep does.
  absl::Status Sweep();

  // Sweeps now and every minute from then on, in a thread of its own.
  void Start() { repeater_.Start(); }
  void Stop() {
    stopping_ = true;
    repeater_.Stop();
  }

 private:
  // One try; ABORTED/CONCURRENT_CHANGE when somebody else was first.
  absl::Status TryErase(const v1::ErasePersonalAnswersRequest& request, const std::string& caller, v1::Response& response);
  absl::Status EraseWave(const v1::Wave& wave);
  absl::Status ErasePartition(const std::string& wave, int partition);
  // Those of these responses, also of such as cannot be read.
  absl::Status EraseSome(const std::string& wave, int partition, const std::vector<std::string>& ids);
  absl::Status EraseUnreadable(const std::string& wave, int partition, const std::string& id);
  // One try, of responses that can; DATA_LOSS when one cannot.
  absl::Status TryErase(const std::string& wave, int partition, const std::vector<std::string>& ids);
  void SweepLogged();

  storage::Store& store_;
  Catalog& catalog_;
  ResponseStore& responses_;
  std::atomic<bool> stopping_ = false;
  Repeater repeater_{std::chrono::minutes(1), [this] { SweepLogged(); }};
};

}  // namespace peiling::intake

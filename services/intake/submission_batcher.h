// Takes in finished responses. Those that come at the same time share one call to validation and one durable commit, which is what makes
// many small writes fast; who comes while a group is under way waits for the next.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/intake/catalog.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"

namespace peiling::intake {

// Bounds of a batcher.
struct BatchLimits {
  // Submissions waiting; one too many is refused.
  size_t max_waiting = 1024;
  // Their bytes together.
  size_t max_waiting_bytes = 64 << 20;
  // Submissions in one group.
  size_t max_group = 128;
  // Their bytes together, so that a group fits in a message to validation. A larger submission goes alone.
  size_t max_group_bytes = 2 << 20;
  // Groups under way: while one is written, the next is validated. At least 1.
  int workers = 2;
};

// Thread-safe.
class SubmissionBatcher {
 public:
  // All must outlive the batcher.
  SubmissionBatcher(Catalog& catalog, ResponseStore& responses, ResponseValidator& validator, BatchLimits limits = {});
  // Ends it.
  ~SubmissionBatcher();
  SubmissionBatcher(const SubmissionBatcher&) = delete;
  SubmissionBatcher& operator=(const SubmissionBatcher&) = delete;

  // Takes in one response and waits until it is durable. The request has been checked (validate.h). WAVE_NOT_FOUND, RESPONSE_INVALID,
  // REQUEST_ID_REUSED, CONCURRENT_CHANGE, DEADLINE_EXCEEDED when `deadline` passes before its turn,
  // RESOURCE_EXHAUSTED/TOO_MANY_SUBMISSIONS, UNAVAILABLE/SHUTTING_DOWN, and validation's and the store's errors.
  absl::StatusOr<v1::SubmitResponseResponse> Submit(const v1::SubmitResponseRequest& request,
                                                    std::chrono::system_clock::time_point deadline);

  // Refuses what comes from now on; what waits is still taken in.
  void Stop();

 private:
  // One caller of Submit, waiting; lives on its stack.
  struct Submission {
    std::shared_ptr<const WaveQuestions> questions;
    v1::Response response;
    survey::v1::Answers personal;
    std::string request_id;
    std::string digest;
    bool validate_only = false;
    size_t bytes = 0;
    std::chrono::system_clock::time_point deadline;
    std::mutex mutex;
    std::condition_variable finished;
    // What became of it; nullopt while it is under way.
    std::optional<absl::Status> status;
  };
  using Group = std::vector<Submission*>;

  absl::Status Enqueue(Submission& submission);
  void Work();
  // Waits for the next group: submissions of one wave, no request twice. Empty: the end.
  Group NextGroup();
  void TakeIn(Group group);
  // Each leaves in `group` those that go on; the others are finished.
  void Validate(Group& group);
  void Complete(Group& group);
  void Store(Group& group);
  // Takes those out of the group that were answered before.
  void AnswerRepeats(Group& group);
  static void Finish(Submission& submission, absl::Status status);
  static void FinishAll(Group& group, const absl::Status& status);

  Catalog& catalog_;
  ResponseStore& responses_;
  ResponseValidator& validator_;
  const BatchLimits limits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Submission*> waiting_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace peiling::intake

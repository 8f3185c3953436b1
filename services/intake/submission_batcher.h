// Takes in finished responses. Those that come at the same time share one call to validation and one durable commit, which is what makes
// many small writes fast; who comes while all workers have a group under way waits for the next, without holding a thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/tracing/span.h"
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
  // Groups under way to one partition: while one is written, the next is validated. With more of them they would be smaller, and cost more
  // processor time together. At least 1.
  int max_groups = 2;
  // Groups under way to all partitions of all waves; each holds a thread. At least 1.
  int workers = 16;
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

  // Takes in one response. Returns at once; `done` is called, perhaps before, perhaps by another thread, once it is durable and `response`
  // filled, or with why it was not taken in. The request has been checked (validate.h); it and `response` live until then. WAVE_NOT_FOUND,
  // WAVE_PLANNED, WAVE_CLOSED, PERSONAL_DATA_ERASED, RESPONSE_INVALID, REQUEST_ID_REUSED, CONCURRENT_CHANGE, DEADLINE_EXCEEDED when
  // `deadline` passes before its turn, RESOURCE_EXHAUSTED/TOO_MANY_SUBMISSIONS, UNAVAILABLE/SHUTTING_DOWN, and validation's and the store's
  // errors.
  using Done = std::function<void(const absl::Status&)>;
  void Submit(const v1::SubmitResponseRequest& request, std::chrono::system_clock::time_point deadline,
              v1::SubmitResponseResponse* response, Done done);

  // Refuses what comes from now on; what waits is still taken in.
  void Stop();

 private:
  // One response on its way; the response is made in its place in the answer.
  struct Submission {
    const v1::SubmitResponseRequest& request;
    const std::chrono::system_clock::time_point deadline;
    v1::SubmitResponseResponse& answer;
    const Done done;
    // When it came, which is what the wave's times are held against and it is said to have been submitted at.
    const absl::Time arrived;
    const size_t bytes;
    // The partition of its wave, as far as that is known without asking the store.
    const std::string place;
    // The call it came with; nullopt while nothing is traced.
    const std::optional<tracing::TraceContext> trace;
    // Of the response without its personal answers, so that nobody can try names against it; those are compared themselves.
    std::string digest = {};
    survey::v1::Answers personal = {};

    v1::Response& response() { return *answer.mutable_response(); }
  };
  using Group = std::vector<std::unique_ptr<Submission>>;

  absl::Status Enqueue(std::unique_ptr<Submission>& submission);
  // Whether one more group may go to the submission's partition. With the lock.
  bool MayStart(const Submission& submission) const;
  void Work();
  // Waits for the next group: submissions to one partition of a wave, no request twice. Empty: the end.
  Group NextGroup();
  // Of taking in a group: in the trace of the first that is recorded, linked to those of the others.
  static tracing::Span SpanOf(const Group& group);
  void TakeIn(Group group);
  void TakeIn(const WaveQuestions& questions, const v1::Wave& wave, int partition, Group group);
  // Puts the answers in order, and fills in what repeats are known by.
  static void Prepare(const WaveQuestions& questions, Group& group);
  // Each of these leaves in `group` those that go on; the others are finished.
  void DropLate(Group& group);
  void CheckTimes(const v1::Wave& wave, int partition, Group& group);
  void Validate(const WaveQuestions& questions, int partition, Group& group);
  void Complete(const WaveQuestions& questions, int partition, Group& group);
  void Store(const WaveQuestions& questions, int partition, Group& group);
  // Takes those out of the group that were answered before.
  void AnswerRepeats(const std::string& wave, int partition, Group& group);
  // Fills in the answer to one that was answered before; false when it was not.
  absl::StatusOr<bool> AnswerRepeat(const std::string& wave, int partition, Submission& submission);
  static void Finish(Submission& submission, const absl::Status& status);
  static void FinishAll(Group& group, const absl::Status& status);

  Catalog& catalog_;
  ResponseStore& responses_;
  ResponseValidator& validator_;
  const BatchLimits limits_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Submission>> waiting_;
  // Groups by their place; none that has none.
  absl::flat_hash_map<std::string, int> under_way_;
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace peiling::intake

#include "services/intake/submission_batcher.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/intake/answers.h"
#include "services/intake/metrics.h"
#include "services/intake/respondent_key.h"

namespace peiling::intake {
namespace {

using ::peiling::validation::v1::Issue;
using ::peiling::validation::v1::ValidateResponsesRequest;

// How often a group that lost a race is written again.
constexpr int kAttempts = 20;
// Longest a group waits for validation, when its callers would wait for ever.
constexpr std::chrono::seconds kValidationTimeout{30};

// Ids that sort by time: what is written together then lies together in the store.
std::string NewId(absl::Time now) {
  thread_local absl::BitGen random;
  return absl::StrFormat("r-%012x%010x", absl::ToUnixMillis(now), absl::Uniform<uint64_t>(random, 0, uint64_t{1} << 40));
}

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t nanos = absl::ToUnixNanos(time);
  timestamp.set_seconds(nanos / 1'000'000'000);
  timestamp.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return timestamp;
}

absl::Status ResponseInvalid(const google::protobuf::RepeatedPtrField<Issue>& issues) {
  status::BadRequest bad;
  for (const Issue& issue : issues) {
    if (issue.severity() == validation::v1::SEVERITY_ERROR) bad.Add(issue.question(), issue.message());
  }
  return bad.ToStatus("RESPONSE_INVALID");
}

absl::Status ShuttingDown() { return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "intake is shutting down"); }

}  // namespace

SubmissionBatcher::SubmissionBatcher(Catalog& catalog, ResponseStore& responses, ResponseValidator& validator, BatchLimits limits)
    : catalog_(catalog), responses_(responses), validator_(validator), limits_(limits) {
  for (int i = 0; i < limits_.workers; ++i) workers_.emplace_back([this] { Work(); });
}

SubmissionBatcher::~SubmissionBatcher() {
  Stop();
  for (std::thread& worker : workers_) worker.join();
}

void SubmissionBatcher::Stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

absl::StatusOr<v1::SubmitResponseResponse> SubmissionBatcher::Submit(const v1::SubmitResponseRequest& request,
                                                                     std::chrono::system_clock::time_point deadline) {
  absl::StatusOr<std::shared_ptr<const WaveQuestions>> questions = catalog_.Questions(request.parent());
  if (!questions.ok()) return questions.status();

  v1::SubmitResponseRequest content = request;
  content.clear_request_id();
  Submission submission{.questions = *std::move(questions),
                        .request_id = request.request_id(),
                        .digest = storage::RequestDigest(content),
                        .validate_only = request.validate_only(),
                        .bytes = request.response().ByteSizeLong(),
                        .deadline = deadline};
  submission.response.Swap(content.mutable_response());
  Normalise(*submission.questions->questionnaire, *submission.response.mutable_answers());

  if (absl::Status status = Enqueue(submission); !status.ok()) {
    CountResponse(Outcome::kRefused);
    return status;
  }
  {
    std::unique_lock lock(submission.mutex);
    submission.finished.wait(lock, [&submission] { return submission.status.has_value(); });
  }
  CountResponse(submission.status->ok() ? Outcome::kSubmitted : Outcome::kRefused);
  if (!submission.status->ok()) return *submission.status;
  v1::SubmitResponseResponse response;
  response.mutable_position()->set_submissions(submission.response.sequence());
  response.mutable_response()->Swap(&submission.response);
  return response;
}

absl::Status SubmissionBatcher::Enqueue(Submission& submission) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return ShuttingDown();
  if (waiting_.size() >= limits_.max_waiting || waiting_bytes_ + submission.bytes > limits_.max_waiting_bytes) {
    return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_SUBMISSIONS", "too many submissions are waiting; try again later");
  }
  waiting_.push_back(&submission);
  waiting_bytes_ += submission.bytes;
  SetWaiting(waiting_.size());
  changed_.notify_one();
  return absl::OkStatus();
}

SubmissionBatcher::Group SubmissionBatcher::NextGroup() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  Group group;
  size_t bytes = 0;
  std::unordered_set<std::string_view> request_ids;
  std::deque<Submission*> others;
  for (Submission* submission : waiting_) {
    const bool fits = group.empty() || (submission->questions == group.front()->questions && group.size() < limits_.max_group &&
                                        bytes + submission->bytes <= limits_.max_group_bytes);
    if (fits && request_ids.insert(submission->request_id).second) {
      bytes += submission->bytes;
      group.push_back(submission);
    } else {
      others.push_back(submission);
    }
  }
  waiting_.swap(others);
  waiting_bytes_ -= bytes;
  SetWaiting(waiting_.size());
  return group;
}

void SubmissionBatcher::Work() {
  for (Group group = NextGroup(); !group.empty(); group = NextGroup()) TakeIn(std::move(group));
}

void SubmissionBatcher::Finish(Submission& submission, absl::Status status) {
  // Told under the lock: the submission is gone as soon as its caller sees the status.
  const std::lock_guard lock(submission.mutex);
  submission.status = std::move(status);
  submission.finished.notify_one();
}

void SubmissionBatcher::FinishAll(Group& group, const absl::Status& status) {
  for (Submission* submission : group) Finish(*submission, status);
  group.clear();
}

void SubmissionBatcher::TakeIn(Group group) {
  std::erase_if(group, [now = std::chrono::system_clock::now()](Submission* submission) {
    if (submission->deadline > now) return false;
    Finish(*submission, status::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", "no time was left for the submission"));
    return true;
  });
  if (!group.empty()) Validate(group);
  if (!group.empty()) Complete(group);
  if (!group.empty()) Store(group);
}

void SubmissionBatcher::Validate(Group& group) {
  // Answers travel to validation and back without a copy.
  ValidateResponsesRequest request;
  std::chrono::system_clock::time_point latest = group.front()->deadline;
  for (Submission* submission : group) {
    validation::v1::ResponseInput& input = *request.add_responses();
    input.mutable_answers()->Swap(submission->response.mutable_answers());
    input.set_submitted(true);
    input.set_last_section(submission->response.last_section());
    latest = std::max(latest, submission->deadline);
  }
  const auto deadline = std::min(latest, std::chrono::system_clock::now() + kValidationTimeout);
  const MakeContext make_context = [deadline] {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(deadline);
    return context;
  };
  auto results = validator_.Validate(*group.front()->questions, make_context, request);
  if (!results.ok()) return FinishAll(group, results.status());
  Group valid;
  for (size_t i = 0; i < group.size(); ++i) {
    Submission& submission = *group[i];
    validation::v1::ResponseResult& result = *results->mutable_results(static_cast<int>(i));
    if (HasError(result.issues())) {
      Finish(submission, ResponseInvalid(result.issues()));
      continue;
    }
    submission.response.mutable_answers()->Swap(request.mutable_responses(static_cast<int>(i))->mutable_answers());
    submission.response.mutable_issues()->Swap(result.mutable_issues());
    submission.response.mutable_completeness()->Swap(result.mutable_completeness());
    valid.push_back(&submission);
  }
  group = std::move(valid);
}

void SubmissionBatcher::Complete(Group& group) {
  const WaveQuestions& questions = *group.front()->questions;
  const bool stored = std::any_of(group.begin(), group.end(), [](const Submission* submission) { return !submission->validate_only; });
  absl::StatusOr<std::string> secret = responses_.Secret(questions.wave, stored);
  if (!secret.ok()) return FinishAll(group, secret.status());
  const absl::Time now = absl::Now();
  std::erase_if(group, [&](Submission* submission) {
    v1::Response& response = submission->response;
    response.set_state(v1::RESPONSE_STATE_SUBMITTED);
    *response.mutable_submitted_at() = ToTimestamp(now);
    *response.mutable_updated_at() = response.submitted_at();
    response.set_respondent_key(RespondentKey(*secret, *questions.questionnaire, response.answers()));
    submission->personal = TakePersonal(*questions.questionnaire, *response.mutable_answers());
    if (submission->validate_only) {
      Finish(*submission, absl::OkStatus());
      return true;
    }
    response.set_name(absl::StrCat(questions.wave, "/responses/", NewId(now)));
    return false;
  });
}

void SubmissionBatcher::Store(Group& group) {
  const WaveQuestions& questions = *group.front()->questions;
  if (absl::Status status = catalog_.Use(questions); !status.ok()) return FinishAll(group, status);
  for (int attempt = 1; !group.empty(); ++attempt) {
    std::vector<ResponseChange> changes;
    changes.reserve(group.size());
    for (Submission* submission : group) {
      changes.push_back({.response = &submission->response,
                         .personal = submission->personal,
                         .request_id = submission->request_id,
                         .digest = submission->digest});
    }
    const absl::Status status = responses_.Commit(questions.wave, changes).status();
    if (!absl::IsAborted(status) || attempt == kAttempts) return FinishAll(group, status);
    AnswerRepeats(group);
  }
}

void SubmissionBatcher::AnswerRepeats(Group& group) {
  std::erase_if(group, [this](Submission* submission) {
    auto answer = responses_.FindAnswer(submission->questions->wave, submission->request_id, submission->digest);
    if (answer.ok() && !*answer) return false;
    if (answer.ok()) submission->response.Swap(&**answer);
    Finish(*submission, answer.status());
    return true;
  });
}

}  // namespace peiling::intake

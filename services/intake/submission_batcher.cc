#include "services/intake/submission_batcher.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/arena.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/deadline/deadline.h"
#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/intake/answers.h"
#include "services/intake/metrics.h"
#include "services/intake/respondent_key.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

using ::peiling::validation::v1::ValidateResponsesRequest;

// How often a group that lost a race is written again.
constexpr int kAttempts = 20;
// Longest a group waits for validation, when its callers would wait for ever.
constexpr std::chrono::seconds kValidationTimeout{30};

// Ids that sort by time: what is written together then lies together in the store. Drawn until one belongs to the partition.
std::string NewId(absl::Time now, int partition, int partitions) {
  thread_local absl::BitGen random;
  const std::string time = absl::StrFormat("r-%012x", absl::ToUnixMillis(now));
  while (true) {
    std::string id = absl::StrFormat("%s%010x", time, absl::Uniform<uint64_t>(random, 0, uint64_t{1} << 40));
    if (names::PartitionOf(id, partitions) == partition) return id;
  }
}

absl::Status ShuttingDown() { return status::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "intake is shutting down"); }

std::optional<tracing::TraceContext> CurrentTrace() {
  const tracing::TraceContext* const context = tracing::Current();
  return context == nullptr ? std::nullopt : std::optional(*context);
}

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

void SubmissionBatcher::Submit(const v1::SubmitResponseRequest& request, std::chrono::system_clock::time_point deadline,
                               v1::SubmitResponseResponse* response, Done done) {
  const int partition = names::PartitionOf(request.request_id(), catalog_.KnownPartitions(request.parent()));
  std::unique_ptr<Submission> submission(new Submission{.request = request,
                                                        .deadline = deadline,
                                                        .answer = *response,
                                                        .done = std::move(done),
                                                        .arrived = catalog_.now(),
                                                        .bytes = request.ByteSizeLong(),
                                                        .place = names::PartitionName(request.parent(), partition),
                                                        .trace = CurrentTrace()});
  submission->response() = request.response();
  if (absl::Status status = Enqueue(submission); !status.ok()) Finish(*submission, status);
}

absl::Status SubmissionBatcher::Enqueue(std::unique_ptr<Submission>& submission) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return ShuttingDown();
  if (waiting_.size() >= limits_.max_waiting || waiting_bytes_ + submission->bytes > limits_.max_waiting_bytes) {
    return status::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_SUBMISSIONS", "too many submissions are waiting; try again later");
  }
  waiting_bytes_ += submission->bytes;
  waiting_.push_back(std::move(submission));
  SetWaiting(waiting_.size());
  if (MayStart(*waiting_.back())) changed_.notify_one();
  return absl::OkStatus();
}

bool SubmissionBatcher::MayStart(const Submission& submission) const {
  const auto found = under_way_.find(submission.place);
  return found == under_way_.end() || found->second < limits_.max_groups;
}

SubmissionBatcher::Group SubmissionBatcher::NextGroup() {
  std::unique_lock lock(mutex_);
  const auto find = [this] {
    return std::find_if(waiting_.begin(), waiting_.end(), [this](const auto& submission) { return MayStart(*submission); });
  };
  auto first = waiting_.end();
  changed_.wait(lock, [&] {
    first = find();
    return stopping_ || first != waiting_.end();
  });
  Group group;
  // What still waits is left to those who have the groups under way it waits for.
  if (first == waiting_.end()) return group;
  const std::string place = (*first)->place;
  size_t bytes = 0;
  std::unordered_set<std::string_view> request_ids;
  std::deque<std::unique_ptr<Submission>> others;
  for (std::unique_ptr<Submission>& submission : waiting_) {
    const bool fits = submission->place == place &&
                      (group.empty() || (group.size() < limits_.max_group && bytes + submission->bytes <= limits_.max_group_bytes));
    if (fits && request_ids.insert(submission->request.request_id()).second) {
      bytes += submission->bytes;
      group.push_back(std::move(submission));
    } else {
      others.push_back(std::move(submission));
    }
  }
  waiting_.swap(others);
  waiting_bytes_ -= bytes;
  SetWaiting(waiting_.size());
  ++under_way_[place];
  // For another partition.
  if (find() != waiting_.end()) changed_.notify_one();
  return group;
}

void SubmissionBatcher::Work() {
  for (Group group = NextGroup(); !group.empty(); group = NextGroup()) {
    const std::string place = group.front()->place;
    TakeIn(std::move(group));
    const std::lock_guard lock(mutex_);
    if (--under_way_[place] == 0) under_way_.erase(place);
  }
}

void SubmissionBatcher::Finish(Submission& submission, const absl::Status& status) {
  if (!status.ok()) CountResponse(Outcome::kRefused);
  submission.done(status);
}

void SubmissionBatcher::FinishAll(Group& group, const absl::Status& status) {
  for (const auto& submission : group) Finish(*submission, status);
  group.clear();
}

tracing::Span SubmissionBatcher::SpanOf(const Group& group) {
  if (!tracing::Enabled()) return {};
  const auto first =
      std::find_if(group.begin(), group.end(), [](const auto& submission) { return submission->trace && submission->trace->sampled; });
  if (first == group.end()) return {};
  tracing::Span span = tracing::Span::Start("intake group", tracing::Kind::kInternal, &*(*first)->trace);
  span.Set("peiling.submissions", static_cast<int64_t>(group.size()));
  for (auto other = std::next(first); other != group.end(); ++other) {
    if ((*other)->trace && (*other)->trace->sampled) span.Link(*(*other)->trace);
  }
  return span;
}

void SubmissionBatcher::TakeIn(Group group) {
  DropLate(group);
  if (group.empty()) return;
  const tracing::Span span = SpanOf(group);
  const tracing::Scope scope(span);
  const absl::StatusOr<std::shared_ptr<const WaveQuestions>> questions = catalog_.Questions(group.front()->request.parent());
  if (!questions.ok()) return FinishAll(group, questions.status());
  const absl::StatusOr<std::shared_ptr<const v1::Wave>> wave = catalog_.RecentWave(group.front()->request.parent());
  if (!wave.ok()) return FinishAll(group, wave.status());
  // Just one, but for those who came before it was known how many there are.
  std::map<int, Group> partitions;
  for (auto& submission : group) {
    partitions[names::PartitionOf(submission->request.request_id(), (*questions)->partitions)].push_back(std::move(submission));
  }
  for (auto& [partition, part] : partitions) TakeIn(**questions, **wave, partition, std::move(part));
}

void SubmissionBatcher::TakeIn(const WaveQuestions& questions, const v1::Wave& wave, int partition, Group group) {
  Prepare(questions, group);
  CheckTimes(wave, partition, group);
  if (!group.empty()) Validate(questions, partition, group);
  if (!group.empty()) Complete(questions, partition, group);
  if (!group.empty()) Store(questions, partition, group);
}

void SubmissionBatcher::Prepare(const WaveQuestions& questions, Group& group) {
  for (const auto& submission : group) {
    survey::v1::Answers& answers = *submission->response().mutable_answers();
    Normalise(*questions.questionnaire, answers);
    submission->personal = TakePersonal(*questions.questionnaire, answers);
    // The receipt lies with the wave, so the response is all the content there is.
    submission->digest = storage::RequestDigest(submission->response());
    // Validation judges them, too.
    PutBackPersonal(*questions.questionnaire, submission->personal, answers);
  }
}

void SubmissionBatcher::DropLate(Group& group) {
  std::erase_if(group, [now = std::chrono::system_clock::now()](const std::unique_ptr<Submission>& submission) {
    if (submission->deadline > now) return false;
    Finish(*submission, status::Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", "no time was left for the submission"));
    return true;
  });
}

void SubmissionBatcher::CheckTimes(const v1::Wave& wave, int partition, Group& group) {
  const auto check = [&](Submission& submission) {
    const bool begun = submission.response().has_started_at();
    return CheckTakesAnswers(wave, submission.arrived,
                             begun ? std::optional(calendar::FromProto(submission.response().started_at())) : std::nullopt);
  };
  const auto first = std::stable_partition(group.begin(), group.end(), [&](const auto& submission) { return check(*submission).ok(); });
  Group refused(std::make_move_iterator(first), std::make_move_iterator(group.end()));
  group.erase(first, group.end());
  // What came in in time is answered as it was then.
  AnswerRepeats(wave.name(), partition, refused);
  if (refused.empty()) return;
  // Times that may still be lost are no reason to send anybody away.
  const absl::Status confirmed = catalog_.Confirm();
  for (const auto& submission : refused) Finish(*submission, confirmed.ok() ? check(*submission) : confirmed);
}

void SubmissionBatcher::Validate(const WaveQuestions& questions, int partition, Group& group) {
  google::protobuf::Arena arena;
  auto& request = *google::protobuf::Arena::CreateMessage<ValidateResponsesRequest>(&arena);
  std::chrono::system_clock::time_point latest = group.front()->deadline;
  for (const auto& submission : group) {
    validation::v1::ResponseInput& input = *request.add_responses();
    // Lent, not copied: the arena frees nothing that it did not make.
    input.unsafe_arena_set_allocated_answers(submission->response().mutable_answers());
    input.set_submitted(true);
    input.set_last_section(submission->response().last_section());
    latest = std::max(latest, submission->deadline);
  }
  const auto end = std::min(latest, std::chrono::system_clock::now() + kValidationTimeout);
  const MakeContext make_context = [end] {
    auto context = std::make_unique<grpc::ClientContext>();
    deadline::Set(*context, end);
    return context;
  };
  auto results = validator_.Validate(questions, make_context, request);
  if (!results.ok()) {
    // What was stored before needs no judgement to be answered again.
    AnswerRepeats(questions.wave, partition, group);
    return FinishAll(group, results.status());
  }
  int next = 0;
  std::erase_if(group, [&](const std::unique_ptr<Submission>& submission) {
    validation::v1::ResponseResult& result = *results->mutable_results(next++);
    if (HasError(result.issues())) {
      Finish(*submission, ResponseInvalid(result.issues()));
      return true;
    }
    submission->response().mutable_issues()->Swap(result.mutable_issues());
    submission->response().mutable_completeness()->Swap(result.mutable_completeness());
    return false;
  });
}

void SubmissionBatcher::Complete(const WaveQuestions& questions, int partition, Group& group) {
  const bool stored = std::any_of(group.begin(), group.end(), [](const auto& submission) { return !submission->request.validate_only(); });
  absl::StatusOr<std::string> secret = responses_.Secret(questions.wave, stored);
  if (!secret.ok()) return FinishAll(group, secret.status());
  std::erase_if(group, [&](const std::unique_ptr<Submission>& submission) {
    v1::Response& response = submission->response();
    response.set_state(v1::RESPONSE_STATE_SUBMITTED);
    *response.mutable_submitted_at() = calendar::ToProto(submission->arrived);
    *response.mutable_updated_at() = response.submitted_at();
    response.set_respondent_key(RespondentKey(*secret, *questions.questionnaire, response.answers()));
    TakePersonal(*questions.questionnaire, *response.mutable_answers());
    if (submission->request.validate_only()) {
      Finish(*submission, absl::OkStatus());
      return true;
    }
    response.set_name(absl::StrCat(questions.wave, "/responses/", NewId(submission->arrived, partition, questions.partitions)));
    return false;
  });
}

void SubmissionBatcher::Store(const WaveQuestions& questions, int partition, Group& group) {
  if (absl::Status status = catalog_.Use(questions); !status.ok()) return FinishAll(group, status);
  for (int attempt = 1; !group.empty(); ++attempt) {
    std::vector<ResponseChange> changes;
    changes.reserve(group.size());
    for (const auto& submission : group) {
      changes.push_back({.response = &submission->response(),
                         .personal = submission->personal,
                         .request_id = submission->request.request_id(),
                         .digest = submission->digest});
    }
    const absl::Status status = responses_.Commit(questions.wave, partition, changes);
    if (absl::IsAborted(status) && attempt < kAttempts) {
      AnswerRepeats(questions.wave, partition, group);
      // Somebody else wrote the same request, and what it came to could not be seen yet.
      if (group.size() == changes.size()) storage::PauseAfterRace(attempt);
      continue;
    }
    for (const auto& submission : group) {
      feed::SetSubmissions(*submission->answer.mutable_position(), partition, submission->response().sequence());
      if (status.ok()) CountResponse(Outcome::kSubmitted);
    }
    FinishAll(group, status);
  }
}

void SubmissionBatcher::AnswerRepeats(const std::string& wave, int partition, Group& group) {
  std::erase_if(group, [&](const std::unique_ptr<Submission>& submission) {
    const absl::StatusOr<bool> answered = AnswerRepeat(wave, partition, *submission);
    if (answered.ok() && !*answered) return false;
    Finish(*submission, answered.status());
    return true;
  });
}

absl::StatusOr<bool> SubmissionBatcher::AnswerRepeat(const std::string& wave, int partition, Submission& submission) {
  auto found = responses_.FindAnswer(wave, partition, submission.request.request_id(), submission.digest);
  if (!found.ok()) return found.status();
  if (!*found) return false;
  auto stored = responses_.FindMany(wave, partition, {names::LastId((*found)->name())});
  if (!stored.ok()) return stored.status();
  const std::optional<StoredResponse>& now = stored->front();
  // Once they are erased nothing tells what they were.
  if (now && !now->response.has_personal_erased_at() && now->personal.SerializeAsString() != submission.personal.SerializeAsString()) {
    return storage::RequestIdReused();
  }
  feed::SetSubmissions(*submission.answer.mutable_position(), partition, (*found)->sequence());
  submission.response() = std::move(**found);
  return true;
}

}  // namespace peiling::intake

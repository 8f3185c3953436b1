#include "services/dedup/wave_ledger.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/dedup/case_policy.h"
#include "services/dedup/documents.h"
#include "services/dedup/settlement.h"

namespace peiling::dedup {
namespace {

using absl::StatusCode;

// Responses resolved and decided again in one commit.
constexpr size_t kChunk = 256;
// A record event stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxEventBytes = 2 << 20;
// A step that loses to another process is tried again this many times.
constexpr int kAttempts = 10;

using absl::IsAborted;
template <typename T>
bool IsAborted(const absl::StatusOr<T>& result) {
  return absl::IsAborted(result.status());
}

template <typename Try>
auto Retry(Try attempt) {
  auto result = attempt();
  for (int i = 1; i < kAttempts && IsAborted(result); ++i) result = attempt();
  return result;
}

template <typename Message>
std::string DigestOf(Message request) {
  request.clear_request_id();
  return storage::RequestDigest(request);
}

absl::Status NotInFrame(const std::string& code, const WaveSetup& setup) {
  return status::Error(StatusCode::kFailedPrecondition, "NOT_IN_FRAME",
                       absl::StrCat(code, " is not a municipality of the frame of ", setup.frame_date),
                       {{"municipality_code", code}, {"frame_date", setup.frame_date}});
}

absl::Status NotReady(const std::string& wave) {
  return status::Error(StatusCode::kFailedPrecondition, "WAVE_NOT_READY", absl::StrCat(wave, " is not set up yet"), {{"wave", wave}});
}

// What one step changed as events that fit in a message; nearly always one. The step counts as taken in with the last of them.
std::vector<v1::RecordEvent> Parts(v1::RecordEvent& changes, uint64_t taken_in_before, uint64_t taken_in) {
  std::vector<v1::RecordEvent> parts(1);
  size_t bytes = 0;
  const auto part_for = [&](const google::protobuf::Message& item) -> v1::RecordEvent& {
    const size_t size = item.ByteSizeLong();
    if (bytes > 0 && bytes + size > kMaxEventBytes) {
      parts.back().set_submission_sequence(taken_in_before);
      parts.emplace_back();
      bytes = 0;
    }
    bytes += size;
    return parts.back();
  };
  *parts.back().mutable_removed_municipality_codes() = std::move(*changes.mutable_removed_municipality_codes());
  for (v1::Record& record : *changes.mutable_records()) *part_for(record).add_records() = std::move(record);
  for (v1::Decision& decision : *changes.mutable_decisions()) *part_for(decision).add_decisions() = std::move(decision);
  parts.back().set_submission_sequence(taken_in);
  return parts;
}

// What a ruling names, as one list.
std::vector<std::string> CodesOf(const v1::Ruling& ruling) {
  return ruling.has_keep() ? std::vector<std::string>{ruling.keep().municipality_code()} : AssignedCodes(ruling);
}

}  // namespace

// What one commit reads, changes and tells.
struct WaveLedger::Step {
  static absl::StatusOr<Step> Begin(storage::Store& store, const std::string& wave) {
    Step step{.work = Workspace(store, wave)};
    if (absl::Status loaded = step.work.Load({documents::kPosition, documents::kReport}); !loaded.ok()) return loaded;
    auto position = step.work.Get<survey::v1::FeedPosition>(documents::kPosition);
    if (!position.ok()) return position.status();
    auto report = step.work.Get<v1::CleaningReport>(documents::kReport);
    if (!report.ok()) return report.status();
    auto keys = step.work.LoadAll(documents::kRulings);
    if (!keys.ok()) return keys.status();
    for (const std::string& key : *keys) {
      auto ruling = step.work.Get<v1::Ruling>(key);
      if (!ruling.ok()) return ruling.status();
      step.rulings.push_back(*std::move(ruling));
    }
    step.position = *position;
    step.taken_in_before = position->submissions();
    step.report = *std::move(report);
    return step;
  }

  absl::Status Take(const intake::v1::Response& response, const registry::v1::Resolution& resolution) {
    const std::string response_key = documents::KeyOf(documents::kResponses, response.name());
    const std::string resolution_key = documents::KeyOf(documents::kResolutions, response.name());
    if (absl::Status loaded = work.Load({response_key, resolution_key}); !loaded.ok()) return loaded;
    work.Put(response_key, response);
    work.Put(resolution_key, resolution);
    touched.insert(names::LastId(response.name()));
    return absl::OkStatus();
  }

  absl::Status Settle(const WaveSetup& setup) {
    const Rulings in_force(rulings);
    v1::RecordEvent changes;
    if (absl::Status settled = Settlement(work, in_force, setup).Settle(touched, changes, report); !settled.ok()) return settled;
    report.set_municipalities(static_cast<int64_t>(setup.titles.size()));
    events = Parts(changes, taken_in_before, position.submissions());
    position.set_records(position.records() + events.size());
    work.Put(documents::kReport, report);
    work.Put(documents::kPosition, position);
    return absl::OkStatus();
  }

  absl::Status Commit(storage::Store& store, const std::string& wave, std::vector<storage::Write> more = {}) {
    storage::Batch batch{.partition = wave, .writes = work.Writes()};
    std::move(more.begin(), more.end(), std::back_inserter(batch.writes));
    batch.events = [this](uint64_t sequence) {
      std::vector<std::string> values;
      for (v1::RecordEvent& event : events) {
        event.set_sequence(sequence++);
        values.push_back(proto::CanonicalBytes(event));
      }
      return values;
    };
    return store.Commit(std::move(batch)).status();
  }

  Workspace work;
  std::vector<v1::Ruling> rulings;
  survey::v1::FeedPosition position;
  v1::CleaningReport report;
  // Ids of responses to decide again.
  std::set<std::string> touched;
  uint64_t taken_in_before = 0;
  std::vector<v1::RecordEvent> events;
};

WaveLedger::WaveLedger(storage::Store& store, std::string wave, Clock clock)
    : store_(store), wave_(std::move(wave)), clock_(std::move(clock)) {}

std::shared_ptr<const WaveSetup> WaveLedger::setup() {
  std::lock_guard lock(mutex_);
  return setup_;
}

absl::StatusOr<bool> WaveLedger::Load() {
  auto wave = documents::Read<intake::v1::Wave>(store_, wave_, documents::kWave);
  if (!wave.ok() || !wave->has_value()) return wave.ok() ? absl::StatusOr<bool>(false) : wave.status();
  auto questionnaire = documents::Read<intake::v1::GetQuestionnaireResponse>(store_, wave_, documents::kQuestionnaire);
  if (!questionnaire.ok()) return questionnaire.status();
  auto frame = documents::Read<registry::v1::ListMunicipalitiesResponse>(store_, wave_, documents::kFrame);
  if (!frame.ok()) return frame.status();
  WaveSource source{.wave = **wave};
  if (questionnaire->has_value()) source.questionnaire = **questionnaire;
  if (frame->has_value()) source.frame = **frame;
  auto made = WaveSetup::Make(source);
  if (!made.ok()) return made.status();
  std::lock_guard lock(mutex_);
  setup_ = *std::move(made);
  return true;
}

absl::Status WaveLedger::Prepare(const WaveSource& source, const Resolve& resolve) {
  auto made = WaveSetup::Make(source);
  if (!made.ok()) return made.status();
  std::lock_guard lock(mutex_);
  setup_ = *std::move(made);
  return Retry([&]() -> absl::Status {
    Workspace work(store_, wave_);
    absl::Status loaded = work.Load({documents::kWave, documents::kQuestionnaire, documents::kFrame, documents::kPolicy});
    if (!loaded.ok()) return loaded;
    work.Put(documents::kWave, source.wave);
    work.Put(documents::kQuestionnaire, source.questionnaire);
    work.Put(documents::kFrame, source.frame);
    work.Put(documents::kPolicy, kPolicyVersion);
    if (work.Writes().empty()) return absl::OkStatus();
    // The setup is written last: should this end half way, the next Prepare begins again.
    if (absl::Status decided = DecideAgain(resolve); !decided.ok()) return decided;
    if (loaded = work.Load({documents::kReport}); !loaded.ok()) return loaded;
    auto report = work.Get<v1::CleaningReport>(documents::kReport);
    if (!report.ok()) return report.status();
    report->set_municipalities(static_cast<int64_t>(setup_->titles.size()));
    work.Put(documents::kReport, *report);
    return store_.Commit({.partition = wave_, .writes = work.Writes()}).status();
  });
}

absl::Status WaveLedger::DecideAgain(const Resolve& resolve) {
  std::string after;
  while (true) {
    auto page = store_.List(wave_, documents::kResponses, after, kChunk);
    if (!page.ok()) return page.status();
    if (page->empty()) return absl::OkStatus();
    after = page->back().key;
    std::vector<intake::v1::Response> responses(page->size());
    std::vector<std::string> texts;
    for (size_t i = 0; i < page->size(); ++i) {
      absl::Status parsed = documents::Parse((*page)[i].key, (*page)[i].value, responses[i]);
      if (!parsed.ok()) return parsed;
      texts.push_back(setup_->MunicipalityText(responses[i]));
    }
    auto resolutions = resolve(texts, setup_->frame_date);
    if (!resolutions.ok()) return resolutions.status();
    if (absl::Status decided = DecideAgain(responses, *resolutions); !decided.ok()) return decided;
  }
}

absl::Status WaveLedger::DecideAgain(const std::vector<intake::v1::Response>& responses,
                                     const std::vector<registry::v1::Resolution>& resolutions) {
  auto step = Step::Begin(store_, wave_);
  if (!step.ok()) return step.status();
  for (size_t i = 0; i < responses.size(); ++i) {
    if (absl::Status taken = step->Take(responses[i], resolutions[i]); !taken.ok()) return taken;
  }
  if (absl::Status settled = step->Settle(*setup_); !settled.ok()) return settled;
  return step->Commit(store_, wave_);
}

absl::StatusOr<uint64_t> WaveLedger::SubmissionSequence() {
  auto position = documents::Read<survey::v1::FeedPosition>(store_, wave_, documents::kPosition);
  if (!position.ok()) return position.status();
  return position->has_value() ? (*position)->submissions() : 0;
}

absl::Status WaveLedger::Apply(absl::Span<const intake::v1::SubmissionEvent> events, const Resolve& resolve) {
  if (events.empty()) return absl::OkStatus();
  const std::shared_ptr<const WaveSetup> current = setup();
  if (current == nullptr) return NotReady(wave_);
  std::vector<std::string> texts;
  for (const auto& event : events) texts.push_back(current->MunicipalityText(event.response()));
  auto resolutions = resolve(texts, current->frame_date);
  if (!resolutions.ok()) return resolutions.status();
  std::lock_guard lock(mutex_);
  if (setup_ != current) return status::Error(StatusCode::kAborted, "CONCURRENT_CHANGE", absl::StrCat(wave_, " was set up anew meanwhile"));
  return Retry([&] { return TryApply(events, *resolutions); });
}

absl::Status WaveLedger::TryApply(absl::Span<const intake::v1::SubmissionEvent> events,
                                  const std::vector<registry::v1::Resolution>& resolutions) {
  auto step = Step::Begin(store_, wave_);
  if (!step.ok()) return step.status();
  for (size_t i = 0; i < events.size(); ++i) {
    const uint64_t taken_in = step->position.submissions();
    if (events[i].sequence() <= taken_in) continue;
    if (events[i].sequence() != taken_in + 1) {
      return status::Error(StatusCode::kFailedPrecondition, "SEQUENCE_GAP",
                           absl::StrCat("submission ", taken_in + 1, " is missing; ", events[i].sequence(), " came"), {{"wave", wave_}});
    }
    if (absl::Status taken = step->Take(events[i].response(), resolutions[i]); !taken.ok()) return taken;
    step->position.set_submissions(events[i].sequence());
  }
  if (step->touched.empty()) return absl::OkStatus();
  if (absl::Status settled = step->Settle(*setup_); !settled.ok()) return settled;
  return step->Commit(store_, wave_);
}

template <typename Response>
absl::StatusOr<Response> WaveLedger::FinishRuling(Step& step, const v1::Ruling& ruling, const std::string& request_id,
                                                  const std::string& digest, Response response) {
  step.touched.insert(names::LastId(ruling.response()));
  if (absl::Status settled = step.Settle(*setup_); !settled.ok()) return settled;
  *response.mutable_ruling() = ruling;
  *response.mutable_position() = step.position;
  absl::Status committed = step.Commit(store_, wave_, {storage::ReceiptWrite(request_id, digest, response)});
  if (!committed.ok()) return committed;
  return response;
}

absl::StatusOr<v1::CreateRulingResponse> WaveLedger::CreateRuling(const v1::CreateRulingRequest& request) {
  std::lock_guard lock(mutex_);
  if (setup_ == nullptr) return NotReady(wave_);
  return Retry([&] { return TryCreateRuling(request); });
}

absl::StatusOr<v1::CreateRulingResponse> WaveLedger::TryCreateRuling(const v1::CreateRulingRequest& request) {
  v1::CreateRulingResponse response;
  const std::string digest = DigestOf(request);
  auto answered = storage::FindReceipt(store_, wave_, request.request_id(), digest, response);
  if (!answered.ok()) return answered.status();
  if (*answered) return response;

  auto step = Step::Begin(store_, wave_);
  if (!step.ok()) return step.status();
  if (absl::Status checked = CheckRuling(request.ruling(), *step); !checked.ok()) return checked;
  const auto number = static_cast<int64_t>(step->rulings.size()) + 1;
  v1::Ruling& ruling = step->rulings.emplace_back(request.ruling());
  ruling.set_name(absl::StrCat(wave_, "/rulings/", number));
  *ruling.mutable_ruled_at() = clock_();
  const std::string key = documents::RulingKey(number);
  if (absl::Status loaded = step->work.Load({key}); !loaded.ok()) return loaded;
  step->work.Put(key, ruling);
  return FinishRuling(*step, ruling, request.request_id(), digest, std::move(response));
}

absl::Status WaveLedger::CheckRuling(const v1::Ruling& ruling, Step& step) const {
  const std::string response_key = documents::KeyOf(documents::kResponses, ruling.response());
  const std::string decision_key = documents::KeyOf(documents::kDecisions, ruling.response());
  if (absl::Status loaded = step.work.Load({response_key, decision_key}); !loaded.ok()) return loaded;
  if (!step.work.After(response_key).has_value()) {
    return status::Error(StatusCode::kNotFound, "RESPONSE_NOT_FOUND", absl::StrCat("no response ", ruling.response()),
                         {{"response", ruling.response()}});
  }
  for (const std::string& code : CodesOf(ruling)) {
    if (!setup_->InFrame(code)) return NotInFrame(code, *setup_);
  }
  const Rulings standing(step.rulings);
  if (const v1::Ruling* other = standing.Conflict(ruling)) {
    return status::Error(StatusCode::kAlreadyExists, "RULING_CONFLICT", absl::StrCat(other->name(), " says otherwise; retract it first"),
                         {{"ruling", other->name()}});
  }
  if (!ruling.has_keep()) return absl::OkStatus();
  auto decision = step.work.Get<v1::Decision>(decision_key);
  if (!decision.ok()) return decision.status();
  const auto& codes = decision->municipality_codes();
  if (std::find(codes.begin(), codes.end(), ruling.keep().municipality_code()) != codes.end()) return absl::OkStatus();
  return status::Error(StatusCode::kFailedPrecondition, "NOT_IN_CASE",
                       absl::StrCat(ruling.response(), " is not about ", ruling.keep().municipality_code(), "; assign it first"),
                       {{"response", ruling.response()}, {"municipality_code", ruling.keep().municipality_code()}});
}

absl::StatusOr<v1::RetractRulingResponse> WaveLedger::RetractRuling(const v1::RetractRulingRequest& request) {
  std::lock_guard lock(mutex_);
  if (setup_ == nullptr) return NotReady(wave_);
  return Retry([&] { return TryRetractRuling(request); });
}

absl::StatusOr<v1::RetractRulingResponse> WaveLedger::TryRetractRuling(const v1::RetractRulingRequest& request) {
  v1::RetractRulingResponse response;
  const std::string digest = DigestOf(request);
  auto answered = storage::FindReceipt(store_, wave_, request.request_id(), digest, response);
  if (!answered.ok()) return answered.status();
  if (*answered) return response;

  auto step = Step::Begin(store_, wave_);
  if (!step.ok()) return step.status();
  const auto found =
      std::find_if(step->rulings.begin(), step->rulings.end(), [&](const auto& ruling) { return ruling.name() == request.name(); });
  if (found == step->rulings.end()) {
    return status::Error(StatusCode::kNotFound, "RULING_NOT_FOUND", absl::StrCat("no ruling ", request.name()),
                         {{"ruling", request.name()}});
  }
  v1::Ruling& ruling = *found;
  if (ruling.has_retracted_at()) {
    return status::Error(StatusCode::kFailedPrecondition, "ALREADY_RETRACTED", absl::StrCat(request.name(), " was taken back already"),
                         {{"ruling", request.name()}});
  }
  *ruling.mutable_retracted_at() = clock_();
  ruling.set_retracted_by(request.retracted_by());
  ruling.set_retraction_reason(request.reason());
  step->work.Put(documents::RulingKey(found - step->rulings.begin() + 1), ruling);
  return FinishRuling(*step, ruling, request.request_id(), digest, std::move(response));
}

}  // namespace peiling::dedup

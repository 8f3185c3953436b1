#include "services/dedup/wave_ledger.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/rpc/status.pb.h"
#include "peiling/survey/v1/feed.pb.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/dedup/case_policy.h"
#include "services/dedup/dedup_metrics.h"
#include "services/dedup/documents.h"

namespace peiling::dedup {
namespace {

using absl::StatusCode;
using intake::v1::SubmissionEvent;

// Responses resolved and decided again in one commit.
constexpr size_t kChunk = 256;
// Times a step that loses to another process is tried in all: again at once, then after a pause each.
constexpr int kAttempts = 10;
// What a wave is decided with, in the order of WaveSetup::versions.
const std::vector<std::string>& SetupKeys() {
  static const auto* keys =
      new std::vector<std::string>{documents::kWave, documents::kQuestionnaire, documents::kFrame, documents::kPolicy};
  return *keys;
}

using absl::IsAborted;
template <typename T>
bool IsAborted(const absl::StatusOr<T>& result) {
  return absl::IsAborted(result.status());
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

absl::Status OtherPolicy(const std::string& wave, const std::string& policy) {
  return status::Error(StatusCode::kFailedPrecondition, "OTHER_POLICY",
                       absl::StrCat(wave, " is decided with policy ", policy, "; this program has ", kPolicyVersion), {{"wave", wave}});
}

absl::Status SequenceGap(const std::string& wave, uint64_t taken_in, uint64_t came) {
  return status::Error(StatusCode::kFailedPrecondition, "SEQUENCE_GAP",
                       absl::StrCat("submission ", taken_in + 1, " is missing; ", came, " came"), {{"wave", wave}});
}

// What a ruling names, as one list.
std::vector<std::string> CodesOf(const v1::Ruling& ruling) {
  return ruling.has_keep() ? std::vector<std::string>{ruling.keep().municipality_code()} : AssignedCodes(ruling);
}

// The versions as one value; see documents::kDecided.
std::string VersionsText(const WaveSetup::Versions& versions) {
  return absl::StrJoin(versions, " ", [](std::string* text, const auto& version) { absl::StrAppend(text, version.second); });
}

// A ruling that cannot be made; OK when it can.
absl::Status CheckRuling(const v1::Ruling& ruling, const WaveSetup& setup, const Step& step) {
  const std::string decision_key = documents::KeyOf(documents::kDecisions, ruling.response());
  if (!step.work.After(documents::KeyOf(documents::kResponses, ruling.response())).has_value()) {
    return status::Error(StatusCode::kNotFound, "RESPONSE_NOT_FOUND", absl::StrCat("no response ", ruling.response()),
                         {{"response", ruling.response()}});
  }
  for (const std::string& code : CodesOf(ruling)) {
    if (!setup.InFrame(code)) return NotInFrame(code, setup);
  }
  if (const v1::Ruling* other = step.rulings->Conflict(ruling)) {
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

// Keys of everything kept of the events' responses.
std::vector<std::string> KeysOf(absl::Span<const SubmissionEvent> events) {
  std::vector<std::string> keys;
  for (const auto& event : events) documents::AddKeysOfResponse(names::LastId(event.response().name()), keys);
  return keys;
}

}  // namespace

WaveLedger::WaveLedger(storage::Store& store, std::string wave, Clock clock)
    : store_(store), wave_(std::move(wave)), clock_(std::move(clock)) {}

WaveLedger::Setup WaveLedger::setup() {
  std::lock_guard lock(mutex_);
  return setup_;
}

void WaveLedger::Adopt(Setup setup) {
  std::lock_guard lock(mutex_);
  setup_ = std::move(setup);
}

absl::Status WaveLedger::CheckReady(const Setup& setup) const {
  if (setup == nullptr) {
    return status::Error(StatusCode::kFailedPrecondition, "WAVE_NOT_READY", absl::StrCat(wave_, " is not set up yet"), {{"wave", wave_}});
  }
  return setup->policy == kPolicyVersion ? absl::OkStatus() : OtherPolicy(wave_, setup->policy);
}

template <typename Attempt>
auto WaveLedger::Retry(Attempt attempt, const Setup& wanted) -> decltype(attempt(std::declval<const WaveSetup&>())) {
  for (int attempts = 1;; ++attempts) {
    auto result = [&]() -> decltype(attempt(std::declval<const WaveSetup&>())) {
      std::lock_guard lock(steps_);
      const Setup current = setup();
      if (absl::Status ready = CheckReady(current); !ready.ok()) return ready;
      if (wanted != nullptr && wanted != current) {
        return status::Error(StatusCode::kFailedPrecondition, "SET_UP_ANEW", absl::StrCat(wave_, " was set up anew meanwhile"));
      }
      return attempt(*current);
    }();
    if (!IsAborted(result)) return result;
    CountLostRace(wave_);
    if (attempts == kAttempts) return result;
    if (attempts > 1) storage::PauseAfterRace(attempts - 1);
    // It may be the setup that is another.
    if (auto loaded = Load(); !loaded.ok()) return loaded.status();
  }
}

absl::StatusOr<bool> WaveLedger::Load() {
  auto stored = store_.GetMany(wave_, SetupKeys());
  if (!stored.ok()) return stored.status();
  WaveSetup::Versions versions;
  for (size_t i = 0; i < stored->size(); ++i) {
    if (!(*stored)[i].has_value()) return false;
    versions.emplace_back(SetupKeys()[i], (*stored)[i]->version);
  }
  if (const Setup known = setup(); known != nullptr && known->versions == versions) return true;
  // Kept from step to step by its versions, so they must be none that a failover takes back and gives to another setup.
  if (absl::Status durable = store_.Confirm(wave_); !durable.ok()) return durable;
  WaveSource source;
  const std::vector<google::protobuf::Message*> parts = {&source.wave, &source.questionnaire, &source.frame};
  for (size_t i = 0; i < parts.size(); ++i) {
    if (absl::Status parsed = documents::Parse(SetupKeys()[i], (*stored)[i]->value, *parts[i]); !parsed.ok()) return parsed;
  }
  auto made = WaveSetup::Make(source, (*stored)[parts.size()]->value, std::move(versions));
  if (!made.ok()) return made.status();
  Adopt(*std::move(made));
  return true;
}

absl::Status WaveLedger::Prepare(const WaveSource& source, const Resolve& resolve) {
  std::lock_guard lock(preparing_);
  absl::Status written = WriteSetup(source);
  for (int attempts = 1; attempts < kAttempts && absl::IsAborted(written); ++attempts) {
    storage::PauseAfterRace(attempts);
    written = WriteSetup(source);
  }
  if (!written.ok()) return written;
  const Setup current = setup();
  auto decided = store_.Get(wave_, documents::kDecided);
  if (!decided.ok()) return decided.status();
  if (decided->has_value() && (*decided)->value == VersionsText(current->versions)) return absl::OkStatus();
  // That it is done is written last: should this end half way, the next Prepare begins again.
  if (absl::Status again = DecideAgain(current, resolve); !again.ok()) return again;
  return Retry([&](const WaveSetup& setup) { return FinishSetup(setup); }, current);
}

absl::Status WaveLedger::WriteSetup(const WaveSource& source) {
  Workspace work(store_, wave_);
  if (absl::Status loaded = work.Load(SetupKeys()); !loaded.ok()) return loaded;
  const std::string& policy = work.Before(documents::kPolicy).value_or("");
  if (std::atoi(policy.c_str()) > std::atoi(kPolicyVersion)) return OtherPolicy(wave_, policy);
  work.Put(documents::kWave, source.wave);
  work.Put(documents::kQuestionnaire, source.questionnaire);
  work.Put(documents::kFrame, source.frame);
  work.Put(documents::kPolicy, kPolicyVersion);
  if (work.Changed()) {
    // Questions that do not compile are not kept.
    if (auto made = WaveSetup::Make(source); !made.ok()) return made.status();
    storage::Batch batch{.partition = wave_};
    work.AddTo(batch);
    if (auto committed = store_.Commit(std::move(batch)); !committed.ok()) return committed.status();
  }
  auto loaded = Load();
  if (!loaded.ok()) return loaded.status();
  return *loaded ? absl::OkStatus() : CheckReady(nullptr);
}

absl::Status WaveLedger::DecideAgain(const Setup& setup, const Resolve& resolve) {
  std::string after;
  while (true) {
    auto page = store_.List(wave_, documents::kResponses, after, kChunk);
    if (!page.ok()) return page.status();
    if (page->empty()) return absl::OkStatus();
    after = page->back().key;
    std::vector<SubmissionEvent> responses(page->size());
    for (size_t i = 0; i < page->size(); ++i) {
      absl::Status parsed = documents::Parse((*page)[i].key, (*page)[i].value, *responses[i].mutable_response());
      if (!parsed.ok()) return parsed;
    }
    auto resolutions = ResolveAll(*setup, responses, resolve);
    if (!resolutions.ok()) return resolutions.status();
    absl::Status decided = Retry([&](const WaveSetup& current) { return TryDecideAgain(current, *page, *resolutions); }, setup);
    if (!decided.ok()) return decided;
  }
}

absl::Status WaveLedger::TryDecideAgain(const WaveSetup& setup, const std::vector<storage::Document>& responses,
                                        const std::vector<registry::v1::Resolution>& resolutions) {
  std::vector<std::string> keys;
  for (const auto& response : responses) documents::AddKeysOfResponse(std::string(names::LastId(response.key)), keys);
  auto step = Step::Begin(store_, wave_, 0, std::move(keys), known_rulings_);
  if (!step.ok()) return step.status();
  for (size_t i = 0; i < responses.size(); ++i) {
    // One that has changed meanwhile was decided with the new setup already.
    if (step->work.Before(responses[i].key) == responses[i].value) step->Resolve(names::LastId(responses[i].key), resolutions[i]);
  }
  if (absl::Status settled = step->Settle(setup); !settled.ok()) return settled;
  return step->Commit(setup).status();
}

absl::Status WaveLedger::FinishSetup(const WaveSetup& setup) {
  const std::string report_key = documents::PartitionKey(documents::kReports, 0);
  Workspace work(store_, wave_);
  if (absl::Status loaded = work.Load({documents::kDecided, report_key}); !loaded.ok()) return loaded;
  auto report = work.Get<v1::CleaningReport>(report_key);
  if (!report.ok()) return report.status();
  report->set_municipalities(static_cast<int64_t>(setup.titles.size()));
  work.Put(report_key, *report);
  work.Put(documents::kDecided, VersionsText(setup.versions));
  storage::Batch batch{.partition = wave_, .expectations = setup.versions};
  work.AddTo(batch);
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<std::vector<registry::v1::Resolution>> WaveLedger::ResolveAll(const WaveSetup& setup,
                                                                             absl::Span<const SubmissionEvent> events,
                                                                             const Resolve& resolve) const {
  std::vector<std::string> texts;
  for (const auto& event : events) texts.push_back(setup.MunicipalityText(event.response()));
  return resolve(texts, setup.frame_date);
}

absl::StatusOr<uint64_t> WaveLedger::SubmissionSequence(int partition) {
  auto position = documents::Read<survey::v1::FeedPosition>(store_, wave_, documents::PartitionKey(documents::kPositions, partition));
  if (!position.ok()) return position.status();
  return position->has_value() ? (*position)->submissions() : 0;
}

absl::Status WaveLedger::Apply(int partition, absl::Span<const SubmissionEvent> events, const Resolve& resolve) {
  if (events.empty()) return absl::OkStatus();
  const Setup current = setup();
  if (absl::Status ready = CheckReady(current); !ready.ok()) return ready;
  auto resolutions = ResolveAll(*current, events, resolve);
  if (!resolutions.ok()) return resolutions.status();
  return Retry([&](const WaveSetup& setup) { return TryApply(setup, partition, events, *resolutions); }, current);
}

absl::Status WaveLedger::TryApply(const WaveSetup& setup, int partition, absl::Span<const SubmissionEvent> events,
                                  const std::vector<registry::v1::Resolution>& resolutions) {
  auto step = Step::Begin(store_, wave_, partition, KeysOf(events), known_rulings_);
  if (!step.ok()) return step.status();
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].sequence() <= step->taken_in) continue;
    if (events[i].sequence() != step->taken_in + 1) return SequenceGap(wave_, step->taken_in, events[i].sequence());
    step->Take(events[i], resolutions[i]);
    step->taken_in = events[i].sequence();
  }
  if (step->touched.empty()) return absl::OkStatus();
  if (absl::Status settled = step->Settle(setup); !settled.ok()) return settled;
  return step->Commit(setup).status();
}

absl::Status WaveLedger::SetAside(int partition, const SubmissionEvent& event, const absl::Status& why) {
  auto standing = store_.Count(wave_, documents::SetAsidePrefix(partition));
  if (!standing.ok()) return standing.status();
  if (*standing >= kMostSetAside) {
    return status::Error(StatusCode::kResourceExhausted, "TOO_MANY_SET_ASIDE",
                         absl::StrCat(*standing, " submissions of ", wave_,
                                      " are set aside already; another could not be taken in: ", std::string(why.message())),
                         {{"wave", wave_}, {"partition", std::to_string(partition)}});
  }
  return Retry([&](const WaveSetup& setup) { return TrySetAside(setup, partition, event, why); });
}

absl::Status WaveLedger::TrySetAside(const WaveSetup& setup, int partition, const SubmissionEvent& event, const absl::Status& why) {
  const std::string key = documents::SetAsideKey(partition, event.sequence());
  auto step = Step::Begin(store_, wave_, partition, {key}, known_rulings_);
  if (!step.ok()) return step.status();
  if (event.sequence() <= step->taken_in) return absl::OkStatus();
  if (event.sequence() != step->taken_in + 1) return SequenceGap(wave_, step->taken_in, event.sequence());
  google::rpc::Status kept;
  kept.set_code(static_cast<int>(why.code()));
  kept.set_message(std::string(why.message()));
  kept.add_details()->PackFrom(event);
  step->work.Put(key, kept);
  step->taken_in = event.sequence();
  if (absl::Status settled = step->Settle(setup); !settled.ok()) return settled;
  return step->Commit(setup).status();
}

absl::StatusOr<std::vector<uint64_t>> WaveLedger::ListSetAside(int partition) {
  auto listed = store_.List(wave_, documents::SetAsidePrefix(partition), "", kMostSetAside);
  if (!listed.ok()) return listed.status();
  std::vector<uint64_t> sequences;
  for (const storage::Document& document : *listed) sequences.push_back(std::strtoull(names::LastId(document.key).c_str(), nullptr, 10));
  return sequences;
}

absl::Status WaveLedger::TakeInLate(int partition, const SubmissionEvent& event, const Resolve& resolve) {
  const Setup current = setup();
  if (absl::Status ready = CheckReady(current); !ready.ok()) return ready;
  auto resolutions = ResolveAll(*current, {event}, resolve);
  if (!resolutions.ok()) return resolutions.status();
  return Retry([&](const WaveSetup& setup) { return TryTakeInLate(setup, partition, event, resolutions->front()); }, current);
}

absl::Status WaveLedger::TryTakeInLate(const WaveSetup& setup, int partition, const SubmissionEvent& event,
                                       const registry::v1::Resolution& resolution) {
  const std::string set_aside_key = documents::SetAsideKey(partition, event.sequence());
  std::vector<std::string> keys = KeysOf({event});
  keys.push_back(set_aside_key);
  auto step = Step::Begin(store_, wave_, partition, std::move(keys), known_rulings_);
  if (!step.ok()) return step.status();
  if (!step->work.Before(set_aside_key).has_value()) return absl::OkStatus();
  auto stands = step->work.Get<intake::v1::Response>(documents::KeyOf(documents::kResponses, event.response().name()));
  if (!stands.ok()) return stands.status();
  if (stands->sequence() < event.sequence()) step->Take(event, resolution);
  step->work.Erase(set_aside_key);
  if (absl::Status settled = step->Settle(setup); !settled.ok()) return settled;
  return step->Commit(setup).status();
}

template <typename Response>
absl::StatusOr<Response> WaveLedger::FinishRuling(const WaveSetup& setup, Step& step, size_t number, const v1::Ruling& ruling,
                                                  const std::string& request_id, const std::string& digest, Response response) {
  std::vector<v1::Ruling> rulings = step.rulings->all();
  rulings.resize(std::max(rulings.size(), number));
  rulings[number - 1] = ruling;
  step.rulings = std::make_shared<const Rulings>(std::move(rulings));
  const std::string key = documents::RulingKey(static_cast<int64_t>(number));
  if (absl::Status loaded = step.work.Load({key}); !loaded.ok()) return loaded;
  step.work.Put(key, ruling);
  step.work.Put(documents::kLastRuling, ruling);
  step.touched.insert(names::LastId(ruling.response()));
  if (absl::Status settled = step.Settle(setup); !settled.ok()) return settled;
  *response.mutable_ruling() = ruling;
  auto sequence = step.Commit(setup, {storage::ReceiptWrite(request_id, digest, response)});
  if (!sequence.ok()) return sequence.status();
  response.mutable_position()->set_records(*sequence);
  return response;
}

absl::StatusOr<v1::CreateRulingResponse> WaveLedger::CreateRuling(const v1::CreateRulingRequest& request, const std::string& caller) {
  // A step with an old setup would be refused, but what the old frame forbids makes no step.
  if (auto loaded = Load(); !loaded.ok()) return loaded.status();
  return Retry([&](const WaveSetup& setup) { return TryCreateRuling(setup, request, caller); });
}

absl::StatusOr<v1::CreateRulingResponse> WaveLedger::TryCreateRuling(const WaveSetup& setup, const v1::CreateRulingRequest& request,
                                                                     const std::string& caller) {
  v1::CreateRulingResponse response;
  const std::string digest = DigestOf(request);
  uint64_t sequence = 0;
  auto answered = storage::FindReceipt(store_, wave_, request.request_id(), digest, response, &sequence);
  if (!answered.ok()) return answered.status();
  if (*answered) {
    response.mutable_position()->set_records(sequence);
    return response;
  }

  std::vector<std::string> keys;
  documents::AddKeysOfResponse(names::LastId(request.ruling().response()), keys);
  auto step = Step::Begin(store_, wave_, 0, std::move(keys), known_rulings_);
  if (!step.ok()) return step.status();
  if (absl::Status checked = CheckRuling(request.ruling(), setup, *step); !checked.ok()) return checked;
  const size_t number = step->rulings->all().size() + 1;
  v1::Ruling ruling = request.ruling();
  ruling.set_name(absl::StrCat(wave_, "/rulings/", number));
  *ruling.mutable_ruled_at() = clock_();
  ruling.set_recorded_by(caller);
  if (ruling.ruled_by().empty()) ruling.set_ruled_by(caller);
  return FinishRuling(setup, *step, number, ruling, request.request_id(), digest, std::move(response));
}

absl::StatusOr<v1::RetractRulingResponse> WaveLedger::RetractRuling(const v1::RetractRulingRequest& request, const std::string& caller) {
  return Retry([&](const WaveSetup& setup) { return TryRetractRuling(setup, request, caller); });
}

absl::StatusOr<v1::RetractRulingResponse> WaveLedger::TryRetractRuling(const WaveSetup& setup, const v1::RetractRulingRequest& request,
                                                                       const std::string& caller) {
  v1::RetractRulingResponse response;
  const std::string digest = DigestOf(request);
  uint64_t sequence = 0;
  auto answered = storage::FindReceipt(store_, wave_, request.request_id(), digest, response, &sequence);
  if (!answered.ok()) return answered.status();
  if (*answered) {
    response.mutable_position()->set_records(sequence);
    return response;
  }

  auto step = Step::Begin(store_, wave_, 0, {}, known_rulings_);
  if (!step.ok()) return step.status();
  const std::vector<v1::Ruling>& rulings = step->rulings->all();
  const auto found = std::find_if(rulings.begin(), rulings.end(), [&](const auto& ruling) { return ruling.name() == request.name(); });
  if (found == rulings.end()) {
    return status::Error(StatusCode::kNotFound, "RULING_NOT_FOUND", absl::StrCat("no ruling ", request.name()),
                         {{"ruling", request.name()}});
  }
  v1::Ruling ruling = *found;
  if (ruling.has_retracted_at()) {
    if (absl::Status durable = store_.Confirm(wave_); !durable.ok()) return durable;
    return status::Error(StatusCode::kFailedPrecondition, "ALREADY_RETRACTED", absl::StrCat(request.name(), " was taken back already"),
                         {{"ruling", request.name()}});
  }
  *ruling.mutable_retracted_at() = clock_();
  ruling.set_retraction_recorded_by(caller);
  ruling.set_retracted_by(request.retracted_by().empty() ? caller : request.retracted_by());
  ruling.set_retraction_reason(request.reason());
  return FinishRuling(setup, *step, found - rulings.begin() + 1, ruling, request.request_id(), digest, std::move(response));
}

}  // namespace peiling::dedup

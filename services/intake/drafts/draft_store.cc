#include "services/intake/drafts/draft_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/feed/position.h"
#include "services/common/log/log.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/etag.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/intake/answers.h"
#include "services/intake/drafts/draft_etag.h"
#include "services/intake/drafts/draft_merge.h"
#include "services/intake/drafts/draft_response.h"
#include "services/intake/metrics.h"
#include "services/intake/personal_answers.h"
#include "services/intake/respondent_key.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

using ::peiling::survey::CompiledQuestionnaire;

// How often a lost race is tried again.
constexpr int kAttempts = 20;
// Bytes of a page of changes, which must fit in a message (4 MiB) together with one change more.
constexpr size_t kPageBytes = 1 << 20;
// Entries of a history read at a time; each may have two answers of a whole draft.
constexpr size_t kChangesAtATime = 10;
// How long the sweeper waits for its turn.
constexpr std::chrono::seconds kPublishPatience(1);
// Marks of a partition looked at at a time.
constexpr size_t kMarksAtATime = 100;

absl::Status Refuse(std::string_view reason, std::string_view message, const std::string& name) {
  return status::Error(absl::StatusCode::kFailedPrecondition, reason, message, {{"name", name}});
}

bool IsPersonal(const CompiledQuestionnaire& questionnaire, const std::string& code) {
  const survey::QuestionIndex index = questionnaire.Find(code);
  return index != survey::kNoQuestion && questionnaire.questions()[index].question->personal();
}

bool HasPersonal(const v1::SaveDraftRequest& request, const CompiledQuestionnaire& questionnaire) {
  return std::any_of(request.changes().begin(), request.changes().end(),
                     [&](const v1::AnswerChange& change) { return IsPersonal(questionnaire, change.answer().question()); });
}

// What of an answer goes into its receipt: of conflicts only which questions are in them. The rest the caller sends again, or it stands in
// the draft.
v1::SaveDraftResponse ForReceipt(const v1::SaveDraftResponse& answer) {
  v1::SaveDraftResponse kept = answer;
  kept.clear_conflicts();
  for (const v1::AnswerConflict& conflict : answer.conflicts()) {
    v1::AnswerChange& yours = *kept.add_conflicts()->mutable_yours();
    yours.set_municipality(conflict.yours().municipality());
    yours.mutable_answer()->set_question(conflict.yours().answer().question());
  }
  return kept;
}

// The conflict of a receipt, with what stands there now.
v1::AnswerConflict FromReceipt(const v1::AnswerChange& kept, const v1::SaveDraftRequest& request,
                               const CompiledQuestionnaire& questionnaire, const StoredDraft& stored, const DraftWriter& writer) {
  const auto yours = std::find_if(request.changes().begin(), request.changes().end(), [&](const v1::AnswerChange& change) {
    return change.answer().question() == kept.answer().question() && change.municipality() == kept.municipality();
  });
  // The same request has it.
  if (yours == request.changes().end()) return {};
  v1::AnswerConflict conflict = ConflictWith(*yours, questionnaire, stored.draft, stored.personal);
  const survey::CompiledQuestion& question = questionnaire.questions()[questionnaire.Find(kept.answer().question())];
  if (question.question->personal() && !writer.MayWrite(question)) conflict.mutable_theirs()->clear_value();
  return conflict;
}

size_t BytesOf(const StoredDraft& stored) {
  size_t bytes = stored.draft.answers().ByteSizeLong() + stored.personal.ByteSizeLong();
  for (const auto& own : stored.draft.municipality_answers()) bytes += own.ByteSizeLong();
  return bytes;
}

// Moves the section and the language on; whether they did. Who writes in some sections only says nothing of the whole.
bool MoveOn(const v1::SaveDraftRequest& request, const DraftWriter& writer, v1::Draft& draft) {
  if (writer.sections) return false;
  const int32_t section = std::max(draft.last_section(), request.last_section());
  const std::string& language = request.language().empty() ? draft.language() : request.language();
  if (section == draft.last_section() && language == draft.language()) return false;
  draft.set_last_section(section);
  draft.set_language(language);
  return true;
}

absl::Status CheckSize(const StoredDraft& stored) {
  const size_t bytes = BytesOf(stored);
  if (bytes <= kMaxResponseBytes) return absl::OkStatus();
  return status::Error(absl::StatusCode::kResourceExhausted, "RESPONSE_TOO_LARGE",
                       absl::StrCat("the answers would take ", bytes, " bytes, of at most ", kMaxResponseBytes),
                       {{"name", stored.draft.name()}});
}

// What is known by an etag, which was checked. One that speaks of revisions that are not there (the store is an older copy) says nothing.
KnownRevisions KnownBy(const std::string& etag, const StoredDraft& stored) {
  const std::optional<KnownRevisions> known = KnownRevisions::Parse(etag);
  return known && known->last() <= stored.version ? *known : KnownRevisions();
}

// The question that names the municipality, answered with the codes.
void AnswerMunicipality(const CompiledQuestionnaire& questionnaire, const DraftSave& save, v1::Draft& draft) {
  const survey::QuestionIndex index = questionnaire.FindRole(survey::v1::QUESTION_ROLE_MUNICIPALITY);
  if (index == survey::kNoQuestion) return;
  google::protobuf::RepeatedPtrField<v1::AnswerChange> changes;
  survey::v1::Answer& answer = *changes.Add()->mutable_answer();
  answer.set_question(questionnaire.questions()[index].question->code());
  answer.set_text(absl::StrJoin(draft.municipalities(), ", "));
  survey::v1::Answers personal;
  MergeChanges({.changes = changes, .revision = save.revision, .now = save.now, .author = save.author}, questionnaire, draft, personal);
}

}  // namespace

template <typename T>
absl::StatusOr<T> DraftStore::Run(const DraftPlace& place, const std::function<absl::StatusOr<T>()>& attempt,
                                  const std::function<absl::StatusOr<std::optional<T>>()>& find_answer) {
  for (int tried = 1;; ++tried) {
    absl::StatusOr<T> answer = attempt();
    if (answer.ok()) return answer;
    // Repeats are rare, so they are looked for only here.
    absl::StatusOr<std::optional<T>> before = find_answer();
    if (before.ok() && !*before && status::Reason(answer.status()) == "CONCURRENT_CHANGE" && tried < kAttempts) {
      storage::PauseAfterRace(tried);
      continue;
    }
    if (absl::Status status = parts_.store.Confirm(place.partition_name); !status.ok()) return status;
    if (!before.ok()) return before.status();
    if (*before) return **std::move(before);
    return answer;
  }
}

absl::StatusOr<std::optional<v1::Draft>> DraftStore::FindDraftAnswer(const DraftPlace& place, const DraftWriter& writer,
                                                                     const Receipt& receipt) {
  v1::Response response;
  auto found = storage::FindReceipt(parts_.store, place.partition_name, receipt.request_id, receipt.digest, response);
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<v1::Draft> shown = Show(*opened, writer);
  if (!shown.ok()) return shown.status();
  return *std::move(shown);
}

absl::StatusOr<std::optional<v1::SaveDraftResponse>> DraftStore::FindSaveAnswer(const v1::SaveDraftRequest& request,
                                                                                const DraftPlace& place, const DraftWriter& writer,
                                                                                const Receipt& receipt) {
  v1::SaveDraftResponse answer;
  auto found = storage::FindReceipt(parts_.store, place.partition_name, receipt.request_id, receipt.digest, answer);
  if (!found.ok()) return found.status();
  if (!*found) return std::nullopt;
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  for (v1::AnswerConflict& conflict : *answer.mutable_conflicts()) {
    conflict = FromReceipt(conflict.yours(), request, *opened->questions->questionnaire, opened->stored, writer);
  }
  return answer;
}

absl::StatusOr<DraftPlace> DraftStore::PlaceOf(const std::string& response) {
  const absl::StatusOr<int> partitions = parts_.catalog.Partitions(names::WaveOf(response));
  if (!partitions.ok()) return partitions.status();
  return PlaceOfDraft(response, *partitions);
}

absl::Status DraftStore::NoDraft(const DraftPlace& place) {
  const std::string name = absl::StrCat(place.wave, "/responses/", place.id);
  auto found = parts_.responses.FindMany(place.wave, place.partition, {place.id});
  if (!found.ok()) return found.status();
  if (found->front()) return Refuse("NOT_A_DRAFT", "the response came in whole", name);
  return status::Error(absl::StatusCode::kNotFound, "RESPONSE_NOT_FOUND", absl::StrCat("\"", name, "\" does not exist"), {{"name", name}});
}

absl::StatusOr<DraftStore::Opened> DraftStore::Open(const DraftPlace& place) {
  absl::StatusOr<std::optional<StoredDraft>> stored = LoadDraft(parts_.store, parts_.vault, place);
  if (!stored.ok()) return stored.status();
  if (!*stored) return NoDraft(place);
  auto questions = parts_.catalog.Questions(place.wave);
  if (!questions.ok()) return questions.status();
  // There is a draft, so the wave is in use; from now on its questions are known.
  if (absl::Status status = parts_.catalog.Use(**questions); !status.ok()) return status;
  return Opened{.place = place, .questions = *std::move(questions), .stored = **std::move(stored)};
}

absl::Status DraftStore::CheckTakesAnswers(const std::string& wave, std::optional<absl::Time> begun_at) {
  auto times = parts_.catalog.RecentWave(wave);
  if (!times.ok()) return times.status();
  const absl::Status taken = intake::CheckTakesAnswers(**times, parts_.catalog.now(), begun_at);
  if (taken.ok()) return taken;
  // Times that may still be lost are no reason to send anybody away.
  const absl::Status confirmed = parts_.catalog.Confirm();
  return confirmed.ok() ? taken : confirmed;
}

absl::Status DraftStore::CheckOpen(const Opened& opened) {
  const v1::Draft& draft = opened.stored.draft;
  if (draft.state() == v1::RESPONSE_STATE_SUBMITTED) {
    return Refuse("ALREADY_SUBMITTED", "De antwoorden zijn verstuurd; heropen de vragenlijst om ze te wijzigen.", draft.name());
  }
  if (draft.state() == v1::RESPONSE_STATE_WITHDRAWN) {
    return Refuse("ALREADY_WITHDRAWN", "De antwoorden zijn ingetrokken; heropen de vragenlijst om ze te wijzigen.", draft.name());
  }
  return CheckTakesAnswers(opened.place.wave, calendar::FromProto(draft.started_at()));
}

absl::Status DraftStore::CheckRoom(const Opened& opened, size_t bytes) {
  if (opened.stored.bytes_left + bytes <= limits_.most_bytes_left) return absl::OkStatus();
  return status::Error(
      absl::StatusCode::kResourceExhausted, "TOO_MANY_CHANGES",
      absl::StrCat("the changes of the draft take ", opened.stored.bytes_left, " bytes, of at most ", limits_.most_bytes_left),
      {{"name", opened.stored.draft.name()}});
}

absl::StatusOr<v1::Draft> DraftStore::Show(const Opened& opened, const DraftWriter& writer) {
  v1::Draft draft = opened.stored.draft;
  survey::v1::Answers personal = opened.stored.personal;
  KeepVisible(writer, *opened.questions->questionnaire, personal);
  PutBackPersonal(*opened.questions->questionnaire, std::move(personal), *draft.mutable_answers());
  if (writer.sections) draft.mutable_sections()->Assign(writer.sections->begin(), writer.sections->end());
  auto wave = parts_.catalog.RecentWave(opened.place.wave);
  if (!wave.ok()) return wave.status();
  if ((*wave)->has_closes_at()) {
    const absl::Time closes_at = calendar::FromProto((*wave)->closes_at());
    const bool in_time = calendar::FromProto(draft.started_at()) < closes_at;
    *draft.mutable_closes_at() = calendar::ToProto(in_time ? *TakenUntil(**wave) : closes_at);
  }
  return draft;
}

absl::StatusOr<v1::Response> DraftStore::CommitResponse(const Opened& opened, Issues issues, const std::string& withdrawal_reason,
                                                        ResponseChange change) {
  const DraftPlace& place = opened.place;
  absl::StatusOr<std::string> secret = parts_.responses.Secret(place.wave, /*create=*/true);
  if (!secret.ok()) return secret.status();
  auto found = parts_.responses.FindMany(place.wave, place.partition, {place.id});
  if (!found.ok()) return found.status();
  const std::optional<StoredResponse>& before = found->front();
  v1::Response response = ResponseOf(opened.stored, *opened.questions->questionnaire, *secret);
  response.mutable_issues()->Swap(&issues);
  response.set_withdrawal_reason(withdrawal_reason);
  if (before) KeepErasure(before->response, opened.stored.personal, response);
  change.response = &response;
  change.expected_version = before ? before->version : 0;
  std::vector<ResponseChange> changes = {std::move(change)};
  if (absl::Status status = parts_.responses.Commit(place.wave, place.partition, changes); !status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Response> DraftStore::CommitStep(Opened& opened, const DraftWriter& writer, Step step) {
  const std::string& id = opened.place.id;
  StoredDraft& stored = opened.stored;
  v1::DraftChange entry = MakeDraftChange(step.kind, opened.next_revision(), parts_.catalog.now(), writer.subject);
  entry.set_reason(step.reason);
  stored.draft.set_etag(entry.etag());
  *stored.draft.mutable_updated_at() = entry.changed_at();

  ResponseChange change{.request_id = step.receipt.request_id, .digest = step.receipt.digest};
  change.also = {DraftWrite(id, stored.draft, stored.version), DraftChangeWrite(id, entry),
                 BytesLeftWrite(id, stored, BytesOf(stored) + entry.ByteSizeLong())};
  if (stored.unpublished_version > 0) change.also.push_back(PublishedWrite(id, stored.unpublished_version));
  return CommitResponse(opened, std::move(step.issues), step.reason, std::move(change));
}

absl::StatusOr<v1::Draft> DraftStore::TryCreate(const v1::CreateDraftRequest& request, const DraftPlace& place, const DraftWriter& writer,
                                                const Receipt& receipt) {
  const auto lock = Lock(place, writer.deadline);
  if (!lock.ok()) return lock.status();
  std::vector<std::string> municipalities(request.municipalities().begin(), request.municipalities().end());
  std::sort(municipalities.begin(), municipalities.end());
  absl::StatusOr<Opened> opened = Open(place);
  if (opened.ok() && std::equal(municipalities.begin(), municipalities.end(), opened->stored.draft.municipalities().begin(),
                                opened->stored.draft.municipalities().end())) {
    if (absl::Status status = parts_.store.Confirm(place.partition_name); !status.ok()) return status;
    return Show(*opened, writer);
  }
  const std::string name = absl::StrCat(place.wave, "/responses/", place.id);
  if (opened.ok() || status::Reason(opened.status()) == "NOT_A_DRAFT") {
    return status::Error(absl::StatusCode::kAlreadyExists, "RESPONSE_EXISTS", absl::StrCat("\"", name, "\" exists already"),
                         {{"name", name}});
  }
  if (status::Reason(opened.status()) != "RESPONSE_NOT_FOUND") return opened.status();

  const absl::Time now = parts_.catalog.now();
  if (absl::Status status = CheckTakesAnswers(place.wave, now); !status.ok()) return status;
  auto questions = parts_.catalog.Questions(place.wave);
  if (!questions.ok()) return questions.status();
  if (absl::Status status = parts_.catalog.Use(**questions); !status.ok()) return status;
  Opened made{.place = place, .questions = *std::move(questions)};
  v1::Draft& draft = made.stored.draft;
  draft.set_name(name);
  draft.set_state(v1::RESPONSE_STATE_STARTED);
  draft.mutable_municipalities()->Assign(municipalities.begin(), municipalities.end());
  draft.set_language(request.language());
  draft.set_test(request.test());
  *draft.mutable_started_at() = calendar::ToProto(now);
  *draft.mutable_updated_at() = draft.started_at();
  AnswerMunicipality(*made.questions->questionnaire,
                     {.changes = {}, .revision = made.next_revision(), .now = now, .author = writer.subject}, draft);
  auto response = CommitStep(made, writer, {.kind = v1::DRAFT_CHANGE_KIND_CREATED, .receipt = receipt});
  if (!response.ok()) return response.status();
  return Show(made, writer);
}

absl::StatusOr<v1::Draft> DraftStore::Create(const v1::CreateDraftRequest& request, const DraftWriter& writer) {
  absl::StatusOr<DraftPlace> place = PlaceOf(absl::StrCat(request.parent(), "/responses/", request.response_id()));
  if (!place.ok()) return place.status();
  const Receipt receipt{.request_id = request.request_id(), .digest = storage::DigestOf(request)};
  return Run<v1::Draft>(
      *place, [&] { return TryCreate(request, *place, writer, receipt); }, [&] { return FindDraftAnswer(*place, writer, receipt); });
}

absl::StatusOr<v1::Draft> DraftStore::Get(const v1::GetDraftRequest& request, const DraftWriter& writer, const MakeContext& make_context) {
  if (absl::Status status = CheckTakesPart(writer, request.name()); !status.ok()) return status;
  absl::StatusOr<DraftPlace> place = PlaceOf(request.name());
  if (!place.ok()) return place.status();
  absl::StatusOr<Opened> opened = Open(*place);
  if (!opened.ok()) return opened.status();
  // An etag stands for what can be lost no more, or it would stand for something else one day.
  if (absl::Status status = parts_.store.Confirm(place->partition_name); !status.ok()) return status;
  absl::StatusOr<v1::Draft> draft = Show(*opened, writer);
  if (!draft.ok() || !request.validate()) return draft;
  auto judgement = JudgeDraft(opened->stored, *opened->questions, parts_.validator, make_context);
  if (!judgement.ok()) return judgement.status();
  draft->mutable_issues()->Swap(&judgement->issues);
  *draft->mutable_completeness() = CompletenessOf(opened->stored, *opened->questions->questionnaire);
  return draft;
}

absl::Status DraftStore::CommitSave(const Opened& before, const Opened& after, bool personal_changed, const v1::DraftChange& change,
                                    const Receipt& receipt, const v1::SaveDraftResponse& answer) {
  const DraftPlace& place = after.place;
  storage::Batch batch{.partition = place.partition_name};
  batch.writes.push_back(storage::ReceiptWrite(receipt.request_id, receipt.digest, ForReceipt(answer)));
  if (!change.answers().empty()) batch.writes.push_back(DraftChangeWrite(place.id, change));
  size_t bytes = 0;
  for (const storage::Write& write : batch.writes) bytes += write.key.size() + write.value->size();
  if (absl::Status status = CheckRoom(before, bytes); !status.ok()) return status;
  batch.writes.push_back(BytesLeftWrite(place.id, before.stored, bytes));
  if (after.stored.version != before.stored.version) {
    batch.writes.push_back(DraftWrite(place.id, after.stored.draft, before.stored.version));
    batch.writes.push_back(UnpublishedWrite(place.id));
  }
  if (personal_changed && after.stored.personal.answers().empty()) {
    batch.writes.push_back({.key = PersonalKey(place.id), .value = std::nullopt, .expected_version = after.stored.personal_version});
  } else if (personal_changed) {
    batch.writes.push_back({.key = PersonalKey(place.id),
                            .value = SealPersonal(parts_.vault, place.partition_name, place.id, after.stored.personal),
                            .expected_version = after.stored.personal_version});
    ExpectNotErased(batch);
  }
  const absl::Status status = parts_.store.Commit(std::move(batch)).status();
  if (!absl::IsAborted(status) || !personal_changed) return status;
  if (absl::Status erased = CheckNotErased(parts_.store, place.partition_name); !erased.ok()) return erased;
  return status;
}

absl::StatusOr<v1::SaveDraftResponse> DraftStore::TrySave(const v1::SaveDraftRequest& request, const DraftPlace& place,
                                                          const DraftWriter& writer, const Receipt& receipt) {
  const auto lock = Lock(place, writer.deadline);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<Opened> before = Open(place);
  if (!before.ok()) return before.status();
  const CompiledQuestionnaire& questionnaire = *before->questions->questionnaire;
  if (absl::Status status = CheckOpen(*before); !status.ok()) return status;
  if (absl::Status status = CheckChanges(request, questionnaire, before->stored.draft, writer); !status.ok()) return status;

  Opened after = *before;
  v1::Draft& draft = after.stored.draft;
  const DraftSave save{.changes = request.changes(),
                       .known = KnownBy(request.etag(), before->stored),
                       .revision = before->next_revision(),
                       .now = parts_.catalog.now(),
                       .author = writer.subject};
  DraftMerge merge = MergeChanges(save, questionnaire, draft, after.stored.personal);
  const bool moved = MoveOn(request, writer, draft);
  v1::DraftChange change = MakeDraftChange(v1::DRAFT_CHANGE_KIND_SAVED, save.revision, save.now, writer.subject);
  change.mutable_answers()->Assign(merge.changed.begin(), merge.changed.end());
  KnownRevisions known = save.known;
  if (!merge.changed.empty() || moved) {
    if (absl::Status status = CheckSize(after.stored); !status.ok()) return status;
    after.stored.version = save.revision;
    known.Add(save.revision);
    draft.set_etag(change.etag());
    *draft.mutable_updated_at() = change.changed_at();
  }
  v1::SaveDraftResponse answer;
  answer.set_etag(known.Etag());
  *answer.mutable_saved_at() = change.changed_at();
  answer.mutable_conflicts()->Assign(merge.conflicts.begin(), merge.conflicts.end());
  answer.set_others_changed(!save.known.KnowsAll(before->stored.version));
  if (absl::Status status = CommitSave(*before, after, merge.personal_changed, change, receipt, answer); !status.ok()) return status;
  return answer;
}

absl::StatusOr<v1::SaveDraftResponse> DraftStore::Save(const v1::SaveDraftRequest& request, const DraftWriter& writer) {
  if (absl::Status status = CheckTakesPart(writer, request.name()); !status.ok()) return status;
  absl::StatusOr<DraftPlace> place = PlaceOf(request.name());
  if (!place.ok()) return place.status();
  auto questions = parts_.catalog.Questions(place->wave);
  if (!questions.ok()) return questions.status();
  Receipt receipt{.request_id = request.request_id(), .digest = storage::DigestOf(request)};
  if (HasPersonal(request, *(*questions)->questionnaire)) {
    absl::StatusOr<std::string> secret = parts_.responses.Secret(place->wave, /*create=*/true);
    if (!secret.ok()) return secret.status();
    receipt.digest = KeyedDigest(*secret, receipt.digest);
  }
  auto answer = Run<v1::SaveDraftResponse>(
      *place, [&] { return TrySave(request, *place, writer, receipt); }, [&] { return FindSaveAnswer(request, *place, writer, receipt); });
  // What cannot be published now stays marked, and is saved all the same.
  if (answer.ok() && feed_interval_ == std::chrono::seconds(0)) Publish(*place).IgnoreError();
  return answer;
}

absl::StatusOr<v1::Response> DraftStore::TrySubmit(const v1::SubmitDraftRequest& request, const DraftPlace& place,
                                                   const DraftWriter& writer, const MakeContext& make_context, const Receipt& receipt) {
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  v1::Draft& draft = opened->stored.draft;
  if (absl::Status status = CheckOpen(*opened); !status.ok()) return status;
  if (!request.etag().empty() && !KnownBy(request.etag(), opened->stored).KnowsAll(opened->stored.version)) {
    return storage::EtagMismatch(request.name(), draft.etag());
  }
  auto judgement = JudgeDraft(opened->stored, *opened->questions, parts_.validator, make_context);
  if (!judgement.ok()) return judgement.status();
  if (judgement->has_error) return ResponseInvalid(judgement->issues);
  // Validation may have taken its time.
  if (absl::Status status = CheckOpen(*opened); !status.ok()) return status;
  const auto lock = Lock(place, writer.deadline);
  if (!lock.ok()) return lock.status();
  draft.set_state(v1::RESPONSE_STATE_SUBMITTED);
  *draft.mutable_submitted_at() = calendar::ToProto(parts_.catalog.now());
  auto response =
      CommitStep(*opened, writer, {.kind = v1::DRAFT_CHANGE_KIND_SUBMITTED, .receipt = receipt, .issues = std::move(judgement->issues)});
  if (response.ok()) CountResponse(Outcome::kSubmitted);
  return response;
}

absl::StatusOr<v1::SubmitDraftResponse> DraftStore::Submit(const v1::SubmitDraftRequest& request, const DraftWriter& writer,
                                                           const MakeContext& make_context) {
  if (absl::Status status = CheckWhole(writer, request.name()); !status.ok()) return status;
  absl::StatusOr<DraftPlace> place = PlaceOf(request.name());
  if (!place.ok()) return place.status();
  const Receipt receipt{.request_id = request.request_id(), .digest = storage::DigestOf(request)};
  auto response = Run<v1::Response>(
      *place, [&] { return TrySubmit(request, *place, writer, make_context, receipt); },
      [&] { return parts_.responses.FindAnswer(place->wave, place->partition, receipt.request_id, receipt.digest); });
  if (!response.ok()) {
    CountResponse(Outcome::kRefused);
    return response.status();
  }
  v1::SubmitDraftResponse answer;
  feed::SetSubmissions(*answer.mutable_position(), place->partition, response->sequence());
  *answer.mutable_response() = *std::move(response);
  return answer;
}

absl::StatusOr<v1::Draft> DraftStore::TryReopen(const DraftPlace& place, const DraftWriter& writer, const Receipt& receipt) {
  const auto lock = Lock(place, writer.deadline);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  v1::Draft& draft = opened->stored.draft;
  if (draft.state() == v1::RESPONSE_STATE_STARTED) {
    return Refuse("NOT_SUBMITTED", "De vragenlijst is open; er is niets verstuurd of ingetrokken.", draft.name());
  }
  if (absl::Status status = CheckTakesAnswers(place.wave, calendar::FromProto(draft.started_at())); !status.ok()) return status;
  if (absl::Status status = CheckRoom(*opened, BytesOf(opened->stored)); !status.ok()) return status;
  draft.set_state(v1::RESPONSE_STATE_STARTED);
  draft.clear_submitted_at();
  auto response = CommitStep(*opened, writer, {.kind = v1::DRAFT_CHANGE_KIND_REOPENED, .receipt = receipt});
  if (!response.ok()) return response.status();
  return Show(*opened, writer);
}

absl::StatusOr<v1::Draft> DraftStore::Reopen(const v1::ReopenDraftRequest& request, const DraftWriter& writer) {
  if (absl::Status status = CheckWhole(writer, request.name()); !status.ok()) return status;
  absl::StatusOr<DraftPlace> place = PlaceOf(request.name());
  if (!place.ok()) return place.status();
  const Receipt receipt{.request_id = request.request_id(), .digest = storage::DigestOf(request)};
  return Run<v1::Draft>(
      *place, [&] { return TryReopen(*place, writer, receipt); }, [&] { return FindDraftAnswer(*place, writer, receipt); });
}

absl::StatusOr<v1::Response> DraftStore::TryWithdraw(const v1::WithdrawResponseRequest& request, const DraftPlace& place,
                                                     const DraftWriter& writer, const Receipt& receipt) {
  const auto lock = Lock(place, writer.deadline);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  v1::Draft& draft = opened->stored.draft;
  if (writer.respondent) {
    if (absl::Status status = CheckTakesAnswers(place.wave, calendar::FromProto(draft.started_at())); !status.ok()) return status;
  }
  if (!request.etag().empty()) {
    auto response = parts_.responses.FindMany(place.wave, place.partition, {place.id});
    if (!response.ok()) return response.status();
    const std::string etag = response->front() ? response->front()->response.etag() : "";
    if (absl::Status status = storage::CheckEtag(request.etag(), request.name(), etag); !status.ok()) return status;
  }
  if (draft.state() == v1::RESPONSE_STATE_WITHDRAWN) {
    return Refuse("ALREADY_WITHDRAWN", "the response was withdrawn before", request.name());
  }
  draft.set_state(v1::RESPONSE_STATE_WITHDRAWN);
  auto response = CommitStep(*opened, writer, {.kind = v1::DRAFT_CHANGE_KIND_WITHDRAWN, .receipt = receipt, .reason = request.reason()});
  if (response.ok()) CountResponse(Outcome::kWithdrawn);
  return response;
}

absl::StatusOr<v1::WithdrawResponseResponse> DraftStore::WithdrawWhole(const v1::WithdrawResponseRequest& request,
                                                                       const DraftWriter& writer) {
  const std::string wave = names::WaveOf(request.name());
  if (writer.respondent) {
    if (absl::Status status = CheckTakesAnswers(wave, std::nullopt); !status.ok()) return status;
  }
  const absl::StatusOr<int> partitions = parts_.catalog.Partitions(wave);
  if (!partitions.ok()) return partitions.status();
  return parts_.responses.Withdraw(request, *partitions);
}

absl::StatusOr<v1::WithdrawResponseResponse> DraftStore::Withdraw(const v1::WithdrawResponseRequest& request, const DraftWriter& writer) {
  absl::StatusOr<DraftPlace> place = PlaceOf(request.name());
  if (!place.ok()) return place.status();
  if (writer.stranger) {
    const absl::Status opened = Open(*place).status();
    if (status::Reason(opened) == "NOT_A_DRAFT") return WithdrawWhole(request, writer);
    return opened.ok() ? CheckTakesPart(writer, request.name()) : opened;
  }
  if (absl::Status status = CheckWhole(writer, request.name()); !status.ok()) return status;
  const Receipt receipt{.request_id = request.request_id(), .digest = storage::DigestOf(request)};
  auto response = Run<v1::Response>(
      *place, [&] { return TryWithdraw(request, *place, writer, receipt); },
      [&] { return parts_.responses.FindAnswer(place->wave, place->partition, receipt.request_id, receipt.digest); });
  if (status::Reason(response.status()) == "NOT_A_DRAFT") return WithdrawWhole(request, writer);
  if (!response.ok()) return response.status();
  v1::WithdrawResponseResponse answer;
  feed::SetSubmissions(*answer.mutable_position(), place->partition, response->sequence());
  *answer.mutable_response() = *std::move(response);
  return answer;
}

absl::StatusOr<v1::ListDraftChangesResponse> DraftStore::ListChanges(const v1::ListDraftChangesRequest& request, const paging::Page& page,
                                                                     const DraftWriter& reader) {
  if (absl::Status status = CheckTakesPart(reader, request.parent()); !status.ok()) return status;
  absl::StatusOr<DraftPlace> place = PlaceOf(request.parent());
  if (!place.ok()) return place.status();
  if (absl::StatusOr<Opened> opened = Open(*place); !opened.ok()) return opened.status();
  v1::ListDraftChangesResponse response;
  std::string after = page.after;
  size_t bytes = 0;
  while (true) {
    auto documents = parts_.store.List(place->partition_name, DraftChangePrefix(place->id), after, kChangesAtATime);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      if (response.changes_size() == page.size || bytes >= kPageBytes) {
        response.set_next_page_token(paging::NextPageToken(request, after));
        return response;
      }
      absl::StatusOr<v1::DraftChange> change = storage::Parse<v1::DraftChange>(document);
      if (!change.ok()) return change.status();
      bytes += document.value.size();
      after = document.key;
      *response.add_changes() = *std::move(change);
    }
    if (documents->size() < kChangesAtATime) return response;
  }
}

absl::StatusOr<v1::BatchGetResponseStatesResponse> DraftStore::States(const v1::BatchGetResponseStatesRequest& request) {
  const absl::StatusOr<int> partitions = parts_.catalog.Partitions(request.parent());
  if (!partitions.ok()) return partitions.status();
  // Positions in the request, by partition.
  std::map<int, std::vector<int>> by_partition;
  for (int i = 0; i < request.response_ids_size(); ++i) {
    by_partition[names::PartitionOf(request.response_ids(i), *partitions)].push_back(i);
  }
  v1::BatchGetResponseStatesResponse response;
  response.mutable_states()->Resize(request.response_ids_size(), v1::RESPONSE_STATE_UNSPECIFIED);
  for (const auto& [partition, positions] : by_partition) {
    if (absl::Status status = ReadStates(request, partition, positions, response); !status.ok()) return status;
  }
  return response;
}

absl::Status DraftStore::ReadStates(const v1::BatchGetResponseStatesRequest& request, int partition, const std::vector<int>& positions,
                                    v1::BatchGetResponseStatesResponse& response) {
  const std::string name = names::PartitionName(request.parent(), partition);
  std::vector<std::string> keys;
  keys.reserve(positions.size());
  for (const int position : positions) keys.push_back(DraftKey(request.response_ids(position)));
  auto documents = parts_.store.GetMany(name, keys);
  if (!documents.ok()) return documents.status();
  std::vector<int> whole;
  std::vector<std::string> whole_ids;
  for (size_t i = 0; i < positions.size(); ++i) {
    if (!(*documents)[i]) {
      whole.push_back(positions[i]);
      whole_ids.push_back(request.response_ids(positions[i]));
      continue;
    }
    absl::StatusOr<v1::Draft> draft = storage::Parse<v1::Draft>(*(*documents)[i]);
    if (!draft.ok()) return draft.status();
    response.set_states(positions[i], draft->state());
  }
  auto responses = parts_.responses.FindMany(request.parent(), partition, whole_ids);
  if (!responses.ok()) return responses.status();
  for (size_t i = 0; i < whole.size(); ++i) {
    if ((*responses)[i]) response.set_states(whole[i], (*responses)[i]->response.state());
  }
  return parts_.store.Confirm(name);
}

absl::Status DraftStore::TryPublish(const DraftPlace& place) {
  // A draft in which many save at once does not keep the others from the feed.
  const auto lock = Lock(place, std::chrono::steady_clock::now() + kPublishPatience);
  if (!lock.ok()) return lock.status();
  absl::StatusOr<Opened> opened = Open(place);
  if (!opened.ok()) return opened.status();
  // Somebody else was here.
  if (opened->stored.unpublished_version == 0) return absl::OkStatus();
  return CommitResponse(*opened, {}, {}, ResponseChange{.also = {PublishedWrite(place.id, opened->stored.unpublished_version)}}).status();
}

absl::Status DraftStore::Publish(const DraftPlace& place) {
  absl::Status status = TryPublish(place);
  for (int tried = 1; absl::IsAborted(status) && tried < kAttempts; ++tried) {
    storage::PauseAfterRace(tried);
    status = TryPublish(place);
  }
  return status;
}

absl::Status DraftStore::PublishAll() {
  auto partitions = parts_.store.Partitions("surveys/");
  if (!partitions.ok()) return partitions.status();
  absl::Status first;
  for (const std::string& name : *partitions) first.Update(PublishPartition(name));
  return first;
}

void DraftStore::PublishLogged() {
  const absl::Status published = PublishAll();
  if (published.ok()) return;
  log::Warning("not all drafts could be brought to the submission feed; they are tried again", {{"error", published.ToString()}});
}

absl::Status DraftStore::PublishPartition(const std::string& name) {
  const std::string wave = name.substr(0, name.find('#'));
  const std::string prefix = kUnpublishedPrefix;
  absl::Status first;
  std::string after;
  while (true) {
    auto marks = parts_.store.List(name, prefix, after, kMarksAtATime);
    if (!marks.ok()) return marks.status();
    for (const storage::Document& mark : *marks) {
      if (stopping_) return first;
      absl::StatusOr<DraftPlace> place = PlaceOf(absl::StrCat(wave, "/responses/", mark.key.substr(prefix.size())));
      first.Update(place.ok() ? Publish(*place) : place.status());
    }
    if (marks->size() < kMarksAtATime) return first;
    after = marks->back().key;
  }
}

}  // namespace peiling::intake

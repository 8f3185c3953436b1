#include "services/intake/apply_documents.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/resource_names.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/common/status/errors.h"
#include "services/common/storage/receipts.h"
#include "services/common/survey/check_questionnaire.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/common/survey/documents.h"
#include "services/intake/catalog.h"
#include "services/intake/wave_changes.h"
#include "services/intake/wave_times.h"

namespace peiling::intake {
namespace {

using ::peiling::survey::ParsedDocument;
using ::peiling::survey::PublishedDocument;
using ::peiling::survey::SurveyDocument;
using ::peiling::survey::WaveDocument;

// Waves of a survey read at a time.
constexpr size_t kListLimit = 1000;

// "surveys/s" of a wave.
std::string SurveyOf(const v1::Wave& wave) { return absl::StrCat("surveys/", names::Match(wave.name(), "surveys/*/waves/*")->front()); }

// Reads and writes of the catalogue that hold together: what was read must still stand when the writes are committed.
class Transaction {
 public:
  explicit Transaction(storage::Store& store) : store_(store) {}

  // The value under a key, with what was put before; nullptr when there is none.
  absl::StatusOr<const std::string*> Get(const std::string& key) {
    absl::StatusOr<Entry*> entry = Load(key);
    if (!entry.ok()) return entry.status();
    return (*entry)->value ? &*(*entry)->value : nullptr;
  }

  absl::StatusOr<v1::ApplyOutcome> Put(const std::string& key, std::string value) {
    absl::StatusOr<Entry*> loaded = Load(key);
    if (!loaded.ok()) return loaded.status();
    Entry& entry = **loaded;
    if (entry.value != value) {
      entry.value = std::move(value);
      entry.changed = true;
    }
    if (!entry.changed) return v1::APPLY_OUTCOME_UNCHANGED;
    return entry.version == 0 ? v1::APPLY_OUTCOME_CREATED : v1::APPLY_OUTCOME_CHANGED;
  }

  // Writes what stands under a known key again, so that of all who go by it at the same time one wins.
  void Contend(const std::string& key) { entries_.at(key).changed = true; }

  // The version a key will have.
  uint64_t VersionAfter(const std::string& key) const {
    const Entry& entry = entries_.at(key);
    return entry.version + (entry.changed ? 1 : 0);
  }

  storage::Batch ToBatch() const {
    storage::Batch batch{.partition = Catalog::kPartition};
    for (const auto& [key, entry] : entries_) {
      if (entry.changed) {
        batch.writes.push_back({.key = key, .value = entry.value, .expected_version = entry.version});
      } else {
        batch.expectations.emplace_back(key, entry.version);
      }
    }
    return batch;
  }

  storage::Store& store() { return store_; }

 private:
  struct Entry {
    std::optional<std::string> value;
    // In the store; 0: not there.
    uint64_t version = 0;
    bool changed = false;
  };

  absl::StatusOr<Entry*> Load(const std::string& key) {
    const auto known = entries_.find(key);
    if (known != entries_.end()) return &known->second;
    auto document = store_.Get(Catalog::kPartition, key);
    if (!document.ok()) return document.status();
    Entry entry;
    if (document->has_value()) entry = {.value = std::move((*document)->value), .version = (*document)->version};
    return &entries_.emplace(key, std::move(entry)).first->second;
  }

  storage::Store& store_;
  std::map<std::string, Entry> entries_;
};

// One application of a request's documents.
class Application {
 public:
  Application(storage::Store& store, const v1::ApplyDocumentsRequest& request, const std::string& caller, absl::Time now)
      : request_(request), caller_(caller), now_(now), transaction_(store) {}

  absl::StatusOr<v1::ApplyDocumentsResponse> Run();

 private:
  // What a document became; `resources` in the order they are reported.
  struct Item {
    std::string place;
    ParsedDocument document;
    std::vector<v1::AppliedResource> resources;
  };

  absl::Status Parse();
  absl::Status PutSurvey(Item& item, SurveyDocument& document);
  // The questionnaires of all waves come before the waves, which show their fingerprints.
  absl::Status PutQuestionnaire(Item& item, WaveDocument& document);
  absl::Status PutWave(Item& item, WaveDocument& document);
  // Gives a wave the times of its document as far as those are new, else those it has; a change of them is recorded.
  absl::Status PutTimes(const Item& item, v1::Wave& wave);
  absl::Status PutPublished(Item& item, PublishedDocument& document);
  // Runs `put` for the documents of one kind.
  template <typename Document>
  absl::Status ForEach(absl::Status (Application::*put)(Item&, Document&));
  // False, with a problem noted, when the resource stands in the request already.
  bool Claim(const Item& item, const std::string& key, const std::string& name);
  // Puts a resource and reports it.
  absl::Status Put(Item& item, const std::string& key, const std::string& name, std::string value, std::vector<std::string> warnings = {});
  absl::Status PutWaveValue(const v1::Wave& wave, std::vector<v1::AppliedResource>& resources);
  absl::StatusOr<std::string> FingerprintOf(const Item& item, const std::string& questionnaire);
  // Waves that are not in the request and use questions that it changes show new fingerprints.
  absl::Status RenewWavesOfChangedQuestionnaires();
  absl::Status RenewWave(const std::string& questionnaire, const std::string& fingerprint, const storage::Document& document);
  // What stands under a key of a wave's; an empty one when there is nothing.
  absl::StatusOr<v1::Wave> GetWave(const std::string& key);
  // Once personal data are erased a wave cannot go on; ERASES_PERSONAL_DATA when its new times would have that done at once.
  absl::Status CheckErasure(const Item& item, const v1::Wave& before, const v1::Wave& after);
  absl::Status CheckNotInUse(const v1::Wave& before, const v1::Wave& after);
  absl::StatusOr<std::vector<std::string>> Events();
  absl::Status Commit(const std::string& digest, const v1::ApplyDocumentsResponse& response);

  const v1::ApplyDocumentsRequest& request_;
  const std::string& caller_;
  const absl::Time now_;
  Transaction transaction_;
  std::vector<Item> items_;
  status::BadRequest bad_;
  std::set<std::string> keys_;
  // Questionnaires that existed and change, with their new fingerprint.
  std::map<std::string, std::string> changed_questionnaires_;
  // Waves to tell of; true: their published report changed.
  std::map<std::string, bool> changed_waves_;
  std::vector<v1::AppliedResource> renewed_;
};

absl::Status Application::Parse() {
  for (int i = 0; i < request_.documents_size(); ++i) {
    const v1::Document& document = request_.documents(i);
    const std::string filename = document.filename().empty() ? absl::StrCat("documents[", i, "]") : document.filename();
    std::optional<ParsedDocument> parsed = survey::ParseDocument(filename, document.text(), bad_);
    if (parsed) items_.push_back({.place = absl::StrCat(filename, ":1:1"), .document = *std::move(parsed)});
  }
  return bad_.ToStatus("DOCUMENT_INVALID");
}

template <typename Document>
absl::Status Application::ForEach(absl::Status (Application::*put)(Item&, Document&)) {
  for (Item& item : items_) {
    auto* document = std::get_if<Document>(&item.document);
    if (document == nullptr) continue;
    if (absl::Status status = (this->*put)(item, *document); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool Application::Claim(const Item& item, const std::string& key, const std::string& name) {
  if (keys_.insert(key).second) return true;
  bad_.Add(item.place, absl::StrCat(name, " stands in these documents more than once"));
  return false;
}

absl::Status Application::Put(Item& item, const std::string& key, const std::string& name, std::string value,
                              std::vector<std::string> warnings) {
  if (!Claim(item, key, name)) return absl::OkStatus();
  absl::StatusOr<v1::ApplyOutcome> outcome = transaction_.Put(key, std::move(value));
  if (!outcome.ok()) return outcome.status();
  v1::AppliedResource resource;
  resource.set_name(name);
  resource.set_outcome(*outcome);
  for (std::string& warning : warnings) resource.add_warnings(std::move(warning));
  item.resources.push_back(std::move(resource));
  return absl::OkStatus();
}

absl::Status Application::PutSurvey(Item& item, SurveyDocument& document) {
  v1::Survey survey = document.survey;
  survey.clear_etag();
  return Put(item, SurveyKey(survey.name()), survey.name(), proto::CanonicalBytes(survey));
}

absl::Status Application::PutQuestionnaire(Item& item, WaveDocument& document) {
  if (!document.questionnaire) return absl::OkStatus();
  const survey::v1::Questionnaire& questionnaire = *document.questionnaire;
  const std::string name = absl::StrCat(SurveyOf(document.wave), "/questionnaires/", questionnaire.version());
  document.wave.set_questionnaire(name);
  std::vector<std::string> warnings;
  for (const survey::Finding& finding : survey::CheckQuestionnaire(questionnaire)) {
    if (!finding.error)
      warnings.push_back(absl::StrCat(finding.question.empty() ? finding.field : finding.question, ": ", finding.message));
  }
  const absl::Status status = Put(item, QuestionnaireKey(name), name, proto::CanonicalBytes(questionnaire), std::move(warnings));
  if (!item.resources.empty() && item.resources.back().outcome() == v1::APPLY_OUTCOME_CHANGED) {
    changed_questionnaires_[name] = survey::Fingerprint(questionnaire);
  }
  return status;
}

absl::StatusOr<std::string> Application::FingerprintOf(const Item& item, const std::string& questionnaire) {
  absl::StatusOr<const std::string*> value = transaction_.Get(QuestionnaireKey(questionnaire));
  if (!value.ok()) return value.status();
  if (*value == nullptr) {
    bad_.Add(item.place, absl::StrCat("\"", questionnaire, "\" does not exist; give the questions with the wave"));
    return "";
  }
  survey::v1::Questionnaire parsed;
  if (!parsed.ParseFromString(**value)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat(questionnaire, " cannot be read"));
  }
  return survey::Fingerprint(parsed);
}

absl::Status Application::PutWave(Item& item, WaveDocument& document) {
  v1::Wave& wave = document.wave;
  if (!Claim(item, WaveKey(wave.name()), wave.name())) return absl::OkStatus();
  absl::StatusOr<const std::string*> survey = transaction_.Get(SurveyKey(SurveyOf(wave)));
  if (!survey.ok()) return survey.status();
  if (*survey == nullptr) bad_.Add(item.place, absl::StrCat(SurveyOf(wave), " does not exist; apply it first or together with its waves"));

  absl::StatusOr<std::string> fingerprint = FingerprintOf(item, wave.questionnaire());
  if (!fingerprint.ok()) return fingerprint.status();
  wave.set_questionnaire_fingerprint(*std::move(fingerprint));
  if (wave.groups_date().empty()) wave.set_groups_date(wave.frame_date());
  if (absl::Status status = PutTimes(item, wave); !status.ok()) return status;
  return PutWaveValue(wave, item.resources);
}

absl::Status Application::PutTimes(const Item& item, v1::Wave& wave) {
  absl::StatusOr<v1::Wave> before = GetWave(WaveKey(wave.name()));
  if (!before.ok()) return before.status();
  absl::StatusOr<v1::Wave> scheduled = GetWave(ScheduledKey(wave.name()));
  if (!scheduled.ok()) return scheduled.status();
  if (before->has_extended_at()) *wave.mutable_extended_at() = before->extended_at();
  wave.set_extensions(before->extensions());

  const v1::Wave document = TimesOf(wave);
  SetTimes(MergeTimes(*scheduled, document, *before), wave);
  if (wave.has_closes_at() && calendar::FromProto(wave.opens_at()) > calendar::FromProto(wave.closes_at())) {
    bad_.Add(item.place, absl::StrCat(wave.name(), " would open after ", calendar::DayOf(calendar::FromProto(wave.closes_at())),
                                      ", when it is closed"));
  }
  if (proto::CanonicalBytes(*scheduled) != proto::CanonicalBytes(document)) {
    const auto put = transaction_.Put(ScheduledKey(wave.name()), proto::CanonicalBytes(document));
    if (!put.ok()) return put.status();
  }
  if (proto::CanonicalBytes(TimesOf(*before)) != proto::CanonicalBytes(TimesOf(wave))) {
    absl::StatusOr<std::vector<v1::WaveChange>> changes = ReadWaveChanges(transaction_.store(), wave.name());
    if (!changes.ok()) return changes.status();
    const v1::WaveChange change = NextChange(*changes, v1::WAVE_CHANGE_KIND_SCHEDULED, wave, now_, caller_);
    const auto put = transaction_.Put(WaveChangeKey(wave.name(), change.number()), proto::CanonicalBytes(change));
    if (!put.ok()) return put.status();
  }
  return CheckErasure(item, *before, wave);
}

absl::StatusOr<v1::Wave> Application::GetWave(const std::string& key) {
  v1::Wave wave;
  absl::StatusOr<const std::string*> value = transaction_.Get(key);
  if (!value.ok()) return value.status();
  if (*value != nullptr && !wave.ParseFromString(**value)) {
    return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat(key, " cannot be read"));
  }
  return wave;
}

absl::Status Application::CheckErasure(const Item& item, const v1::Wave& before, const v1::Wave& after) {
  absl::StatusOr<const std::string*> begun = transaction_.Get(ErasureKey(after.name()));
  if (!begun.ok()) return begun.status();
  if (*begun != nullptr && ErasedAt(before) != ErasedAt(after)) {
    bad_.Add(item.place, absl::StrCat("the personal data of ", after.name(), " are erased, so it ends when it ended"));
    return absl::OkStatus();
  }
  // A new wave has none yet.
  if (before.name().empty() || !CheckNotErased(before, now_).ok() || CheckNotErased(after, now_).ok()) return absl::OkStatus();
  const std::string then = calendar::DayOf(*ErasedAt(after));
  return status::Error(
      absl::StatusCode::kFailedPrecondition, "ERASES_PERSONAL_DATA",
      absl::StrCat(item.place, ": with these times the personal data of ", after.name(), " would have had to be erased on ", then,
                   ", so they would all be gone at once; give times with which that lies ahead"),
      {{"wave", after.name()}, {"erased_at", then}});
}

absl::Status Application::PutWaveValue(const v1::Wave& wave, std::vector<v1::AppliedResource>& resources) {
  absl::StatusOr<const std::string*> old = transaction_.Get(WaveKey(wave.name()));
  if (!old.ok()) return old.status();
  v1::Wave before;
  if (*old != nullptr && before.ParseFromString(**old)) {
    if (absl::Status status = CheckNotInUse(before, wave); !status.ok()) return status;
  }
  // Whoever changes the questions at the same time does not know that this wave has them.
  if (before.questionnaire() != wave.questionnaire()) transaction_.Contend(QuestionnaireKey(wave.questionnaire()));
  absl::StatusOr<v1::ApplyOutcome> outcome = transaction_.Put(WaveKey(wave.name()), proto::CanonicalBytes(wave));
  if (!outcome.ok()) return outcome.status();
  if (*outcome != v1::APPLY_OUTCOME_UNCHANGED) changed_waves_.emplace(wave.name(), false);
  v1::AppliedResource& resource = resources.emplace_back();
  resource.set_name(wave.name());
  resource.set_outcome(*outcome);
  return absl::OkStatus();
}

absl::Status Application::CheckNotInUse(const v1::Wave& before, const v1::Wave& after) {
  const std::string& name = before.name();
  std::string field, message;
  if (before.questionnaire_fingerprint() != after.questionnaire_fingerprint() || before.questionnaire() != after.questionnaire()) {
    field = "questionnaire";
    message =
        absl::StrCat(name, " has responses to ", before.questionnaire(), ", so its questions cannot change; give a new wave a new version");
  } else if (before.frame_date() != after.frame_date()) {
    field = "frame_date";
    message = absl::StrCat(name, " has responses, so its frame_date stays ", before.frame_date());
  } else if (before.partitions() != after.partitions()) {
    field = "partitions";
    message = absl::StrCat(name, " has responses, so its partitions stay ", before.partitions());
  } else {
    return absl::OkStatus();
  }
  absl::StatusOr<const std::string*> in_use = transaction_.Get(InUseKey(name));
  if (!in_use.ok()) return in_use.status();
  if (*in_use == nullptr) return absl::OkStatus();
  return status::Error(absl::StatusCode::kFailedPrecondition, "QUESTIONNAIRE_IN_USE", message,
                       {{"wave", name}, {"questionnaire", before.questionnaire()}, {"field", field}});
}

absl::Status Application::RenewWave(const std::string& questionnaire, const std::string& fingerprint, const storage::Document& document) {
  v1::Wave wave;
  if (keys_.contains(document.key) || !wave.ParseFromString(document.value) || wave.questionnaire() != questionnaire)
    return absl::OkStatus();
  wave.set_questionnaire_fingerprint(fingerprint);
  return PutWaveValue(wave, renewed_);
}

absl::Status Application::RenewWavesOfChangedQuestionnaires() {
  for (const auto& [questionnaire, fingerprint] : changed_questionnaires_) {
    const std::string survey = names::Match(questionnaire, "surveys/*/questionnaires/*")->front();
    const std::string prefix = WaveKey(absl::StrCat("surveys/", survey, "/waves/"));
    for (std::string after;;) {
      auto waves = transaction_.store().List(Catalog::kPartition, prefix, after, kListLimit);
      if (!waves.ok()) return waves.status();
      for (const storage::Document& document : *waves) {
        if (absl::Status status = RenewWave(questionnaire, fingerprint, document); !status.ok()) return status;
      }
      if (waves->size() < kListLimit) break;
      after = waves->back().key;
    }
  }
  return absl::OkStatus();
}

absl::Status Application::PutPublished(Item& item, PublishedDocument& document) {
  absl::StatusOr<const std::string*> wave = transaction_.Get(WaveKey(document.wave));
  if (!wave.ok()) return wave.status();
  if (*wave == nullptr) {
    bad_.Add(item.place, absl::StrCat(document.wave, " does not exist; apply it first or together with its report"));
    return absl::OkStatus();
  }
  const absl::Status status =
      Put(item, PublishedReportKey(document.wave), document.wave + "/published-report", proto::CanonicalBytes(document.report));
  if (!item.resources.empty() && item.resources.back().outcome() != v1::APPLY_OUTCOME_UNCHANGED) changed_waves_[document.wave] = true;
  return status;
}

absl::StatusOr<std::vector<std::string>> Application::Events() {
  std::vector<std::string> events;
  for (const auto& [name, report_changed] : changed_waves_) {
    absl::StatusOr<const std::string*> value = transaction_.Get(WaveKey(name));
    if (!value.ok()) return value.status();
    v1::WaveEvent event;
    event.mutable_wave()->ParseFromString(**value);
    event.mutable_wave()->set_etag(Etag(transaction_.VersionAfter(WaveKey(name))));
    FillIn(*event.mutable_wave(), now_);
    event.set_published_report_changed(report_changed);
    events.push_back(event.SerializeAsString());
  }
  return events;
}

absl::Status Application::Commit(const std::string& digest, const v1::ApplyDocumentsResponse& response) {
  absl::StatusOr<std::vector<std::string>> events = Events();
  if (!events.ok()) return events.status();
  storage::Batch batch = transaction_.ToBatch();
  if (!request_.request_id().empty()) batch.writes.push_back(storage::ReceiptWrite(request_.request_id(), digest, response));
  // What is there already, as the answer says, may have been written by somebody else just now.
  if (batch.writes.empty()) return transaction_.store().Confirm(Catalog::kPartition);
  batch.events = *std::move(events);
  return transaction_.store().Commit(std::move(batch)).status();
}

absl::StatusOr<v1::ApplyDocumentsResponse> Application::Run() {
  v1::ApplyDocumentsResponse response;
  std::string digest;
  if (!request_.request_id().empty()) {
    v1::ApplyDocumentsRequest content = request_;
    content.clear_request_id();
    digest = storage::RequestDigest(content);
    auto found = storage::FindReceipt(transaction_.store(), Catalog::kPartition, request_.request_id(), digest, response);
    if (!found.ok()) return found.status();
    if (*found) return response;
  }
  if (absl::Status status = Parse(); !status.ok()) return status;
  if (absl::Status status = ForEach(&Application::PutSurvey); !status.ok()) return status;
  if (absl::Status status = ForEach(&Application::PutQuestionnaire); !status.ok()) return status;
  if (absl::Status status = ForEach(&Application::PutWave); !status.ok()) return status;
  if (absl::Status status = RenewWavesOfChangedQuestionnaires(); !status.ok()) return status;
  if (absl::Status status = ForEach(&Application::PutPublished); !status.ok()) return status;
  if (absl::Status status = bad_.ToStatus("DOCUMENT_INVALID"); !status.ok()) return status;

  for (Item& item : items_) {
    for (v1::AppliedResource& resource : item.resources) *response.add_resources() = std::move(resource);
  }
  for (v1::AppliedResource& resource : renewed_) *response.add_resources() = std::move(resource);
  if (request_.dry_run()) return response;
  if (absl::Status status = Commit(digest, response); !status.ok()) return status;
  return response;
}

}  // namespace

absl::StatusOr<v1::ApplyDocumentsResponse> ApplyDocuments(storage::Store& store, const v1::ApplyDocumentsRequest& request,
                                                          const std::string& caller, absl::Time now) {
  return Application(store, request, caller, now).Run();
}

}  // namespace peiling::intake

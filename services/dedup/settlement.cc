#include "services/dedup/settlement.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/common/names/resource_names.h"
#include "services/dedup/cleaning_report.h"
#include "services/dedup/documents.h"

namespace peiling::dedup {
namespace {

std::string Key(const char* prefix, const std::string& id) { return absl::StrCat(prefix, id); }

// Counts the change of one document.
template <typename Message>
absl::Status CountChange(const Workspace& work, const std::string& key, v1::CleaningReport& report) {
  if (work.Before(key).has_value()) {
    auto before = work.GetStored<Message>(key);
    if (!before.ok()) return before.status();
    Count(*before, -1, report);
  }
  if (work.After(key).has_value()) {
    auto after = work.Get<Message>(key);
    if (!after.ok()) return after.status();
    Count(*after, +1, report);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Settlement::Settle(const std::set<std::string>& response_ids, v1::RecordEvent& event, v1::CleaningReport& report) {
  if (absl::Status gathered = Gather(response_ids); !gathered.ok()) return gathered;
  DecideCases();
  PutDecisions();
  for (const auto& [case_id, of] : cases_) {
    PutCase(case_id, of);
    PutRecord(case_id, of);
  }
  return AddChanges(event, report);
}

// From responses to their cases, old and new, to the other responses there, until nothing new comes up.
absl::Status Settlement::Gather(std::set<std::string> response_ids) {
  while (!response_ids.empty()) {
    std::set<std::string> case_ids;
    if (absl::Status gathered = GatherResponses(response_ids, case_ids); !gathered.ok()) return gathered;
    response_ids.clear();
    if (absl::Status gathered = GatherCases(case_ids, response_ids); !gathered.ok()) return gathered;
  }
  for (const auto& [id, entrant] : entrants_) {
    for (const std::string& case_id : entrant.placement.cases) cases_[case_id].members.push_back(id);
  }
  return absl::OkStatus();
}

absl::Status Settlement::GatherResponses(const std::set<std::string>& response_ids, std::set<std::string>& case_ids) {
  std::vector<std::string> keys;
  for (const std::string& id : response_ids) documents::AddKeysOfResponse(id, keys);
  if (absl::Status loaded = work_.Load(keys); !loaded.ok()) return loaded;
  for (const std::string& id : response_ids) {
    auto response = work_.Get<intake::v1::Response>(Key(documents::kResponses, id));
    if (!response.ok()) return response.status();
    auto resolution = work_.Get<registry::v1::Resolution>(Key(documents::kResolutions, id));
    if (!resolution.ok()) return resolution.status();
    Entrant& entrant = entrants_[id];
    entrant.submission = {*std::move(response), *std::move(resolution)};
    entrant.placement = Place(entrant.submission, rulings_, setup_);
    case_ids.insert(entrant.placement.cases.begin(), entrant.placement.cases.end());
    const auto& membership = work_.Before(Key(documents::kMemberships, id));
    for (const auto& case_id : absl::StrSplit(membership.value_or(""), '\n', absl::SkipEmpty())) case_ids.emplace(case_id);
  }
  return absl::OkStatus();
}

absl::Status Settlement::GatherCases(const std::set<std::string>& case_ids, std::set<std::string>& response_ids) {
  std::vector<std::string> keys;
  for (const std::string& id : case_ids) {
    keys.push_back(Key(documents::kCases, id));
    keys.push_back(Key(documents::kRecords, id));
  }
  if (absl::Status loaded = work_.Load(keys); !loaded.ok()) return loaded;
  for (const std::string& id : case_ids) {
    if (!cases_.try_emplace(id).second) continue;
    auto stored = work_.GetStored<v1::Case>(Key(documents::kCases, id));
    if (!stored.ok()) return stored.status();
    for (const v1::Decision& decision : stored->decisions()) {
      std::string response_id = names::LastId(decision.response());
      if (!entrants_.contains(response_id)) response_ids.insert(std::move(response_id));
    }
  }
  return absl::OkStatus();
}

void Settlement::DecideCases() {
  for (auto& [case_id, of] : cases_) {
    std::vector<Member> members;
    for (const std::string& id : of.members) {
      const Entrant& entrant = entrants_[id];
      members.push_back({&entrant.submission, &entrant.placement});
    }
    of.outcome = DecideCase(case_id, members, rulings_, setup_);
    // Cases come in the order of their ids, as in every placement.
    for (size_t i = 0; i < members.size(); ++i) entrants_[of.members[i]].by_case.push_back(&of.outcome.decisions[i]);
  }
}

void Settlement::PutDecisions() {
  for (auto& [id, entrant] : entrants_) {
    entrant.decision = Combine(entrant.placement, entrant.by_case, setup_);
    work_.Put(Key(documents::kDecisions, id), entrant.decision);
    work_.Put(Key(documents::kMemberships, id), absl::StrJoin(entrant.placement.cases, "\n"));
  }
}

void Settlement::PutCase(const std::string& case_id, const CaseWork& of) {
  const std::string key = Key(documents::kCases, case_id);
  if (of.members.empty()) return work_.Erase(key);
  v1::Case stored;
  stored.set_name(absl::StrCat(setup_.wave, "/cases/", case_id));
  for (const std::string& code : CodesOfCase(case_id)) {
    stored.add_municipality_codes(code);
    stored.add_titles(setup_.Title(code));
  }
  stored.set_state(of.outcome.state);
  const int kept = of.outcome.kept;
  if (kept >= 0) stored.add_decisions()->set_response(of.outcome.decisions[kept].response());
  for (int i = 0; i < static_cast<int>(of.members.size()); ++i) {
    if (i != kept) stored.add_decisions()->set_response(of.outcome.decisions[i].response());
  }
  stored.mutable_contradictions()->Assign(of.outcome.contradictions.begin(), of.outcome.contradictions.end());
  work_.Put(key, stored);
}

void Settlement::PutRecord(const std::string& case_id, const CaseWork& of) {
  const std::string key = Key(documents::kRecords, case_id);
  if (of.outcome.kept < 0) return work_.Erase(key);
  const Entrant& kept = entrants_[of.members[of.outcome.kept]];
  work_.Put(key, MakeRecord(case_id, kept.submission.response, kept.decision, setup_));
}

absl::Status Settlement::AddChanges(v1::RecordEvent& event, v1::CleaningReport& report) const {
  for (const auto& [id, entrant] : entrants_) {
    const std::string key = Key(documents::kDecisions, id);
    if (!work_.Changed(key)) continue;
    v1::Decision& decision = *event.add_decisions();
    decision = entrant.decision;
    decision.clear_resolution();  // It holds the text as typed.
    if (absl::Status counted = CountChange<v1::Decision>(work_, key, report); !counted.ok()) return counted;
  }
  for (const auto& [case_id, of] : cases_) {
    const std::string record_key = Key(documents::kRecords, case_id);
    if (absl::Status counted = CountChange<v1::Case>(work_, Key(documents::kCases, case_id), report); !counted.ok()) return counted;
    if (!work_.Changed(record_key)) continue;
    if (absl::Status counted = CountChange<v1::Record>(work_, record_key, report); !counted.ok()) return counted;
    if (!work_.After(record_key).has_value()) {
      event.add_removed_municipality_codes(case_id);
      continue;
    }
    auto record = work_.Get<v1::Record>(record_key);
    if (!record.ok()) return record.status();
    *event.add_records() = *std::move(record);
  }
  return absl::OkStatus();
}

}  // namespace peiling::dedup

// A ledger over a store in memory, and what is in that store, for tests of ledgers.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/common/proto/canonical_bytes.h"
#include "services/dedup/cleaning_report.h"
#include "services/dedup/documents.h"
#include "services/dedup/wave_ledger.h"
#include "services/dedup/wave_view.h"
#include "tests/dedup/fixture.h"

namespace peiling::dedup {

// A ledger over a store in memory, fed by events a test makes.
class WaveLedgerTest : public testing::Test {
 protected:
  void SetUp() override { Open("sqlite::memory:"); }

  void Open(const std::string& address, const std::string& name = "test") {
    ledger_.reset();
    store_.reset();
    auto store = storage::OpenStore(address, name);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ledger_ = std::make_unique<WaveLedger>(*store_, kWave, StoppedClock);
    ASSERT_EQ(ledger_->Prepare(TestSource(), TestResolve), absl::OkStatus());
  }

  void Submit(const std::vector<Filled>& responses) {
    std::vector<intake::v1::SubmissionEvent> events;
    for (const Filled& filled : responses) {
      intake::v1::SubmissionEvent& event = events.emplace_back();
      event.set_sequence(++sequence_);
      *event.mutable_response() = MakeResponse(filled);
    }
    ASSERT_EQ(ledger_->Apply(0, events, TestResolve), absl::OkStatus());
  }

  absl::StatusOr<v1::CreateRulingResponse> Rule(const v1::Ruling& ruling) {
    v1::CreateRulingRequest request;
    request.set_parent(kWave);
    *request.mutable_ruling() = ruling;
    request.set_request_id(absl::StrCat("request-", ++requests_));
    return ledger_->CreateRuling(request);
  }

  absl::StatusOr<v1::RetractRulingResponse> Retract(int number) {
    v1::RetractRulingRequest request;
    request.set_name(absl::StrCat(kWave, "/rulings/", number));
    request.set_retracted_by("onderzoeker");
    request.set_reason("toch niet");
    request.set_request_id(absl::StrCat("request-", ++requests_));
    return ledger_->RetractRuling(request);
  }

  std::vector<storage::FeedEvent> ReadFeedAfter(uint64_t sequence) {
    auto events = store_->ReadFeed(kWave, sequence, 1000);
    EXPECT_TRUE(events.ok());
    return *std::move(events);
  }

  std::vector<v1::RecordEvent> Feed() {
    std::vector<v1::RecordEvent> events;
    for (auto page = ReadFeedAfter(0); !page.empty(); page = ReadFeedAfter(page.back().sequence)) {
      for (const auto& stored : page) {
        EXPECT_TRUE(events.emplace_back().ParseFromString(stored.value));
        EXPECT_EQ(events.back().sequence(), 0u) << "it is the store's to give";
      }
    }
    return events;
  }

  v1::CleaningReport Report() { return WaveView(*store_, kWave).GetCleaningReport()->report(); }
  v1::Decision DecisionOn(const std::string& id) { return **documents::Read<v1::Decision>(*store_, kWave, "decision/" + id); }
  std::optional<v1::Case> CaseOf(const std::string& id) { return *documents::Read<v1::Case>(*store_, kWave, "case/" + id); }
  std::optional<v1::Record> RecordOf(const std::string& code) { return *documents::Read<v1::Record>(*store_, kWave, "record/" + code); }

  std::vector<storage::Document> Documents(const std::string& prefix) {
    auto documents = store_->List(kWave, prefix, "", 100000);
    EXPECT_TRUE(documents.ok());
    return *std::move(documents);
  }

  // Everything decided, as bytes.
  std::map<std::string, std::string> State() {
    std::map<std::string, std::string> state;
    for (const char* prefix : {documents::kDecisions, documents::kCases, documents::kRecords, documents::kMemberships}) {
      for (const auto& document : Documents(prefix)) state[document.key] = document.value;
    }
    state["report"] = proto::CanonicalBytes(Report());
    return state;
  }

  // Counts again what the ledger keeps.
  v1::CleaningReport Recount() {
    v1::CleaningReport report;
    report.set_municipalities(Report().municipalities());
    for (const auto& document : Documents(documents::kDecisions)) {
      v1::Decision decision;
      EXPECT_TRUE(decision.ParseFromString(document.value));
      Count(decision, 1, report);
    }
    for (const auto& document : Documents(documents::kRecords)) {
      v1::Record record;
      EXPECT_TRUE(record.ParseFromString(document.value));
      Count(record, 1, report);
    }
    for (const auto& document : Documents(documents::kCases)) {
      v1::Case survey_case;
      EXPECT_TRUE(survey_case.ParseFromString(document.value));
      Count(survey_case, 1, report);
    }
    return report;
  }

  // What somebody who follows the record feed knows.
  std::map<std::string, std::string> Followed() {
    std::map<std::string, std::string> known;
    for (const v1::RecordEvent& event : Feed()) {
      for (const auto& code : event.removed_municipality_codes()) known.erase("record/" + code);
      for (const auto& record : event.records()) known["record/" + record.municipality_code()] = proto::CanonicalBytes(record);
      for (const auto& decision : event.decisions()) {
        known["decision/" + names::LastId(decision.response())] = proto::CanonicalBytes(decision);
      }
    }
    return known;
  }

  std::map<std::string, std::string> Stored() {
    std::map<std::string, std::string> stored;
    for (const auto& document : Documents(documents::kDecisions)) {
      v1::Decision decision;
      EXPECT_TRUE(decision.ParseFromString(document.value));
      decision.clear_resolution();
      stored[document.key] = proto::CanonicalBytes(decision);
    }
    for (const auto& document : Documents(documents::kRecords)) stored[document.key] = document.value;
    return stored;
  }

  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<WaveLedger> ledger_;
  uint64_t sequence_ = 0;
  int requests_ = 0;
};

// A random history of one wave: submissions, changes, withdrawals.
inline std::vector<intake::v1::Response> RandomHistory(std::mt19937_64& random, int length) {
  const std::vector<std::string> places = {
      "GM0001",        "GM0002",  "~GM0002", "GM0003", "GM0004", "GM0001+GM0002", "GM0003+GM0004+GM0005",
      "GM0001?GM0002", "-GM0099", "",        "test",   "GM0005", "GM0006?GM0007"};
  const auto pick = [&](size_t n) { return static_cast<int>(random() % n); };
  std::vector<intake::v1::Response> history;
  history.reserve(length);
  for (int i = 0; i < length; ++i) {
    history.push_back(MakeResponse({.id = std::to_string(1 + pick(length / 2)),
                                    .municipality = places[pick(places.size())],
                                    .submitted = pick(2) == 0,
                                    .answered = pick(4),
                                    .minute = pick(3),
                                    .person = std::vector<std::string>{"", "p", "q"}[pick(3)],
                                    .test = pick(12) == 0,
                                    .withdrawn = pick(12) == 0,
                                    .started = pick(2),
                                    .single = pick(2) == 0 ? "ja" : "nee"}));
  }
  return history;
}

inline std::vector<intake::v1::SubmissionEvent> AsEvents(const std::vector<intake::v1::Response>& history) {
  std::vector<intake::v1::SubmissionEvent> events;
  for (const auto& response : history) {
    intake::v1::SubmissionEvent& event = events.emplace_back();
    event.set_sequence(events.size());
    *event.mutable_response() = response;
  }
  return events;
}

}  // namespace peiling::dedup

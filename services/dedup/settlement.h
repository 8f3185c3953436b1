// One step of dedup over the store's documents: given what changed, find everything that hangs on it, decide it anew, and say what became
// different.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "services/dedup/case_policy.h"
#include "services/dedup/rulings.h"
#include "services/dedup/wave_setup.h"
#include "services/dedup/workspace.h"

namespace peiling::dedup {

// Used once. Work and memory grow with the responses of the cases touched (and of those a joint response ties to them), not with the wave.
class Settlement {
 public:
  // All must outlive it.
  Settlement(Workspace& work, const Rulings& rulings, const WaveSetup& setup) : work_(work), rulings_(rulings), setup_(setup) {}

  // Decides again all cases the responses (by id) belong to or belonged to, into the workspace. Adds changes to `event` and `report`.
  // The workspace holds new responses and resolutions already; rulings are the ones given.
  absl::Status Settle(const std::set<std::string>& response_ids, v1::RecordEvent& event, v1::CleaningReport& report);

 private:
  struct Entrant {
    Submission submission;
    Placement placement;
    // What each of its cases says, in the order of placement.cases.
    std::vector<const v1::Decision*> by_case;
    v1::Decision decision;
  };
  struct CaseWork {
    std::vector<std::string> members;  // Response ids, sorted.
    CaseOutcome outcome;
  };

  absl::Status Gather(std::set<std::string> response_ids);
  absl::Status GatherResponses(const std::set<std::string>& response_ids, std::set<std::string>& case_ids);
  absl::Status GatherCases(const std::set<std::string>& case_ids, std::set<std::string>& response_ids);
  void DecideCases();
  void PutDecisions();
  void PutCase(const std::string& case_id, const CaseWork& of);
  void PutRecord(const std::string& case_id, const CaseWork& of);
  absl::Status AddChanges(v1::RecordEvent& event, v1::CleaningReport& report) const;

  Workspace& work_;
  const Rulings& rulings_;
  const WaveSetup& setup_;
  std::map<std::string, Entrant> entrants_;  // By response id.
  std::map<std::string, CaseWork> cases_;    // By case id.
};

}  // namespace peiling::dedup

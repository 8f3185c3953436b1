// The rules of dedup, and nothing else: what becomes of each response of a case. Pure functions of responses, rulings and the wave's frame,
// so that a replay decides the same whatever came first. No clock, no store, no network.
//
// A response is placed (which cases it belongs to), each of its cases is decided by itself, and what the cases say about it is combined:
//   Place → DecideCase → Combine → MakeRecord
#pragma once

#include <string>
#include <vector>

#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/dedup/rulings.h"
#include "services/dedup/wave_setup.h"

namespace peiling::dedup {

// To be raised with every change of the rules: a wave decided with another version is decided again.
inline constexpr char kPolicyVersion[] = "2";

// A response and how the text it gives for its municipality was understood.
struct Submission {
  intake::v1::Response response;
  registry::v1::Resolution resolution;
};

// Where a response belongs, and what is certain before its cases are decided.
struct Placement {
  // Ids of its cases, sorted: "GM0363"; several for a joint response; "GM0373-GM0893" when it could be for any of these. Empty: none.
  std::vector<std::string> cases;
  // Whether it may become a record. If not, `decision` is final.
  bool competes = false;
  v1::Decision decision;
};

// In this order: taken back by the respondent, excluded by a ruling, a trial, nothing answered; then who is meant: by a ruling, else as
// known from the invitation, else by the text.
Placement Place(const Submission& submission, const Rulings& rulings, const WaveSetup& setup);

// A response in a case.
struct Member {
  const Submission* submission;
  const Placement* placement;
};

// How one case came out.
struct CaseOutcome {
  v1::CaseState state = v1::CASE_STATE_EMPTY;
  // Index of the member that is the record; -1 when there is none.
  int kept = -1;
  // What the case says about each member, in their order.
  std::vector<v1::Decision> decisions;
  // Between the kept one and those that are as complete, in the members' order.
  std::vector<v1::Contradiction> contradictions;
};

// Kept is the one a ruling names; else submitted before not submitted, then more questions answered, about this case when a member says
// different things of its municipalities, then the later one.
CaseOutcome DecideCase(const std::string& case_id, const std::vector<Member>& members, const Rulings& rulings, const WaveSetup& setup);

// What becomes of a response in total, from what each of its cases says, in the order of `placement.cases`: kept when it is kept anywhere,
// else what the first case says.
v1::Decision Combine(const Placement& placement, const std::vector<const v1::Decision*>& by_case, const WaveSetup& setup);

// The record of a municipality from the response kept for it, whose combined decision this is. Of a response for several municipalities it
// has the answers as they are for this one. Personal answers are left out.
v1::Record MakeRecord(const std::string& municipality_code, const intake::v1::Response& response, const v1::Decision& decision,
                      const WaveSetup& setup);

// The municipalities of a case id: {"GM0373", "GM0893"} of "GM0373-GM0893".
std::vector<std::string> CodesOfCase(const std::string& case_id);

}  // namespace peiling::dedup

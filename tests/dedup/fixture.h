// A small wave to test dedup with: three municipalities and a questionnaire with every kind of question.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/dedup/case_policy.h"
#include "services/dedup/wave_ledger.h"
#include "services/dedup/wave_setup.h"

namespace peiling::dedup {

inline constexpr char kWave[] = "surveys/s/waves/w";

// GM0001 "Aa", GM0002 "Bee", GM0003 "Cee" and, for property tests, GM0004 to GM0009; frame date 2022-03-24.
WaveSource TestSource();
std::shared_ptr<const WaveSetup> TestSetup();

// Texts that stand for each kind of resolution: "GM0001" is EXACT, "~GM0001" CORRECTED, "GM0001+GM0002" SEVERAL, "GM0001?GM0002" AMBIGUOUS,
// "-GM0009" FORMER with successor GM0001, anything else UNKNOWN.
registry::v1::Resolution TestResolution(const std::string& text);
absl::StatusOr<std::vector<registry::v1::Resolution>> TestResolve(const std::vector<std::string>& texts, const std::string& as_of);

// What a test says about a response; the rest is made up the same for all.
struct Filled {
  std::string id;
  std::string municipality = "GM0001";
  bool submitted = true;
  int answered = 10;
  // Minute at which it was submitted or last changed.
  int minute = 0;
  std::string person;
  bool test = false;
  bool withdrawn = false;
  // Minute at which it was begun.
  int started = 0;
  // Options of the closed questions.
  std::string single = "ja";
  std::vector<std::string> multiple = {};
  // Codes known from an invitation; then `municipality` is not asked.
  std::vector<std::string> invited = {};
  // "GM0002": what `single` is for that municipality alone.
  std::map<std::string, std::string> single_of = {};
};
intake::v1::Response MakeResponse(const Filled& filled);
Submission MakeSubmission(const Filled& filled);

// "surveys/s/waves/w/responses/1"
std::string ResponseName(const std::string& id);
// Rulings 1, 2 … by what they say.
v1::Ruling Assign(const std::string& id, const std::string& code);
v1::Ruling Keep(const std::string& id, const std::string& code);
v1::Ruling Exclude(const std::string& id);
v1::Ruling Split(const std::string& id, const std::vector<std::string>& codes);
// Numbers them in their order.
std::vector<v1::Ruling> Numbered(std::vector<v1::Ruling> rulings);

// A clock that never moves.
google::protobuf::Timestamp StoppedClock();

// started = the sum of what became of them.
int64_t SumOfDispositions(const v1::CleaningReport& report);

}  // namespace peiling::dedup

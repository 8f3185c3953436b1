// A small wave for tests: ten municipalities, five questions, and records made by hand.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/survey/v1/questionnaire.pb.h"
#include "services/analytics/frame.h"
#include "services/analytics/wave_definition.h"
#include "services/analytics/wave_index.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::analytics::samples {

// name: single, personal text; teams: single ja/nee; tasks: multiple a/b/c, to those with teams; care: matrix planting/pruning × own/other;
// remarks: text. Sections: 1 name, teams; 2 tasks; 3 care, remarks.
survey::v1::Questionnaire Questions(const std::string& version = "2022");
std::shared_ptr<const survey::CompiledQuestionnaire> Compiled(survey::v1::Questionnaire questionnaire = Questions());

// GM0001 … GM0010: the first six are small and in Utrecht, two of 50,000 to 100,000 in Drenthe, two of 200,000 and more in Drenthe and in
// G4 (GM0010 from 2022-06-01 on).
std::vector<registry::v1::Municipality> Municipalities();
std::shared_ptr<const Frame> SampleFrame(const std::string& groups_date = "2022-03-24");

// "GM0007".
std::string Code(int number);

// Writes a record.
class RecordMaker {
 public:
  explicit RecordMaker(int municipality);
  RecordMaker& Incomplete(int last_section);
  RecordMaker& Choose(const std::string& question, const std::vector<std::string>& options);
  RecordMaker& Fill(const std::string& question, const std::vector<std::pair<std::string, std::string>>& cells);
  RecordMaker& Text(const std::string& question, const std::string& text);
  operator dedup::v1::Record() const { return record_; }  // NOLINT: a maker stands for what it made.

 private:
  dedup::v1::Record record_;
};

// Prepares and puts.
void Put(WaveIndex& index, const dedup::v1::Record& record);

// A decision on "surveys/s/waves/2022/responses/<id>". Times as RFC 3339; empty: none.
dedup::v1::Decision Decide(const std::string& id, dedup::v1::Disposition disposition, const std::vector<int>& municipalities,
                           const std::string& started, const std::string& submitted = "", const std::vector<int>& kept_for = {});

// A wave "surveys/s/waves/<id>" of the sample.
std::shared_ptr<WaveDefinition> Definition(const std::string& id = "2022", const std::string& opened = "2022-09-05");

// Parses text format; fails the test when it cannot.
template <typename Message>
Message Parse(const std::string& text);

}  // namespace peiling::analytics::samples

#include "tests/analytics/samples.inl.h"

#include "tests/analytics/samples.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "google/protobuf/util/time_util.h"

namespace peiling::analytics::samples {

namespace sv = survey::v1;

sv::Questionnaire Questions(const std::string& version) {
  auto questionnaire = Parse<sv::Questionnaire>(R"(
    language: "nl"
    sections {
      title: "Algemeen"
      questions { code: "name" title: "Wie bent u?" type: QUESTION_TYPE_TEXT personal: true }
      questions {
        code: "teams" title: "Zijn er teams?" type: QUESTION_TYPE_SINGLE
        options { code: "ja" label: "Ja" } options { code: "nee" label: "Nee" }
      }
    }
    sections {
      title: "Taken"
      questions {
        code: "tasks" title: "Wat doen de teams?" type: QUESTION_TYPE_MULTIPLE ask: "teams == ja"
        options { code: "a" label: "Vragen" } options { code: "b" label: "Plannen" } options { code: "c" label: "Zorg" }
      }
    }
    sections {
      title: "Zorg"
      questions {
        code: "care" title: "Wie werkt er?" type: QUESTION_TYPE_MATRIX
        rows { code: "planting" label: "Planten" } rows { code: "pruning" label: "Snoeien" }
        options { code: "own" label: "Eigen mensen" } options { code: "other" label: "Anderen" }
      }
      questions { code: "remarks" title: "Wat wilt u kwijt?" type: QUESTION_TYPE_TEXT }
    })");
  questionnaire.set_version(version);
  return questionnaire;
}

std::shared_ptr<const survey::CompiledQuestionnaire> Compiled(sv::Questionnaire questionnaire) {
  auto compiled = survey::CompiledQuestionnaire::Compile(std::move(questionnaire));
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return *compiled;
}

std::string Code(int number) { return absl::StrFormat("GM%04d", number); }

std::vector<registry::v1::Municipality> Municipalities() {
  std::vector<registry::v1::Municipality> municipalities;
  for (int number = 1; number <= 10; ++number) {
    auto& municipality = municipalities.emplace_back();
    municipality.set_code(Code(number));
    municipality.set_title(absl::StrFormat("Gemeente %d", number));
    auto& facts = *municipality.mutable_facts();
    facts.set_province(number <= 6 ? "Utrecht" : "Drenthe");
    facts.set_size_class(number <= 6 ? sv::SIZE_CLASS_UNDER_50K : number <= 8 ? sv::SIZE_CLASS_50K_TO_100K : sv::SIZE_CLASS_200K_AND_OVER);
    if (number < 9) continue;
    auto& membership = *municipality.add_groups();
    membership.set_group("G4");
    if (number == 10) membership.set_from("2022-06-01");
  }
  return municipalities;
}

std::shared_ptr<const Frame> SampleFrame(const std::string& groups_date) { return std::make_shared<Frame>(Municipalities(), groups_date); }

RecordMaker::RecordMaker(int municipality) {
  record_.set_municipality_code(Code(municipality));
  record_.set_complete(true);
}

RecordMaker& RecordMaker::Incomplete(int last_section) {
  record_.set_complete(false);
  record_.set_last_section(last_section);
  return *this;
}

RecordMaker& RecordMaker::Choose(const std::string& question, const std::vector<std::string>& options) {
  auto& answer = *record_.mutable_answers()->add_answers();
  answer.set_question(question);
  for (const auto& option : options) answer.mutable_selection()->add_codes(option);
  return *this;
}

RecordMaker& RecordMaker::Fill(const std::string& question, const std::vector<std::pair<std::string, std::string>>& cells) {
  auto& answer = *record_.mutable_answers()->add_answers();
  answer.set_question(question);
  for (const auto& [row, option] : cells) {
    auto& cell = *answer.mutable_grid()->add_cells();
    cell.set_row(row);
    cell.set_option(option);
  }
  return *this;
}

RecordMaker& RecordMaker::Text(const std::string& question, const std::string& text) {
  auto& answer = *record_.mutable_answers()->add_answers();
  answer.set_question(question);
  answer.set_text(text);
  return *this;
}

void Put(WaveIndex& index, const dedup::v1::Record& record) {
  survey::Assessment scratch;
  index.Put(index.Prepare(record, scratch));
}

dedup::v1::Decision Decide(const std::string& id, dedup::v1::Disposition disposition, const std::vector<int>& municipalities,
                           const std::string& started, const std::string& submitted, const std::vector<int>& kept_for) {
  dedup::v1::Decision decision;
  decision.set_response("surveys/s/waves/2022/responses/" + id);
  decision.set_disposition(disposition);
  for (const int municipality : municipalities) decision.add_municipality_codes(Code(municipality));
  for (const int municipality : kept_for) decision.add_kept_for(Code(municipality));
  using google::protobuf::util::TimeUtil;
  EXPECT_TRUE(TimeUtil::FromString(started, decision.mutable_started_at())) << started;
  if (!submitted.empty()) {
    EXPECT_TRUE(TimeUtil::FromString(submitted, decision.mutable_submitted_at())) << submitted;
  }
  return decision;
}

std::shared_ptr<WaveDefinition> Definition(const std::string& id, const std::string& opened) {
  auto definition = std::make_shared<WaveDefinition>();
  definition->wave.set_name("surveys/s/waves/" + id);
  definition->wave.set_opened(opened);
  definition->wave.set_frame_date(opened);
  definition->questionnaire = Compiled(Questions(id));
  definition->frame = SampleFrame();
  return definition;
}

}  // namespace peiling::analytics::samples

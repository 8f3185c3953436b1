#include "services/dedup/wave_setup.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace peiling::dedup {

absl::StatusOr<std::shared_ptr<const WaveSetup>> WaveSetup::Make(const WaveSource& source, std::string policy, Versions versions) {
  auto compiled = survey::CompiledQuestionnaire::Compile(source.questionnaire.questionnaire());
  if (!compiled.ok()) return compiled.status();
  auto setup = std::make_shared<WaveSetup>();
  setup->wave = source.wave.name();
  setup->frame_date = source.wave.frame_date();
  setup->partitions = std::max(1, source.wave.partitions());
  setup->questionnaire = *std::move(compiled);
  setup->policy = std::move(policy);
  setup->versions = std::move(versions);
  for (const auto& municipality : source.frame.municipalities()) setup->titles.emplace(municipality.code(), municipality.title());
  return setup;
}

const std::string& WaveSetup::Title(const std::string& code) const {
  const auto found = titles.find(code);
  return found == titles.end() ? code : found->second;
}

std::string WaveSetup::Titles(const std::vector<std::string>& codes, const std::string& word) const {
  std::string text;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (i > 0) absl::StrAppend(&text, i + 1 == codes.size() ? absl::StrCat(" ", word, " ") : ", ");
    absl::StrAppend(&text, Title(codes[i]));
  }
  return text;
}

std::string WaveSetup::MunicipalityText(const intake::v1::Response& response) const {
  if (response.municipalities_size() > 0) return "";
  const survey::QuestionIndex index = questionnaire->FindRole(survey::v1::QUESTION_ROLE_MUNICIPALITY);
  if (index == survey::kNoQuestion) return "";
  const std::string& code = questionnaire->questions()[index].question->code();
  for (const auto& answer : response.answers().answers()) {
    if (answer.question() == code) return answer.text();
  }
  return "";
}

}  // namespace peiling::dedup

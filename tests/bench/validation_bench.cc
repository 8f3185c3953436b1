// Judging full responses to the questionnaire of 2022, on one core, beside its bound: a response that comes over the wire has to be parsed.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "services/common/survey/documents.h"
#include "services/validation/validation_plan.h"

namespace peiling::validation {
namespace {

namespace sv = survey::v1;

sv::Questionnaire Load2022() {
  std::ifstream stream(SURVEYS "/sociale-wijkteams/2022.yaml", std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  status::BadRequest bad;
  auto document = survey::ParseDocument("2022.yaml", text.str(), bad);
  if (!document.has_value()) {
    std::cerr << bad.ToStatus() << "\n";
    std::exit(1);
  }
  return *std::get<survey::WaveDocument>(*document).questionnaire;
}

// An answer that uses all the question offers: most options, every row, a text of its own.
sv::Answer FullAnswer(const sv::Question& question, std::mt19937_64& random) {
  sv::Answer answer;
  answer.set_question(question.code());
  const auto any = [&] { return question.options(static_cast<int>(random() % question.options_size())).code(); };
  switch (question.type()) {
    case sv::QUESTION_TYPE_TEXT:
      answer.set_text("Een toelichting van een paar zinnen, zoals ambtenaren die geven. Zo lang is ze meestal wel ongeveer.");
      break;
    case sv::QUESTION_TYPE_SINGLE:
      answer.mutable_selection()->add_codes(any());
      break;
    case sv::QUESTION_TYPE_MULTIPLE:
      for (const auto& option : question.options()) {
        const bool full = question.max_choices() > 0 && answer.selection().codes_size() >= question.max_choices();
        if (!option.exclusive() && !full && random() % 3 != 0) answer.mutable_selection()->add_codes(option.code());
      }
      if (answer.selection().codes().empty()) answer.mutable_selection()->add_codes(question.options(1).code());
      break;
    case sv::QUESTION_TYPE_MATRIX:
      for (const auto& row : question.rows()) {
        auto& cell = *answer.mutable_grid()->add_cells();
        cell.set_row(row.code());
        cell.set_option(any());
      }
      break;
    default:
      break;
  }
  if (!question.other_code().empty()) {
    const auto& codes = answer.selection().codes();
    if (!codes.empty() && codes[codes.size() - 1] == question.other_code()) answer.mutable_selection()->set_other_text("iets anders");
  }
  return answer;
}

// Responses of municipalities with teams that answer all they are asked, so that nothing is left out of the work.
std::vector<v1::ResponseInput> FullResponses(const survey::CompiledQuestionnaire& compiled) {
  std::mt19937_64 random(2022);
  std::vector<v1::ResponseInput> responses(64);
  survey::Assessment assessment;
  for (auto& response : responses) {
    response.set_submitted(true);
    response.set_last_section(compiled.proto().sections_size());
    sv::Answers& answers = *response.mutable_answers();
    for (size_t i = 0; i < compiled.questions().size(); ++i) {
      const sv::Question& question = *compiled.questions()[i].question;
      compiled.Assess(answers, true, 0, assessment);
      if (assessment.states[i] == sv::QUESTION_STATE_NOT_ASKED) continue;
      *answers.add_answers() = FullAnswer(question, random);
      if (question.role() == sv::QUESTION_ROLE_SIZE_CLASS)
        answers.mutable_answers(answers.answers_size() - 1)->mutable_selection()->set_codes(0, "lt50");
      if (question.code() == "Q5") answers.mutable_answers(answers.answers_size() - 1)->mutable_selection()->set_codes(0, "ja");
    }
  }
  return responses;
}

struct Fixture {
  std::shared_ptr<const survey::CompiledQuestionnaire> compiled = *survey::CompiledQuestionnaire::Compile(Load2022());
  std::shared_ptr<const ValidationPlan> plan = *ValidationPlan::Compile(compiled->proto());
  std::vector<v1::ResponseInput> responses = FullResponses(*compiled);
};

const Fixture& Data() {
  static const Fixture fixture;
  return fixture;
}

void JudgeFullResponse(benchmark::State& state) {
  const Fixture& data = Data();
  ValidationPlan::Scratch scratch;
  v1::ResponseResult result;
  size_t next = 0;
  int64_t issues = 0;
  for (auto _ : state) {
    data.plan->Judge(data.responses[next++ % data.responses.size()], 45'000, scratch, result);
    issues += result.issues_size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["issues"] = benchmark::Counter(static_cast<double>(issues), benchmark::Counter::kAvgIterations);
}
BENCHMARK(JudgeFullResponse);

void AssessFullResponse(benchmark::State& state) {
  const Fixture& data = Data();
  survey::Assessment assessment;
  size_t next = 0;
  int64_t answered = 0;
  for (auto _ : state) {
    const auto& response = data.responses[next++ % data.responses.size()];
    data.compiled->Assess(response.answers(), true, response.last_section(), assessment);
    answered += assessment.completeness.answered();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["answered"] = benchmark::Counter(static_cast<double>(answered), benchmark::Counter::kAvgIterations);
}
BENCHMARK(AssessFullResponse);

// The bound.
void ParseFullResponse(benchmark::State& state) {
  std::vector<std::string> bytes;
  size_t total = 0;
  for (const auto& response : Data().responses) total += bytes.emplace_back(response.SerializeAsString()).size();
  v1::ResponseInput parsed;
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(parsed.ParseFromString(bytes[next++ % bytes.size()]));
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(total) / static_cast<double>(bytes.size());
}
BENCHMARK(ParseFullResponse);

}  // namespace
}  // namespace peiling::validation

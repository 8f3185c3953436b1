// The surveys that come with the project hold together, with their exports and among each other.
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/survey/check_questionnaire.h"
#include "services/common/survey/compiled_questionnaire.h"
#include "services/common/survey/documents.h"

namespace peiling::survey {
namespace {

using ::testing::IsEmpty;

template <typename Document>
Document Load(const std::string& file) {
  std::ifstream stream(std::string(SURVEYS) + "/" + file, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  status::BadRequest bad;
  auto document = ParseDocument(file, text.str(), bad);
  EXPECT_TRUE(document.has_value()) << bad.ToStatus();
  if (!document.has_value()) return {};
  return std::get<Document>(*std::move(document));
}

int Questions(const v1::Questionnaire& questionnaire) {
  int count = 0;
  for (const auto& section : questionnaire.sections()) count += section.questions_size();
  return count;
}

// The columns a survey tool writes for a questionnaire.
std::set<std::string> Columns(const v1::Questionnaire& questionnaire) {
  std::set<std::string> columns = {"id", "startdate", "datestamp", "submitdate", "lastpage", "startlanguage"};
  for (const auto& section : questionnaire.sections()) {
    for (const auto& question : section.questions()) {
      const auto part = [&](const std::string& name) { columns.insert(question.code() + "[" + name + "]"); };
      if (question.type() == v1::QUESTION_TYPE_MATRIX) {
        for (const auto& row : question.rows()) part(row.code());
      } else if (question.type() == v1::QUESTION_TYPE_MULTIPLE) {
        for (const auto& option : question.options()) {
          if (option.code() != question.other_code()) part(option.code());
        }
      } else {
        columns.insert(question.code());
      }
      if (!question.other_code().empty()) part("other");
      for (const auto& option : question.options()) {
        if (option.comment()) part("comment");
      }
    }
  }
  return columns;
}

std::set<std::string> Header(const std::string& file) {
  std::ifstream stream(std::string(SURVEYS) + "/" + file, std::ios::binary);
  std::string line;
  std::getline(stream, line);
  csv::Reader reader;
  std::vector<csv::Row> rows;
  EXPECT_TRUE(reader.Feed(line + "\n", rows).ok());
  EXPECT_EQ(rows.size(), 1u) << file;
  return {rows[0].fields.begin(), rows[0].fields.end()};
}

struct WaveFile {
  std::string file;
  std::string export_file;
  int questions;
};

TEST(Surveys, CompileWithNothingToSayAndFitTheirExports) {
  const std::vector<WaveFile> waves = {
      {"sociale-wijkteams/2022.yaml", "sociale-wijkteams/waves/2022/responses.csv", 64},
      {"sociale-wijkteams/2019.yaml", "sociale-wijkteams/waves/2019/responses.csv", 63},
      {"example-en/2024.yaml", "example-en/responses.csv", 10},
  };
  for (const WaveFile& wave : waves) {
    const auto document = Load<WaveDocument>(wave.file);
    ASSERT_TRUE(document.questionnaire.has_value());
    EXPECT_THAT(CheckQuestionnaire(*document.questionnaire), IsEmpty()) << wave.file;
    EXPECT_TRUE(CompiledQuestionnaire::Compile(*document.questionnaire).ok()) << wave.file;
    EXPECT_EQ(Questions(*document.questionnaire), wave.questions) << wave.file;
    EXPECT_EQ(Columns(*document.questionnaire), Header(wave.export_file)) << wave.file;
    EXPECT_FALSE(document.wave.synthetic_notice().empty()) << wave.file;
  }
}

TEST(Surveys, HaveTheirRoles) {
  const auto document = Load<WaveDocument>("sociale-wijkteams/2022.yaml");
  const auto compiled = *CompiledQuestionnaire::Compile(*document.questionnaire);
  const auto code = [&](v1::QuestionRole role) { return compiled->questions()[compiled->FindRole(role)].question->code(); };
  EXPECT_EQ(code(v1::QUESTION_ROLE_RESPONDENT), "Q1");
  EXPECT_EQ(code(v1::QUESTION_ROLE_MUNICIPALITY), "Q3");
  EXPECT_EQ(code(v1::QUESTION_ROLE_SIZE_CLASS), "Q4");
  EXPECT_EQ(code(v1::QUESTION_ROLE_CONSENT_PUBLIC_DATA), "Q63");
  EXPECT_EQ(code(v1::QUESTION_ROLE_CONSENT_CONTACT), "Q64");
}

TEST(Surveys, SizeClassesLeaveNoNumberOut) {
  const auto document = Load<WaveDocument>("sociale-wijkteams/2022.yaml");
  const auto& options = document.questionnaire->sections(0).questions(3).options();
  for (int i = 0; i + 1 < options.size(); ++i)
    EXPECT_EQ(options[i].inhabitants_to() + 1, options[i + 1].inhabitants_from()) << options[i].code();
  EXPECT_EQ(options[0].inhabitants_from(), 0);
  EXPECT_FALSE(options[options.size() - 1].has_inhabitants_to());
}

TEST(Surveys, PrintedFiguresNameQuestionsAndOptionsThatAreThere) {
  const auto wave = Load<WaveDocument>("sociale-wijkteams/2022.yaml");
  const auto published = Load<PublishedDocument>("sociale-wijkteams/published-2022.yaml");
  EXPECT_EQ(published.wave, wave.wave.name());
  const QuestionTable table(*wave.questionnaire);
  const auto check = [&](const std::string& id, const v1::OptionCount& counted) {
    const QuestionIndex index = table.Find(counted.question());
    ASSERT_NE(index, kNoQuestion) << id;
    EXPECT_GE(table.questions()[index].OptionOf(counted.option()), 0) << id;
    EXPECT_EQ(counted.row().empty(), table.questions()[index].question->rows().empty()) << id;
    if (!counted.row().empty()) {
      EXPECT_GE(table.questions()[index].RowOf(counted.row()), 0) << id;
    }
  };
  std::set<std::string> ids;
  for (const auto& figure : published.report.figures()) {
    EXPECT_TRUE(ids.insert(figure.id()).second) << figure.id();
    if (figure.measure().count().has_option()) check(figure.id(), figure.measure().count().option());
  }
  for (const auto& trend : published.report.trends()) check(trend.id(), trend.option());
  EXPECT_EQ(published.report.trends_size(), 34);
}

// A whole percent, half up.
bool SomeCountGives(int percent, int64_t base) {
  for (int64_t k = 0; k <= base; ++k) {
    if ((200 * k + base) / (2 * base) == percent) return true;
  }
  return false;
}

TEST(Surveys, SlipsAreExactlyTheFiguresNoCountGives) {
  const auto published = Load<PublishedDocument>("sociale-wijkteams/published-2022.yaml");
  for (const auto& figure : published.report.figures()) {
    if (figure.has_percent() && figure.has_base()) {
      EXPECT_EQ(figure.slip(), !SomeCountGives(figure.percent(), figure.base())) << figure.id();
    }
  }
  for (const auto& trend : published.report.trends()) {
    for (const auto& point : trend.points()) {
      if (point.has_base()) {
        EXPECT_EQ(point.slip(), !SomeCountGives(point.percent(), point.base())) << trend.id() << " " << point.wave();
      }
    }
  }
}

}  // namespace
}  // namespace peiling::survey

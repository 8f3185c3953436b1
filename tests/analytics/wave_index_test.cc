#include "services/analytics/wave_index.h"

#include <map>
#include <random>

#include "gtest/gtest.h"
#include "tests/analytics/samples.h"

namespace peiling::analytics {
namespace {

namespace sv = survey::v1;
using samples::Put;
using samples::RecordMaker;

// Counts straight from the records, one by one: slow and plain.
class NaiveCount {
 public:
  explicit NaiveCount(const WaveIndex& index) : index_(index) {}

  std::map<std::string, dedup::v1::Record> records;

  // Whether the index says the same about everything.
  void ExpectSame() const {
    const auto& questionnaire = index_.questionnaire();
    ASSERT_EQ(index_.records(), static_cast<int64_t>(records.size()));
    ASSERT_EQ(index_.All().Count(), index_.records());
    ASSERT_EQ(index_.Complete().Count(), Count([](const auto& record, const auto&) { return record.complete(); }));
    for (size_t i = 0; i < index_.frame().classes().size(); ++i) {
      ASSERT_EQ(index_.OfClass(i).Count(), Count([&](const auto& record, const auto&) {
                  return index_.frame().classes()[i].municipalities.Test(index_.frame().Find(record.municipality_code()));
                }));
    }
    for (int q = 0; q < static_cast<int>(questionnaire.questions().size()); ++q) {
      const auto& question = *questionnaire.questions()[q].question;
      for (int state = sv::QUESTION_STATE_ANSWERED; state <= sv::QUESTION_STATE_NOT_REACHED; ++state) {
        ASSERT_EQ(index_.State(q, static_cast<sv::QuestionState>(state)).Count(),
                  Count([&](const auto&, const auto& assessed) { return assessed.states[q] == state; }))
            << question.code() << " " << state;
      }
      ASSERT_EQ(index_.KeptAside(q).Count(), Count([&](const auto&, const auto& assessed) {
                  return assessed.states[q] == sv::QUESTION_STATE_NOT_ASKED && assessed.answers[q] != nullptr;
                }));
      for (int option = 0; option < question.options_size(); ++option) {
        const auto& code = question.options(option).code();
        if (question.rows_size() == 0) {
          ASSERT_EQ(index_.Option(q, option).Count(),
                    Count([&](const auto&, const auto& assessed) { return Chose(assessed, q, "", code); }));
        }
        for (int row = 0; row < question.rows_size(); ++row) {
          ASSERT_EQ(index_.Cell(q, row, option).Count(),
                    Count([&](const auto&, const auto& assessed) { return Chose(assessed, q, question.rows(row).code(), code); }));
        }
      }
      for (int row = 0; row < question.rows_size(); ++row) {
        ASSERT_EQ(index_.Row(q, row).Count(),
                  Count([&](const auto&, const auto& assessed) { return Chose(assessed, q, question.rows(row).code(), ""); }));
      }
    }
  }

 private:
  // An empty option: any.
  static bool Chose(const survey::Assessment& assessed, int question, const std::string& row, const std::string& option) {
    if (assessed.states[question] != sv::QUESTION_STATE_ANSWERED) return false;
    const auto& answer = *assessed.answers[question];
    for (const auto& code : answer.selection().codes()) {
      if (row.empty() && code == option) return true;
    }
    for (const auto& cell : answer.grid().cells()) {
      if (cell.row() == row && (option.empty() || cell.option() == option)) return true;
    }
    return false;
  }

  template <typename Holds>
  int64_t Count(Holds holds) const {
    int64_t count = 0;
    survey::Assessment assessed;
    for (const auto& [code, record] : records) {
      index_.questionnaire().Assess(record.answers(), record.complete(), record.last_section(), assessed);
      if (holds(record, assessed)) ++count;
    }
    return count;
  }

  const WaveIndex& index_;
};

dedup::v1::Record RandomRecord(std::mt19937_64& random) {
  const auto chance = [&](int of) { return random() % of == 0; };
  RecordMaker maker(1 + random() % 10);
  if (chance(3)) maker.Incomplete(random() % 4);
  if (!chance(5)) maker.Choose("teams", {chance(2) ? "ja" : "nee"});
  std::vector<std::string> tasks;
  for (const char* task : {"a", "b", "c"}) {
    if (chance(2)) tasks.push_back(task);
  }
  if (!tasks.empty()) maker.Choose("tasks", tasks);
  std::vector<std::pair<std::string, std::string>> cells;
  for (const char* row : {"planting", "pruning"}) {
    if (!chance(3)) cells.emplace_back(row, chance(2) ? "own" : "other");
  }
  if (!cells.empty()) maker.Fill("care", cells);
  if (chance(2)) maker.Text("remarks", "iets");
  return maker;
}

TEST(WaveIndex, CountsLikeCountingOneByOneAfterAnyPutsAndRemoves) {
  std::mt19937_64 random(344);
  for (int round = 0; round < 20; ++round) {
    WaveIndex index(samples::Compiled(), samples::SampleFrame());
    NaiveCount naive(index);
    for (int step = 0; step < 60; ++step) {
      if (random() % 4 == 0) {
        const auto code = samples::Code(1 + random() % 10);
        ASSERT_EQ(index.Remove(code), naive.records.erase(code) == 1);
      } else {
        const auto record = RandomRecord(random);
        Put(index, record);
        naive.records[record.municipality_code()] = record;
      }
      naive.ExpectSame();
      if (HasFatalFailure()) return;
    }
  }
}

TEST(WaveIndex, PuttingARecordAgainChangesNothing) {
  WaveIndex index(samples::Compiled(), samples::SampleFrame());
  const dedup::v1::Record record = RecordMaker(3).Choose("teams", {"ja"}).Choose("tasks", {"a", "c"});
  NaiveCount naive(index);
  naive.records[record.municipality_code()] = record;
  for (int again = 0; again < 3; ++again) {
    Put(index, record);
    naive.ExpectSame();
  }
}

TEST(WaveIndex, UsesTheSlotOfARemovedRecordForTheNextOne) {
  WaveIndex index(samples::Compiled(), samples::SampleFrame());
  Put(index, RecordMaker(1).Choose("teams", {"ja"}));
  ASSERT_TRUE(index.Remove(samples::Code(1)));
  Put(index, RecordMaker(2).Choose("teams", {"nee"}));
  EXPECT_TRUE(index.All().Test(0));
  EXPECT_EQ(index.records(), 1);
  const int teams = index.questionnaire().Find("teams");
  EXPECT_EQ(index.Option(teams, 0).Count(), 0);
  EXPECT_EQ(index.Option(teams, 1).Count(), 1);
  EXPECT_EQ(index.Municipalities().Count(), 1);
  EXPECT_TRUE(index.Municipalities().Test(index.frame().Find(samples::Code(2))));
}

TEST(WaveIndex, CountsARecordFromOutsideTheFrameInNoClass) {
  WaveIndex index(samples::Compiled(), samples::SampleFrame());
  Put(index, RecordMaker(99).Choose("teams", {"ja"}));
  EXPECT_EQ(index.records(), 1);
  for (size_t i = 0; i < index.frame().classes().size(); ++i) EXPECT_EQ(index.OfClass(i).Count(), 0);
  EXPECT_EQ(index.Municipalities().Count(), 0);
}

TEST(WaveIndex, PassesOverOptionsItDoesNotKnow) {
  WaveIndex index(samples::Compiled(), samples::SampleFrame());
  Put(index, RecordMaker(1).Choose("teams", {"ja"}).Choose("tasks", {"a", "zzz"}).Fill("care", {{"zzz", "own"}, {"pruning", "own"}}));
  const int tasks = index.questionnaire().Find("tasks");
  EXPECT_EQ(index.Option(tasks, 0).Count(), 1);
  EXPECT_EQ(index.State(tasks, sv::QUESTION_STATE_ANSWERED).Count(), 1);
  const int care = index.questionnaire().Find("care");
  EXPECT_EQ(index.Cell(care, 1, 0).Count(), 1);
  EXPECT_EQ(index.Row(care, 0).Count(), 0);
}

TEST(Frame, TakesGroupsAsOfTheirOwnDate) {
  const auto in_march = samples::SampleFrame("2022-03-24");
  const auto in_september = samples::SampleFrame("2022-09-05");
  const auto members = [](const Frame& frame) { return frame.classes()[frame.FindClass(ClassKind::kGroup, "G4")].municipalities.Count(); };
  EXPECT_EQ(members(*in_march), 1);
  EXPECT_EQ(members(*in_september), 2);
}

}  // namespace
}  // namespace peiling::analytics

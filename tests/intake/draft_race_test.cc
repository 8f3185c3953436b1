// Drafts under many writers, in several processes, and across crashes.
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "services/intake/drafts/draft_etag.h"
#include "services/intake/drafts/keyed_locks.h"
#include "tests/intake/draft_setting.h"

namespace peiling::intake {
namespace {

constexpr int kDrafts = 200;
constexpr int kWriters = 3;
constexpr int kRounds = 3;

std::string IdOf(int draft) { return "GM" + std::to_string(1000 + draft); }

// Where stores lie: in memory or in a file that is gone afterwards.
class Ground {
 public:
  explicit Ground(bool file) {
    if (!file) return;
    std::string name = (std::filesystem::temp_directory_path() / "peiling-drafts-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~Ground() {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::unique_ptr<storage::Store> Open() {
    return Must(storage::OpenStore(folder_.empty() ? "sqlite::memory:" : "sqlite:" + (folder_ / "intake.db").string(), "intake"));
  }

 private:
  std::filesystem::path folder_;
};

// A writer that goes by what saving told it, giving way to nobody: in conflict it reads, and saves again.
class Writer {
 public:
  Writer(Desk& desk, std::string name, int number)
      : desk_(desk), name_(std::move(name)), writer_{.subject = "writer" + std::to_string(number)}, etag_("r1") {}

  // Adds its own mark to the one text everybody writes in.
  void Append(const std::string& mark) {
    for (int tries = 0; tries < 1000; ++tries) {
      const auto saved = Must(desk_.drafts.Save(Desk::Saving(etag_, {For("", Text("Q10", text_ + mark))}, name_), writer_));
      etag_ = saved.etag();
      if (saved.conflicts().empty()) {
        text_ += mark;
        return;
      }
      const v1::Draft draft = desk_.Get(writer_, name_);
      etag_ = draft.etag();
      for (const auto& answer : draft.answers().answers()) {
        if (answer.question() == "Q10") text_ = answer.text();
      }
    }
    ADD_FAILURE() << "never got through";
  }
  // Answers a question that is its own, as somebody who types on and does not read what the others do.
  void Answer(const survey::v1::Answer& answer) {
    const auto saved = Must(desk_.drafts.Save(Desk::Saving(etag_, {For("", answer)}, name_), writer_));
    EXPECT_EQ(saved.conflicts_size(), 0);
    etag_ = saved.etag();
  }

 private:
  Desk& desk_;
  const std::string name_;
  const DraftWriter writer_;
  // What it knows: the text as of a state.
  std::string text_;
  std::string etag_;
};

class DraftRaceTest : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Stores, DraftRaceTest, ::testing::Values(false, true),
                         [](const auto& info) { return std::string(info.param ? "File" : "Memory"); });

survey::v1::Answer OwnAnswer(int writer, int round) {
  if (writer == 0) return Number("Q6", round);
  if (writer == 1) return Text("Q2", "round " + std::to_string(round));
  return Choice("Q4", {round % 2 == 0 ? "wijk" : "stad"});
}

void ExpectNothingLost(Desk& desk) {
  for (int i = 0; i < kDrafts; ++i) {
    const v1::Draft draft = desk.Get({}, NameOfDraft(IdOf(i)));
    EXPECT_EQ(draft.answers().answers_size(), 5);
    std::map<std::string, survey::v1::Answer> answers;
    for (const auto& answer : draft.answers().answers()) answers[answer.question()] = answer;
    for (int writer = 0; writer < kWriters; ++writer) {
      const survey::v1::Answer own = OwnAnswer(writer, kRounds - 1);
      EXPECT_EQ(Say(answers[own.question()]), Say(own));
      for (int round = 0; round < kRounds; ++round) {
        EXPECT_NE(answers["Q10"].text().find("<" + std::to_string(writer) + "." + std::to_string(round) + ">"), std::string::npos)
            << draft.name() << ": " << answers["Q10"].text();
      }
    }
    // Every save is in the history, once: the revisions follow each other.
    const auto changes = desk.Changes(draft.name());
    EXPECT_EQ(changes.size(), 1u + 2 * kWriters * kRounds);
    for (size_t at = 0; at < changes.size(); ++at) EXPECT_EQ(changes[at].etag(), DraftEtag(at + 1));
  }
}

TEST_P(DraftRaceTest, NoUpdateIsLostAmongTwoHundredDraftsWithThreeWritersEach) {
  Ground ground(GetParam());
  auto store = ground.Open();
  Desk one(*store), two(*store);
  one.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()});
  for (int i = 0; i < kDrafts; ++i) Must(one.Create(IdOf(i), {IdOf(i)}));
  constexpr int kThreads = 24;
  std::atomic<int> next = 0;
  InThreads(kThreads, [&](int) {
    // A job is a writer of a draft; those of a draft come one after the other, so that they run at once.
    for (int job = next++; job < kDrafts * kWriters; job = next++) {
      const int writer = job % kWriters;
      Writer pen(writer == 0 ? two : one, NameOfDraft(IdOf(job / kWriters)), writer);
      for (int round = 0; round < kRounds; ++round) {
        pen.Append("<" + std::to_string(writer) + "." + std::to_string(round) + ">");
        pen.Answer(OwnAnswer(writer, round));
      }
    }
  });
  ExpectNothingLost(two);
  ASSERT_TRUE(one.drafts.PublishAll().ok());
  for (int i = 0; i < kDrafts; ++i) {
    const v1::Draft draft = one.Get({}, NameOfDraft(IdOf(i)));
    EXPECT_EQ(one.rooms.responses.Get(draft.name(), 1)->response.answers().answers_size(), 4) << "without the personal one";
  }
}

TEST(DraftCrashTest, WhatWasAnsweredIsThereAfterACrash) {
  Ground ground(/*file=*/true);
  std::string etag;
  {
    auto store = ground.Open();
    Desk desk(*store);
    desk.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()});
    Must(desk.Create());
    etag = Must(desk.Save("r1", {Number("Q6", 3), Text("Q1", "Anna")})).etag();
    // Nobody says goodbye: neither is the feed told.
  }
  auto store = ground.Open();
  Desk desk(*store);
  EXPECT_EQ(SayAll(desk.Get().answers().answers()), "Q1=Anna Q3=GM0228 Q6=3");
  EXPECT_EQ(desk.Get().etag(), etag);
  EXPECT_EQ(desk.Changes().size(), 2u);
  EXPECT_EQ(SayAll(desk.InFeed().answers().answers()), "Q3=GM0228");
  ASSERT_TRUE(desk.drafts.PublishAll().ok());
  EXPECT_EQ(SayAll(desk.InFeed().answers().answers()), "Q3=GM0228 Q6=3");
}

TEST(DraftReplicasTest, SeveralPublishAtOnceWithoutHarm) {
  auto store = MemoryStore();
  Desk one(*store), two(*store), three(*store);
  one.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()});
  Must(one.Create());
  std::atomic<bool> done = false;
  std::vector<Desk*> desks = {&one, &two, &three};
  InThreads(3, [&](int i) {
    if (i == 0) {
      for (int round = 1; round <= 100; ++round) Must(one.Save(one.Get().etag(), {Number("Q6", round)}));
      done = true;
      return;
    }
    while (!done) desks[i]->drafts.PublishAll().IgnoreError();
  });
  ASSERT_TRUE(two.drafts.PublishAll().ok());
  EXPECT_EQ(SayAll(one.InFeed().answers().answers()), "Q3=GM0228 Q6=100");
  // What the feed had only ever became newer.
  double last = 0;
  for (const std::string& bytes : one.rooms.Feed()) {
    v1::SubmissionEvent event;
    ASSERT_TRUE(event.ParseFromString(bytes));
    for (const auto& answer : event.response().answers().answers()) {
      if (answer.question() != "Q6") continue;
      EXPECT_GE(answer.number(), last);
      last = answer.number();
    }
  }
  EXPECT_EQ(Must(store->Count(kWaveName, "unpublished/")), 0u);
}

TEST(DraftReplicasTest, ASubmissionHasWhatWasSavedBeforeItOrTheSaveIsRefused) {
  for (int round = 0; round < 50; ++round) {
    auto store = MemoryStore();
    Desk one(*store), two(*store);
    one.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()});
    Must(one.Create());
    absl::Status saved;
    InThreads(2, [&](int i) {
      if (i == 0) {
        saved = one.Save("", {Number("Q6", 3)}).status();
      } else {
        Must(two.Submit());
      }
    });
    const bool in_it = SayAll(one.InFeed().answers().answers()) == "Q3=GM0228 Q6=3";
    EXPECT_EQ(saved.ok(), in_it);
    EXPECT_EQ(status::Reason(saved), in_it ? "" : "ALREADY_SUBMITTED");
  }
}

// The rules of drafts, as simply as they can be said: for each question what it was answered with, when, and on which page.
class Model {
 public:
  // Somebody's page in a browser: what it read, and when. Whatever it saves it knows, too.
  struct Page {
    int number = 0;
    uint64_t read = 0;
  };

  // The conflicts, by question.
  std::set<std::string> Save(const Page& page, const std::vector<v1::AnswerChange>& changes) {
    std::set<std::string> conflicts;
    bool changed = false;
    for (const auto& change : changes) {
      const std::string key = change.municipality() + "/" + change.answer().question();
      Cell& cell = cells_[key];
      const std::string wanted = change.answer().value_case() == survey::v1::Answer::VALUE_NOT_SET ? "" : Say(change.answer());
      if (cell.answer == wanted) continue;
      if (cell.revision > page.read && cell.page != page.number) {
        conflicts.insert(key);
        continue;
      }
      cell = {.answer = wanted, .revision = revision_ + 1, .page = page.number};
      changed = true;
    }
    if (changed) makers_[++revision_] = page.number;
    return conflicts;
  }
  // Whether others changed something since the page was read.
  bool OthersChanged(const Page& page) const {
    return std::any_of(makers_.upper_bound(page.read), makers_.end(), [&](const auto& made) { return made.second != page.number; });
  }
  std::map<std::string, std::string> Answers() const {
    std::map<std::string, std::string> answers;
    for (const auto& [key, cell] : cells_) {
      if (!cell.answer.empty()) answers[key] = cell.answer;
    }
    return answers;
  }
  uint64_t revision() const { return revision_; }

 private:
  struct Cell {
    std::string answer;
    uint64_t revision = 0;
    int page = 0;
  };

  std::map<std::string, Cell> cells_ = {{"/Q3", {.answer = "Q3=GM0228, GM0243", .revision = 1}}};
  uint64_t revision_ = 1;
  // By revision.
  std::map<uint64_t, int> makers_;
};

std::map<std::string, std::string> AnswersOf(const v1::Draft& draft) {
  std::map<std::string, std::string> answers;
  for (const auto& answer : draft.answers().answers()) answers["/" + answer.question()] = Say(answer);
  for (const auto& own : draft.municipality_answers()) {
    for (const auto& answer : own.answers()) answers[own.municipality() + "/" + answer.question()] = Say(answer);
  }
  return answers;
}

class DraftModelTest : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Seeds, DraftModelTest, ::testing::Range(1, 21));

TEST_P(DraftModelTest, AnyOrderOfSavesComesToWhatTheRulesSay) {
  std::mt19937 random(GetParam());
  const auto up_to = [&random](int last) { return std::uniform_int_distribution<int>(0, last)(random); };
  auto store = MemoryStore();
  Desk one(*store), two(*store);
  one.rooms.Apply({kSurveyYaml, ScheduledWaveYaml()});
  Must(one.Create("GM0228", {"GM0228", "GM0243"}));
  Model model;
  // Two people with the same link, each on a page that is read anew now and then, or was left open since some time.
  constexpr int kSavesBeforeReading = 15;
  struct Reader {
    Model::Page page;
    std::string etag;
    int saves = kSavesBeforeReading;
  };
  Reader readers[2];
  int pages = 0;
  const std::vector<std::string> municipalities = {"", "GM0228", "GM0243"};
  for (int step = 0; step < 200; ++step) {
    Desk& desk = up_to(1) == 0 ? one : two;
    if (up_to(19) == 0) {
      ASSERT_TRUE(desk.drafts.PublishAll().ok());
      v1::Draft in_feed;
      *in_feed.mutable_answers() = desk.InFeed().answers();
      *in_feed.mutable_municipality_answers() = desk.InFeed().municipality_answers();
      auto expected = model.Answers();
      expected.erase("/Q1");
      ASSERT_EQ(AnswersOf(in_feed), expected);
    }
    std::map<std::string, v1::AnswerChange> changes;
    for (int i = up_to(3); i >= 0; --i) {
      survey::v1::Answer answer = up_to(1) == 0 ? Number("Q6", up_to(2)) : Choice("Q4", {up_to(1) == 0 ? "wijk" : "stad"});
      std::string municipality = municipalities[up_to(2)];
      if (up_to(4) == 0) answer = Nothing(answer.question());
      if (up_to(4) == 0) {
        answer = up_to(2) == 0 ? Nothing("Q1") : Text("Q1", std::to_string(up_to(2)));
        municipality = "";
      }
      changes[municipality + "/" + answer.question()] = For(municipality, answer);
    }
    std::vector<v1::AnswerChange> list;
    for (const auto& [key, change] : changes) list.push_back(change);
    Reader& reader = readers[up_to(1)];
    if (reader.saves == kSavesBeforeReading || up_to(7) == 0) {
      const bool left_open = up_to(3) == 0;
      const uint64_t read = left_open ? static_cast<uint64_t>(up_to(static_cast<int>(model.revision()))) : model.revision();
      reader = {.page = {.number = ++pages, .read = read},
                .etag = read == 0   ? ""
                        : left_open ? DraftEtag(read)
                                    : one.Get().etag(),
                .saves = 0};
    }
    ++reader.saves;
    const bool others_changed = model.OthersChanged(reader.page);
    const auto saved = Must(desk.drafts.Save(Desk::Saving(reader.etag, list), {.subject = "holder"}));
    reader.etag = saved.etag();
    std::set<std::string> conflicts;
    for (const auto& conflict : saved.conflicts()) {
      conflicts.insert(conflict.yours().municipality() + "/" + conflict.yours().answer().question());
    }
    ASSERT_EQ(conflicts, model.Save(reader.page, list)) << "step " << step << ", etag " << saved.etag();
    ASSERT_EQ(saved.others_changed(), others_changed) << "step " << step;
    ASSERT_EQ(one.Get().etag(), DraftEtag(model.revision())) << "step " << step;
    ASSERT_EQ(AnswersOf(one.Get()), model.Answers()) << "step " << step;
  }
}

TEST(KeyedLocksTest, HoldsOneBackWhoWantsWhatAnotherHas) {
  KeyedLocks locks;
  int value = 0;
  InThreads(4, [&](int) {
    for (int i = 0; i < 1000; ++i) {
      const auto lock = locks.Acquire("draft");
      ASSERT_TRUE(lock.ok()) << lock.status();
      ++value;
    }
  });
  EXPECT_EQ(value, 4000);
}

TEST(KeyedLocksTest, WhoWaitsGivesUpInTimeAndTooManyDoNotWait) {
  KeyedLocks locks;
  auto held = std::make_unique<KeyedLocks::Guard>(Must(locks.Acquire("draft")));
  const auto now = std::chrono::steady_clock::now();
  const absl::Status late = locks.Acquire("draft", now + std::chrono::milliseconds(10)).status();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - now, std::chrono::milliseconds(10));

  std::atomic<int> came = 0;
  std::vector<std::thread> waiting;
  for (int i = 0; i < KeyedLocks::kMostWaiting; ++i) {
    waiting.emplace_back([&] {
      // For a moment the last place may be that of who looks whether there is one, below.
      while (!locks.Acquire("draft").ok()) std::this_thread::yield();
      ++came;
    });
  }
  // Once they all wait there is no place for one more.
  absl::Status full = locks.Acquire("draft", now).status();
  while (full.code() != absl::StatusCode::kResourceExhausted) full = locks.Acquire("draft", now).status();
  EXPECT_EQ(status::Reason(full), "DRAFT_BUSY");
  EXPECT_TRUE(locks.Acquire("another", now).ok()) << "nobody holds that";
  held.reset();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(came, KeyedLocks::kMostWaiting);
}

}  // namespace
}  // namespace peiling::intake

// When a wave takes answers, and who changed that: at the minute, across changes of the clock, with replicas over one store.
#include "services/intake/wave_times.h"

#include <thread>

#include "services/common/calendar/amsterdam.h"
#include "tests/intake/poll.h"

namespace peiling::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Time Local(const std::string& minute) {
  const std::optional<absl::Time> time = calendar::ParseLocalMinute(minute);
  EXPECT_TRUE(time.has_value()) << minute;
  return time.value_or(absl::UnixEpoch());
}

// The wave with these lines in place of the day it opened.
std::string WaveWith(const std::string& times) { return Replaced(kWaveYaml, "opened: 2022-09-05", times); }

constexpr char kTimes[] = "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 2h";

class WaveTimesTest : public ::testing::Test {
 protected:
  explicit WaveTimesTest(const std::string& now = "2026-03-01 12:00") : now_(Local(now)) {}

  void SetUp() override { one_.Apply({kSurveyYaml, WaveWith(kTimes)}); }

  void Apply(const std::string& times, Rooms& rooms) {
    auto applied = rooms.catalog.Apply(Documents({WaveWith(times)}), "keys/editor");
    ASSERT_TRUE(applied.ok()) << applied.status();
  }
  v1::Wave Wave() { return Must(two_.catalog.GetWave(kWaveName)); }

  template <typename Request>
  Request Change(const std::string& request_id) {
    Request request;
    request.set_name(kWaveName);
    request.set_request_id(request_id);
    request.set_reason("op verzoek");
    return request;
  }
  absl::StatusOr<v1::Wave> Open(const std::string& request_id = "open") {
    return one_.catalog.Open(Change<v1::OpenWaveRequest>(request_id), "keys/admin");
  }
  absl::StatusOr<v1::Wave> Close(const std::string& request_id = "close") {
    return one_.catalog.Close(Change<v1::CloseWaveRequest>(request_id), "keys/admin");
  }
  absl::StatusOr<v1::Wave> Extend(const std::string& until, const std::string& request_id = "extend") {
    auto request = Change<v1::ExtendWaveRequest>(request_id);
    *request.mutable_closes_at() = calendar::ToProto(Local(until));
    return one_.catalog.Extend(request, "keys/admin");
  }
  // What a submission comes to: "" or the reason.
  std::string Submit(Rooms& rooms, const std::string& request_id, std::optional<absl::Time> begun_at = std::nullopt) {
    v1::SubmitResponseRequest request = Submission(request_id);
    if (begun_at) *request.mutable_response()->mutable_started_at() = calendar::ToProto(*begun_at);
    return status::Reason(rooms.Submit(request).status());
  }
  // "SCHEDULED keys/editor 2026-04-24 17:00".
  std::vector<std::string> Changes() {
    v1::ListWaveChangesRequest request;
    request.set_parent(kWaveName);
    std::vector<std::string> lines;
    const v1::ListWaveChangesResponse listed = Must(two_.catalog.ListChanges(request, {}));
    for (const v1::WaveChange& change : listed.changes()) {
      EXPECT_EQ(change.number(), static_cast<int64_t>(lines.size()) + 1);
      const std::string closes =
          change.times().has_closes_at()
              ? absl::FormatTime("%Y-%m-%d %H:%M", calendar::FromProto(change.times().closes_at()), calendar::Amsterdam())
              : "no end";
      lines.push_back(
          absl::StrCat(v1::WaveChangeKind_Name(change.kind()).substr(sizeof("WAVE_CHANGE_KIND")), " ", change.changed_by(), " ", closes));
    }
    return lines;
  }
  v1::WaveEvent LastEvent() {
    const auto events = Must(store_->ReadFeed(Catalog::kPartition, 0, 1000));
    v1::WaveEvent event;
    EXPECT_TRUE(!events.empty() && event.ParseFromString(events.back().value));
    return event;
  }

  absl::Time now_;
  const std::unique_ptr<storage::Store> store_ = MemoryStore();
  Rooms one_{*store_, {}, [this] { return now_; }};
  Rooms two_{*store_, {}, [this] { return now_; }};
};

TEST_F(WaveTimesTest, TheStateIsThatOfTheMoment) {
  const struct {
    const char* now;
    v1::WaveState state;
  } cases[] = {
      {"2026-03-24 08:59", v1::WAVE_STATE_PLANNED}, {"2026-03-24 09:00", v1::WAVE_STATE_OPEN},  {"2026-04-24 16:59", v1::WAVE_STATE_OPEN},
      {"2026-04-24 17:00", v1::WAVE_STATE_GRACE},   {"2026-04-24 18:59", v1::WAVE_STATE_GRACE}, {"2026-04-24 19:00", v1::WAVE_STATE_CLOSED},
  };
  for (const auto& c : cases) {
    now_ = Local(c.now);
    EXPECT_EQ(Wave().state(), c.state) << c.now;
    now_ += absl::Minutes(1) - absl::Nanoseconds(1);
    EXPECT_EQ(Wave().state(), c.state) << "until the end of " << c.now;
  }
}

TEST_F(WaveTimesTest, TimesAreThoseOfDutchClocks) {
  Apply("opens: 2026-03-28 02:30\ncloses: 2026-03-29 02:30\ngrace: 30m", one_);
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()) - calendar::FromProto(Wave().opens_at()), absl::Minutes(23 * 60 + 30))
      << "half past two is skipped that night; three o'clock comes at once";
  now_ = Local("2026-03-29 01:59") + absl::Seconds(59);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_OPEN);
  now_ += absl::Seconds(1);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_GRACE);
  EXPECT_EQ(now_, Local("2026-03-29 03:00"));
  now_ = Local("2026-03-29 03:30");
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_CLOSED);

  // The first of two: it is half past two once more before the grace ends.
  Apply("opens: 2026-10-24 02:30\ncloses: 2026-10-25 02:30\ngrace: 2h", one_);
  now_ = Local("2026-10-25 02:30") - absl::Seconds(1);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_OPEN);
  now_ = Local("2026-10-25 03:30") - absl::Seconds(1);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_GRACE);
  now_ += absl::Seconds(1);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_CLOSED);
}

TEST_F(WaveTimesTest, TakesResponsesFromTheMinuteItOpensToTheMinuteItCloses) {
  now_ = Local("2026-03-24 09:00") - absl::Nanoseconds(1);
  EXPECT_EQ(Submit(one_, "1"), "WAVE_PLANNED");
  now_ = Local("2026-03-24 09:00");
  EXPECT_EQ(Submit(one_, "1"), "");
  now_ = Local("2026-04-24 17:00") - absl::Nanoseconds(1);
  EXPECT_EQ(Submit(two_, "2"), "");
  now_ = Local("2026-04-24 17:00");
  EXPECT_EQ(Submit(two_, "3"), "WAVE_CLOSED");
  EXPECT_EQ(Must(one_.responses.WithTally(Wave())).response_count(), 2);
}

TEST_F(WaveTimesTest, InItsGraceItTakesWhatWasBegunBeforeItClosed) {
  now_ = Local("2026-04-24 18:59");
  EXPECT_EQ(Submit(one_, "1", Local("2026-04-24 17:00") - absl::Nanoseconds(1)), "");
  EXPECT_EQ(Submit(one_, "2", Local("2026-04-24 17:00")), "WAVE_CLOSED");
  EXPECT_EQ(Submit(one_, "3"), "WAVE_CLOSED") << "nobody knows when it was begun";
  now_ = Local("2026-04-24 19:00");
  EXPECT_EQ(Submit(one_, "4", Local("2026-04-20 12:00")), "WAVE_CLOSED");
}

TEST_F(WaveTimesTest, SaysInDutchWhenAndForProgramsToTheSecond) {
  const absl::Status planned = one_.Submit(Submission("1")).status();
  EXPECT_EQ(planned.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(planned.message()), HasSubstr("vanaf dinsdag 24 maart 2026 om 09.00 uur"));
  EXPECT_EQ(status::Metadata(planned)["opens_at"], "2026-03-24T08:00:00Z");
  now_ = Local("2026-05-01 12:00");
  const absl::Status closed = one_.Submit(Submission("1")).status();
  EXPECT_THAT(std::string(closed.message()), HasSubstr("gesloten sinds vrijdag 24 april 2026 om 17.00 uur"));
  EXPECT_EQ(status::Metadata(closed)["closes_at"], "2026-04-24T15:00:00Z");
}

TEST_F(WaveTimesTest, WhatCameInInTimeIsAnsweredAgainAfterwards) {
  now_ = Local("2026-04-24 16:59");
  const auto first = Must(one_.Submit(Submission("1")));
  now_ = Local("2026-05-01 12:00");
  const auto again = Must(two_.Submit(Submission("1")));
  EXPECT_EQ(again.response().name(), first.response().name());
  EXPECT_EQ(Submit(two_, "2"), "WAVE_CLOSED");
}

TEST_F(WaveTimesTest, OtherReplicasGoByNewTimesWithinASecond) {
  now_ = Local("2026-03-24 12:00");
  EXPECT_EQ(Submit(two_, "1"), "");
  ASSERT_TRUE(Close().ok());
  EXPECT_EQ(Submit(one_, "2"), "WAVE_CLOSED") << "who closed it knows at once";
  now_ += absl::Seconds(1);
  EXPECT_EQ(Submit(two_, "3"), "WAVE_CLOSED");
  // A clock that is put back must not make what was read yesterday fresh.
  now_ -= absl::Hours(2);
  ASSERT_TRUE(Extend("2026-03-24 13:00").ok());
  EXPECT_EQ(Submit(two_, "4"), "");
}

TEST_F(WaveTimesTest, AWaveWithoutTimesTakesResponsesAlways) {
  Apply("opened: 2022-09-05\nclosed: 2022-12-15", one_);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_UNSCHEDULED);
  EXPECT_FALSE(Wave().has_personal_data_erased_at());
  EXPECT_EQ(Submit(one_, "1"), "");
  EXPECT_EQ(status::Reason(Open().status()), "WAVE_UNSCHEDULED");
  EXPECT_EQ(status::Reason(Close().status()), "WAVE_UNSCHEDULED");
  EXPECT_EQ(status::Reason(Extend("2026-05-01 12:00").status()), "WAVE_UNSCHEDULED");
}

TEST_F(WaveTimesTest, OpensBeforeItsTime) {
  now_ = Local("2026-03-20 10:15") + absl::Seconds(40);
  const v1::Wave opened = Must(Open());
  EXPECT_EQ(opened.state(), v1::WAVE_STATE_OPEN);
  EXPECT_EQ(calendar::FromProto(opened.opens_at()), Local("2026-03-20 10:15"));
  EXPECT_EQ(opened.opened(), "2026-03-20");
  EXPECT_EQ(LastEvent().wave().SerializeAsString(), opened.SerializeAsString());
  EXPECT_EQ(Submit(one_, "1"), "");
  EXPECT_EQ(status::Reason(Open("again").status()), "WAVE_OPEN");
  EXPECT_EQ(Must(Open()).etag(), opened.etag()) << "the same request";
  now_ = Local("2026-05-01 12:00");
  EXPECT_EQ(status::Reason(Open("later").status()), "WAVE_CLOSED");
  EXPECT_THAT(Changes(), ElementsAre("SCHEDULED  2026-04-24 17:00", "OPENED keys/admin 2026-04-24 17:00"));
}

TEST_F(WaveTimesTest, ClosesAtOnceAndWithoutGrace) {
  now_ = Local("2026-04-01 10:15") + absl::Seconds(40);
  const v1::Wave closed = Must(Close());
  EXPECT_EQ(closed.state(), v1::WAVE_STATE_CLOSED);
  EXPECT_EQ(calendar::FromProto(closed.closes_at()), Local("2026-04-01 10:15"));
  EXPECT_EQ(closed.closed(), "2026-04-01");
  EXPECT_EQ(Submit(one_, "1", Local("2026-03-25 12:00")), "WAVE_CLOSED");
  EXPECT_EQ(status::Reason(Close("again").status()), "WAVE_CLOSED");

  const v1::Wave extended = Must(Extend("2026-04-30 17:00"));
  EXPECT_EQ(extended.state(), v1::WAVE_STATE_OPEN);
  EXPECT_EQ(extended.grace_period().seconds(), 7200) << "what its document gives";
  now_ = Local("2026-04-30 17:30");
  const v1::Wave ended = Must(Close("end the grace"));
  EXPECT_EQ(ended.state(), v1::WAVE_STATE_CLOSED);
  EXPECT_EQ(calendar::FromProto(ended.closes_at()), Local("2026-04-30 17:00"));
}

TEST_F(WaveTimesTest, OneThatIsCalledOffNeverOpens) {
  ASSERT_TRUE(Close().ok());
  const v1::Wave wave = Wave();
  EXPECT_EQ(wave.state(), v1::WAVE_STATE_CLOSED);
  EXPECT_LE(calendar::FromProto(wave.opens_at()), calendar::FromProto(wave.closes_at()));
  now_ = Local("2026-03-25 09:00");
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_CLOSED);
}

TEST_F(WaveTimesTest, IsExtendedAlsoAfterItClosed) {
  now_ = Local("2026-05-01 12:00");
  EXPECT_EQ(status::FieldViolations(Extend("2026-04-24 17:00", "not after").status()).at(0).first, "closes_at");
  EXPECT_EQ(status::FieldViolations(Extend("2026-05-01 12:00", "not ahead").status()).at(0).first, "closes_at");
  const v1::Wave extended = Must(Extend("2026-05-08 17:00"));
  EXPECT_EQ(extended.state(), v1::WAVE_STATE_OPEN);
  EXPECT_EQ(extended.extensions(), 1);
  EXPECT_EQ(calendar::FromProto(extended.extended_at()), now_);
  EXPECT_EQ(extended.closed(), "2026-05-08");
  EXPECT_EQ(calendar::FromProto(extended.personal_data_erased_at()), Local("2026-08-08 17:00"));
  EXPECT_EQ(Submit(one_, "1"), "");
  EXPECT_EQ(Must(Extend("2026-05-15 17:00", "more")).extensions(), 2);
  EXPECT_EQ(Must(Extend("2026-05-08 17:00")).extensions(), 1) << "the first request again gets the first answer";
  EXPECT_EQ(status::Reason(Extend("2026-06-01 12:00").status()), "REQUEST_ID_REUSED");

  now_ = Local("2026-08-15 17:00");
  EXPECT_EQ(status::Reason(Extend("2026-09-01 12:00", "too late").status()), "PERSONAL_DATA_ERASED");
}

TEST_F(WaveTimesTest, ChangesOnlyTheWaveThatIsMeant) {
  auto request = Change<v1::CloseWaveRequest>("close");
  request.set_etag("v7");
  EXPECT_EQ(status::Reason(one_.catalog.Close(request, "").status()), "ETAG_MISMATCH");
  request.set_etag(Wave().etag());
  EXPECT_TRUE(one_.catalog.Close(request, "").ok());
  EXPECT_NE(Wave().etag(), request.etag());
  auto other = Change<v1::OpenWaveRequest>("other");
  other.set_name("surveys/poll/waves/none");
  EXPECT_EQ(status::Reason(one_.catalog.Open(other, "").status()), "WAVE_NOT_FOUND");
}

TEST_F(WaveTimesTest, TheSameDocumentTakesNothingBack) {
  now_ = Local("2026-04-01 12:00");
  ASSERT_TRUE(Extend("2026-05-08 17:00").ok());
  const std::string before = Wave().SerializeAsString();
  const auto applied = Must(two_.catalog.Apply(Documents({WaveWith(kTimes)})));
  EXPECT_EQ(applied.resources(1).outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  EXPECT_EQ(Wave().SerializeAsString(), before);

  // Neither does another change.
  auto retitled = two_.catalog.Apply(Documents({Replaced(WaveWith(kTimes), "The first wave", "Wave 1")}));
  ASSERT_TRUE(retitled.ok());
  EXPECT_EQ(Wave().title(), "Wave 1");
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-05-08 17:00"));
  EXPECT_EQ(Wave().extensions(), 1);
}

TEST_F(WaveTimesTest, NewTimesInTheDocumentGoBeforeWhatWasDone) {
  now_ = Local("2026-04-01 12:00");
  ASSERT_TRUE(Extend("2026-05-08 17:00").ok());
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-04-10 17:00", two_);
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-04-10 17:00")) << "shorter, while it is open";
  EXPECT_FALSE(Wave().has_grace_period());
  EXPECT_EQ(Wave().extensions(), 1) << "it was extended all the same";
  EXPECT_THAT(Changes(),
              ElementsAre("SCHEDULED  2026-04-24 17:00", "EXTENDED keys/admin 2026-05-08 17:00", "SCHEDULED keys/editor 2026-04-10 17:00"));
  EXPECT_EQ(calendar::FromProto(LastEvent().wave().closes_at()), Local("2026-04-10 17:00"));
  Apply("opened: 2026-03-24", two_);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_UNSCHEDULED);
  EXPECT_THAT(Changes().back(), "SCHEDULED keys/editor no end");
}

TEST_F(WaveTimesTest, WhatTheDocumentDoesNotChangeStaysAsItWasMade) {
  now_ = Local("2026-04-01 12:00");
  ASSERT_TRUE(Extend("2026-05-08 17:00").ok());
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 4h", two_);
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-05-08 17:00")) << "it only says another grace";
  EXPECT_EQ(Wave().grace_period().seconds(), 4 * 3600);
  Apply("opens: 2026-03-23 09:00\ncloses: 2026-04-24 17:00\ngrace: 4h", two_);
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-05-08 17:00")) << "nor does another beginning, the time after";
  EXPECT_EQ(calendar::FromProto(Wave().opens_at()), Local("2026-03-23 09:00"));
  Apply("opens: 2026-03-23 09:00\ncloses: 2026-05-08 17:00\ngrace: 4h", two_);
  EXPECT_THAT(Changes(), ElementsAre("SCHEDULED  2026-04-24 17:00", "EXTENDED keys/admin 2026-05-08 17:00",
                                     "SCHEDULED keys/editor 2026-05-08 17:00", "SCHEDULED keys/editor 2026-05-08 17:00"))
      << "saying what holds already changes nothing";
  Apply("opens: 2026-03-23 09:00\ncloses: 2026-04-24 17:00\ngrace: 4h", two_);
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-04-24 17:00"));

  ASSERT_TRUE(Close().ok());
  const auto later = Documents({WaveWith("opens: 2026-04-02 09:00\ncloses: 2026-04-24 17:00\ngrace: 4h")});
  EXPECT_EQ(status::Reason(two_.catalog.Apply(later).status()), "DOCUMENT_INVALID") << "it closed before that";
}

TEST_F(WaveTimesTest, WithANewEndComesBackWhatClosingTookAway) {
  now_ = Local("2026-04-01 12:00");
  ASSERT_TRUE(Close().ok());
  ASSERT_FALSE(Wave().has_grace_period());
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-05-08 17:00\ngrace: 2h", two_);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_OPEN);
  EXPECT_EQ(calendar::FromProto(Wave().opens_at()), Local("2026-03-24 09:00"));
  EXPECT_EQ(Wave().grace_period().seconds(), 7200);
}

TEST_F(WaveTimesTest, OneThatWasCalledOffAndGetsANewEndBeginsWhenItsDocumentSays) {
  ASSERT_TRUE(Close().ok());
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-05-08 17:00\ngrace: 2h", two_);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_PLANNED);
  EXPECT_EQ(calendar::FromProto(Wave().opens_at()), Local("2026-03-24 09:00"));
  EXPECT_EQ(calendar::FromProto(Wave().closes_at()), Local("2026-05-08 17:00"));
  EXPECT_EQ(Wave().grace_period().seconds(), 7200);
}

TEST_F(WaveTimesTest, ANewEndTakesNoBeginningBackThatWasMade) {
  now_ = Local("2026-03-20 10:15");
  ASSERT_TRUE(Open().ok());
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-05-08 17:00\ngrace: 2h", two_);
  EXPECT_EQ(Wave().state(), v1::WAVE_STATE_OPEN);
  EXPECT_EQ(calendar::FromProto(Wave().opens_at()), Local("2026-03-20 10:15"));
}

TEST_F(WaveTimesTest, ASlipOfThePenErasesNothing) {
  now_ = Local("2026-06-01 12:00");
  ASSERT_TRUE(Extend("2026-07-01 17:00").ok());
  const std::string before = Wave().SerializeAsString();
  for (const char* const times : {"opens: 2025-03-24 09:00\ncloses: 2025-04-24 17:00\ngrace: 2h",
                                  "opens: 2026-03-24 09:00\ncloses: 2026-04-25 17:00\ngrace: 2h\nretention_months: 1",
                                  "opened: 2026-03-24\nclosed: 2026-04-24\nretention_months: 1"}) {
    for (const bool dry_run : {true, false}) {
      auto request = Documents({WaveWith(times)});
      request.set_dry_run(dry_run);
      const absl::Status status = one_.catalog.Apply(request).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << times;
      EXPECT_EQ(status::Reason(status), "ERASES_PERSONAL_DATA") << times;
      EXPECT_EQ(status::Metadata(status)["wave"], kWaveName);
    }
    EXPECT_EQ(Wave().SerializeAsString(), before);
  }
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-05-02 17:00\ngrace: 2h\nretention_months: 1", one_);
  EXPECT_EQ(calendar::FromProto(Wave().personal_data_erased_at()), Local("2026-06-02 17:00")) << "that lies ahead";
  now_ = Local("2026-07-01 12:00");
  Apply("opens: 2026-03-24 09:00\ncloses: 2026-05-01 17:00\ngrace: 2h\nretention_months: 1", one_);
  EXPECT_EQ(calendar::FromProto(Wave().personal_data_erased_at()), Local("2026-06-01 17:00")) << "it was past its time before";
}

TEST_F(WaveTimesTest, AWaveOfLongAgoMayBeNew) {
  const auto long_ago = [](const char* times) { return Replaced(WaveWith(times), "wave: one", "wave: old"); };
  ASSERT_TRUE(one_.catalog.Apply(Documents({long_ago("opens: 2022-03-24 09:00\ncloses: 2022-04-24 17:00")})).ok());
}

TEST_F(WaveTimesTest, PersonalDataStayWhileAnswersAreTaken) {
  Apply("opens: 2026-02-01 09:00\ncloses: 2026-02-28 17:00\ngrace: 31d\nretention_months: 1", one_);
  EXPECT_EQ(Wave().personal_data_erased_at().seconds(), Wave().closes_at().seconds() + 31 * 24 * 3600);
}

TEST_F(WaveTimesTest, IsNotExtendedBeyondTwoYears) {
  for (const char* const until : {"2028-03-24 09:01", "9999-12-31 23:59"}) {
    const absl::Status status = Extend(until, until).status();
    ASSERT_EQ(status::FieldViolations(status).size(), 1u) << until;
    EXPECT_EQ(status::FieldViolations(status).front().first, "closes_at");
  }
  EXPECT_TRUE(Extend("2028-03-24 09:00").ok());
}

TEST_F(WaveTimesTest, DaysAreThoseOfTheTimesUnlessTheDocumentSaysOthers) {
  EXPECT_EQ(Wave().opened(), "2026-03-24");
  EXPECT_EQ(Wave().closed(), "2026-04-24");
  Apply("opens: 2026-03-24 00:00\ncloses: 2026-05-01 00:00", one_);
  EXPECT_EQ(Wave().closed(), "2026-04-30") << "closing at midnight ends the day before";
  Apply("opened: 2026-03-23\nopens: 2026-03-24 09:00\ncloses: 2026-05-01 00:00\nclosed: 2026-05-02", one_);
  EXPECT_EQ(Wave().opened(), "2026-03-23");
  EXPECT_EQ(Wave().closed(), "2026-05-02");
}

TEST_F(WaveTimesTest, PersonalDataGoMonthsAfterItCloses) {
  const struct {
    const char* times;
    const char* erased;
  } cases[] = {
      {"opens: 2026-03-24 09:00\ncloses: 2026-11-30 17:00", "2027-02-28 17:00"},
      {"opens: 2026-03-24 09:00\ncloses: 2026-11-30 17:00\nretention_months: 12", "2027-11-30 17:00"},
      {"opened: 2026-03-24\nclosed: 2026-04-24\nretention_months: 1", "2026-05-25 00:00"},
  };
  for (const auto& c : cases) {
    Apply(c.times, one_);
    EXPECT_EQ(calendar::FromProto(Wave().personal_data_erased_at()), Local(c.erased)) << c.times;
  }
  Apply("opened: 2026-03-24\nretention_months: 1", one_);
  EXPECT_FALSE(Wave().has_personal_data_erased_at()) << "without end";
}

TEST_F(WaveTimesTest, ChangesAtTheSameTimeAreAllMadeAndRecorded) {
  now_ = Local("2026-04-01 12:00");
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      auto request = Change<v1::ExtendWaveRequest>(absl::StrCat("extend ", i));
      *request.mutable_closes_at() = calendar::ToProto(Local("2026-05-08 17:00") + absl::Hours(24 * i));
      (void)(i % 2 == 0 ? one_ : two_).catalog.Extend(request, "keys/admin");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> changes = Changes();
  EXPECT_EQ(static_cast<size_t>(Wave().extensions()) + 1, changes.size());
  EXPECT_THAT(changes.back(), HasSubstr("2026-05-15 17:00")) << "the longest is never given up";
  const auto events = Must(store_->ReadFeed(Catalog::kPartition, 0, 1000));
  EXPECT_EQ(events.size(), changes.size()) << "one for each";
}

TEST_F(WaveTimesTest, ADryRunRecordsNothing) {
  auto request = Documents({WaveWith("opens: 2026-03-24 09:00\ncloses: 2026-04-10 17:00")});
  request.set_dry_run(true);
  EXPECT_TRUE(one_.catalog.Apply(request).ok());
  EXPECT_EQ(Changes().size(), 1u);
}

}  // namespace
}  // namespace peiling::intake

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/intake_mock.grpc.pb.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/retention.h"
#include "tests/common/eventually.h"

namespace peiling::fieldwork {
namespace {

using intake::v1::Wave;
using testing::_;
using testing::ElementsAre;

absl::Time At(const std::string& day) { return *calendar::BeginOfDay(day); }

// With times, or, without `opens`, one that was imported.
Wave MakeWave(const std::string& id, const std::string& opens, const std::string& closes, const std::string& erased) {
  Wave wave;
  wave.set_name("surveys/s/waves/" + id);
  if (opens.empty()) {
    wave.set_closed(closes);
  } else {
    *wave.mutable_opens_at() = calendar::ToProto(At(opens));
    if (!closes.empty()) *wave.mutable_closes_at() = calendar::ToProto(At(closes));
  }
  if (!erased.empty()) *wave.mutable_personal_data_erased_at() = calendar::ToProto(At(erased));
  return wave;
}

v1::Contact MakeContact(const std::string& created, const std::string& confirmed = "") {
  v1::Contact contact;
  contact.set_name("municipalities/GM0363/contacts/1");
  contact.set_kind(v1::CONTACT_KIND_PERSON);
  *contact.mutable_created_at() = calendar::ToProto(At(created));
  contact.set_last_confirmed(confirmed);
  return contact;
}

TEST(IsPastRetentionTest, TellsWhoseTimeIsOver) {
  const Wave old = MakeWave("2025", "2025-03-01", "2025-04-01", "2025-07-01");
  const Wave recent = MakeWave("2026", "2026-03-01", "2026-04-01", "2026-07-01");
  const Wave imported = MakeWave("2022", "", "2022-05-01", "2022-08-01");
  const Wave endless = MakeWave("endless", "", "", "");
  Wave graceful = recent;
  graceful.mutable_grace_period()->set_seconds(86'400);
  v1::Contact changed = MakeContact("2026-02-01");
  *changed.mutable_updated_at() = calendar::ToProto(At("2026-04-02"));
  const struct {
    std::string what;
    v1::Contact contact;
    std::vector<std::string> used_in;
    std::vector<Wave> waves;
    std::string now;
    bool gone;
  } cases[] = {
      {"used, retention not over", MakeContact("2026-02-01"), {"2026"}, {recent}, "2026-06-30", false},
      {"used, retention over", MakeContact("2026-02-01"), {"2026"}, {recent}, "2026-07-01", true},
      {"confirmed before closing", MakeContact("2026-02-01", "2026-03-15"), {"2026"}, {recent}, "2026-07-01", true},
      {"confirmed after closing", MakeContact("2026-02-01", "2026-04-02"), {"2026"}, {recent}, "2026-07-01", false},
      {"confirmed on the day of closing", MakeContact("2026-02-01", "2026-04-01"), {"2026"}, {recent}, "2026-07-01", false},
      {"used in two waves, one not over", MakeContact("2025-02-01"), {"2025", "2026"}, {old, recent}, "2026-05-01", false},
      {"used in two waves, both over", MakeContact("2025-02-01", "2025-05-01"), {"2025", "2026"}, {old, recent}, "2026-07-01", true},
      {"used in the older one, the newer one closed since", MakeContact("2025-02-01"), {"2025"}, {old, recent}, "2026-05-01", true},
      {"confirmed between, the newer one over", MakeContact("2025-02-01", "2025-05-01"), {"2025"}, {old, recent}, "2026-07-01", true},
      {"confirmed between, the newer one not over", MakeContact("2025-02-01", "2025-05-01"), {"2025"}, {old, recent}, "2026-06-30", false},
      {"used in an older one, another is under way that may yet write to it",
       MakeContact("2025-02-01"),
       {"2025"},
       {old, recent},
       "2026-03-15",
       false},
      {"used in an older one and invited in one under way",
       MakeContact("2025-02-01"),
       {"2025", "2026"},
       {old, recent},
       "2026-03-15",
       false},
      {"used in an older one and invited in one that is planned",
       MakeContact("2025-02-01"),
       {"2025", "2026"},
       {old, recent},
       "2026-02-15",
       false},
      {"used in a wave without end, three months after its last use",
       MakeContact("2025-02-01"),
       {"endless"},
       {endless},
       "2025-09-01",
       true},
      {"used in a wave without end, within three months of that", MakeContact("2025-02-01"), {"endless"}, {endless}, "2025-08-31", false},
      {"not used in a wave without end", MakeContact("2025-02-01"), {}, {endless}, "2025-09-01", true},
      {"added since the last use of a wave without end", MakeContact("2025-06-01"), {}, {endless}, "2030-01-01", false},
      {"changed after closing", changed, {"2026"}, {recent}, "2026-07-01", false},
      {"never used, no wave closed", MakeContact("2026-01-01"), {}, {recent}, "2026-03-01", false},
      {"never used, no waves", MakeContact("2026-01-01"), {}, {}, "2030-03-01", false},
      {"never used, the last one not over", MakeContact("2026-01-01"), {}, {old, recent}, "2026-06-30", false},
      {"never used, finishing what was begun", MakeContact("2025-01-01"), {}, {old, graceful}, "2026-04-01", false},
      {"never used, nobody can finish anything any more", MakeContact("2025-01-01"), {}, {old, graceful}, "2026-04-02", true},
      {"never used, the last one over", MakeContact("2026-01-01"), {}, {old, recent}, "2026-07-01", true},
      {"never used, added since", MakeContact("2026-04-02"), {}, {old, recent}, "2026-07-01", false},
      {"never used, confirmed since", MakeContact("2026-01-01", "2026-05-01"), {}, {old, recent}, "2026-07-01", false},
      {"never used, a wave is under way", MakeContact("2025-01-01"), {}, {old, recent}, "2026-03-15", false},
      {"never used, a wave is planned", MakeContact("2025-01-01"), {}, {old, recent}, "2026-02-15", true},
      {"never used, before an imported wave", MakeContact("2022-01-01"), {}, {imported}, "2022-08-01", true},
      {"never used, the closing day of an imported wave", MakeContact("2022-05-01"), {}, {imported}, "2022-08-01", true},
      {"never used, after an imported wave", MakeContact("2022-05-02"), {}, {imported}, "2022-08-01", false},
  };
  for (const auto& one : cases) {
    std::set<std::string> used;
    for (const std::string& id : one.used_in) used.insert("surveys/s/waves/" + id);
    std::vector<WaveSpan> spans;
    for (const Wave& wave : one.waves)
      spans.push_back(SpanOf(wave, wave.name() == endless.name() ? At("2025-06-01") : absl::InfinitePast()));
    for (const auto kind : {v1::CONTACT_KIND_PERSON, v1::CONTACT_KIND_FUNCTION, v1::CONTACT_KIND_GENERAL}) {
      v1::Contact contact = one.contact;
      contact.set_kind(kind);
      EXPECT_EQ(IsPastRetention(contact, used, spans, At(one.now)), one.gone) << one.what;
    }
  }
}

TEST(SpanOfTest, AWaveThatSaysNothingOfErasingKeepsDataForAWhileAfterItsLastUse) {
  Wave imported = MakeWave("2022", "", "2022-05-01", "");
  EXPECT_EQ(SpanOf(imported, absl::InfinitePast()).erased, At("2022-08-02"));
  EXPECT_EQ(SpanOf(imported, At("2026-01-10")).closed, At("2026-01-10"));
  EXPECT_EQ(SpanOf(imported, At("2026-01-10")).erased, At("2026-04-10"));
  imported.set_retention_months(12);
  EXPECT_EQ(SpanOf(imported, At("2026-01-10")).erased, At("2027-01-10"));
  EXPECT_EQ(SpanOf(MakeWave("none", "", "", ""), absl::InfinitePast()).erased, absl::InfiniteFuture());
}

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    EXPECT_TRUE(store_->Commit({.partition = "surveys/s/waves/2026", .writes = {{.key = "x", .value = "y"}}}).ok());
    ON_CALL(intake_, ListWaves(_, _, _)).WillByDefault([this](auto*, const auto& request, auto* page) {
      EXPECT_EQ(request.parent(), "surveys/-");
      if (!up_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
      // A wave a page.
      const size_t at = request.page_token().empty() ? 0 : std::stoul(request.page_token());
      if (at < waves_.size()) *page->add_waves() = waves_[at];
      if (at + 1 < waves_.size()) page->set_next_page_token(std::to_string(at + 1));
      return grpc::Status::OK;
    });
  }
  std::string Add(const std::string& email, v1::ContactKind kind = v1::CONTACT_KIND_PERSON) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/GM0363");
    request.mutable_contact()->set_email(email);
    request.mutable_contact()->set_full_name("Jansen, A.");
    request.mutable_contact()->set_phone("14 020");
    request.mutable_contact()->set_kind(kind);
    request.set_request_id(email);
    return contacts_.Create(request)->name();
  }
  bool Erased(const std::string& name) { return contacts_.Get(name)->has_erased_at(); }

  absl::Time now_ = At("2026-02-01");
  bool up_ = true;
  std::vector<Wave> waves_ = {MakeWave("2025", "2025-03-01", "2025-04-01", "2025-07-01"),
                              MakeWave("2026", "2026-03-01", "2026-04-01", "2026-07-01")};
  std::vector<v1::Message> messages_;
  std::vector<InvitationUse> invitations_;
  std::vector<std::string> holders_;
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, [this] { return now_; }};
  ContactUses uses_{*store_,
                    [this](const std::string&, const auto& visit) {
                      for (const v1::Message& message : messages_) visit(message);
                      return absl::OkStatus();
                    },
                    [this](const std::string&, const auto& visit) {
                      for (const InvitationUse& use : invitations_) visit(use);
                      return absl::OkStatus();
                    }};
  testing::NiceMock<intake::v1::MockIntakeServiceStub> intake_;
  Retention retention_{contacts_, uses_, intake_,
                       [this](const std::string& wave) {
                         holders_.push_back(wave);
                         return absl::OkStatus();
                       },
                       [this] { return now_; }};
};

TEST_F(RetentionTest, ErasesWhomNoWaveNeedsAnyMore) {
  const std::string mailed = Add("mailed@b.nl");
  const std::string invited = Add("invited@b.nl");
  const std::string passed_over = Add("passed-over@b.nl");
  const std::string never_used = Add("never-used@b.nl");
  messages_.emplace_back().set_contact(mailed);
  v1::Invitation& invitation = invitations_.emplace_back().invitation;
  invitation.set_contact(invited);
  invitation.add_escalated_from(passed_over);

  now_ = At("2026-06-30");
  EXPECT_EQ(*retention_.Sweep(), 0);
  EXPECT_THAT(holders_, ElementsAre("surveys/s/waves/2025"));
  now_ = At("2026-07-01");
  const std::string added_now = Add("new@b.nl");
  EXPECT_EQ(*retention_.Sweep(), 4);
  for (const std::string& name : {mailed, invited, passed_over, never_used}) {
    EXPECT_TRUE(Erased(name)) << name;
    EXPECT_EQ(contacts_.Get(name)->erased_by(), "");
  }
  EXPECT_FALSE(Erased(added_now));
  EXPECT_THAT(holders_, ElementsAre("surveys/s/waves/2025", "surveys/s/waves/2025", "surveys/s/waves/2026"));
  EXPECT_EQ(*retention_.Sweep(), 0);
}

TEST_F(RetentionTest, ForgetsWhoAnswersAGeneralAddressAndKeepsThat) {
  const std::string name = Add("info@b.nl", v1::CONTACT_KIND_GENERAL);
  now_ = At("2026-07-01");
  EXPECT_EQ(*retention_.Sweep(), 1);
  const v1::Contact left = *contacts_.Get(name);
  EXPECT_FALSE(left.has_erased_at());
  EXPECT_EQ(left.email(), "info@b.nl");
  EXPECT_EQ(left.full_name() + left.phone(), "");
  EXPECT_EQ(*retention_.Sweep(), 0);
}

TEST_F(RetentionTest, ForgetsHoldersOfAWaveWithoutAnEndAfterItsLastUse) {
  waves_ = {MakeWave("2026", "", "", "")};
  invitations_.push_back({.last = At("2026-02-02")});
  v1::Invitation& invitation = invitations_.back().invitation;
  invitation.set_contact(Add("a@b.nl"));
  v1::Message& message = messages_.emplace_back();
  message.set_contact(invitation.contact());
  *message.mutable_sent_at() = calendar::ToProto(At("2026-02-03"));
  now_ = At("2026-05-02");
  EXPECT_EQ(*retention_.Sweep(), 0);
  EXPECT_THAT(holders_, testing::IsEmpty());
  now_ = At("2026-05-03");
  // Somebody shows a link, or gets a new one: long after all was issued and mailed.
  invitations_.back().last = At("2026-05-02");
  EXPECT_EQ(*retention_.Sweep(), 0);
  EXPECT_THAT(holders_, testing::IsEmpty());
  now_ = At("2026-08-02");
  EXPECT_EQ(*retention_.Sweep(), 1);
  EXPECT_THAT(holders_, ElementsAre("surveys/s/waves/2026"));
  waves_.clear();
  EXPECT_EQ(*retention_.Sweep(), 0);
  EXPECT_THAT(holders_, ElementsAre("surveys/s/waves/2026", "surveys/s/waves/2026")) << "also of a wave intake has no more";
}

TEST_F(RetentionTest, ErasesNobodyWhoWasConfirmedWhileItWasDecided) {
  const std::string name = Add("a@b.nl");
  now_ = At("2026-07-01");
  int looked = 0;
  const auto erased = contacts_.EraseWhere("GM0363", [&](const v1::Contact& contact) {
    // Another replica confirms it just then.
    if (++looked == 1) {
      v1::UpdateContactRequest request;
      *request.mutable_contact() = contact;
      request.mutable_contact()->set_last_confirmed("2026-06-30");
      request.set_request_id("confirm");
      EXPECT_TRUE(contacts_.Update(request).ok());
    }
    return contact.last_confirmed().empty();
  });
  EXPECT_THAT(*erased, testing::IsEmpty());
  EXPECT_EQ(looked, 2) << "a lost race is decided anew";
  EXPECT_FALSE(Erased(name));
}

TEST_F(RetentionTest, ErasesNobodyWhileTheWavesAreNotKnown) {
  const std::string contact = Add("a@b.nl");
  now_ = At("2027-01-01");
  up_ = false;
  EXPECT_EQ(retention_.Sweep().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(Erased(contact));
}

TEST_F(RetentionTest, SweepsInAThreadThatStops) {
  const std::string name = Add("a@b.nl");
  now_ = At("2026-07-01");
  retention_.Start();
  EXPECT_TRUE(Eventually([&] { return Erased(name); }));
  retention_.Stop();
  retention_.Stop();
}

}  // namespace
}  // namespace peiling::fieldwork

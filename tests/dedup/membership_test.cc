#include "services/dedup/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "tests/common/storage/forwarding_store.h"

namespace peiling::dedup {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// A way to the store that can be cut.
class Link final : public storage::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  absl::StatusOr<storage::CommitResult> Commit(storage::Batch batch) override {
    if (cut) return status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "cut");
    return ForwardingStore::Commit(std::move(batch));
  }

  bool cut = false;
};

class MembershipTest : public testing::Test {
 protected:
  struct Replica {
    Replica(storage::Store& store, const std::string& name, Membership::Clock clock) : link(store), membership(link, name, clock) {}
    std::set<std::string> alive() const { return membership.alive(); }

    Link link;
    Membership membership;
  };

  void SetUp() override { store_ = *storage::OpenStore("sqlite::memory:", "test"); }

  std::unique_ptr<Replica> Start(const std::string& name) {
    return std::make_unique<Replica>(*store_, name, [this] { return now_; });
  }
  // So many seconds in which these beat, one after the other.
  void Pass(int count, const std::vector<Replica*>& beating) {
    for (int i = 0; i < count; ++i) {
      now_ += seconds(1);
      for (Replica* replica : beating) replica->membership.Beat().IgnoreError();
    }
  }
  size_t Documents() { return *store_->Count("members", ""); }

  std::unique_ptr<storage::Store> store_;
  std::chrono::steady_clock::time_point now_;
};

TEST_F(MembershipTest, LoneReplicaKnowsItselfAtOnce) {
  auto a = Start("a");
  EXPECT_THAT(a->alive(), IsEmpty()) << "before the store was seen nobody knows who else is there";
  Pass(1, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a"));
}

TEST_F(MembershipTest, OthersAreSeenAsLongAsTheyBeat) {
  auto a = Start("a"), b = Start("b");
  Pass(1, {a.get(), b.get()});
  EXPECT_THAT(b->alive(), ElementsAre("a", "b")) << "who comes sees the others at once";
  Pass(1, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b"));
  Pass(20, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b"));
}

TEST_F(MembershipTest, WhoNoLongerBeatsIsDeadAfterAWhileAndThenForgotten) {
  auto a = Start("a"), b = Start("b");
  Pass(3, {a.get(), b.get()});
  Pass(5, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b")) << "the last beat was seen four seconds ago";
  Pass(1, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a"));
  EXPECT_EQ(Documents(), 2u);
  Pass(60, {a.get()});
  EXPECT_EQ(Documents(), 1u);
  Pass(1, {b.get(), a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b")) << "it was only very slow";
}

TEST_F(MembershipTest, WhoLeavesIsGoneAtOnce) {
  auto a = Start("a"), b = Start("b");
  Pass(3, {a.get(), b.get()});
  ASSERT_EQ(b->membership.Leave(), absl::OkStatus());
  Pass(1, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a"));
}

TEST_F(MembershipTest, NameOfAnEarlierLifeNeedsNoWait) {
  auto a = Start("a"), b = Start("b");
  Pass(3, {a.get(), b.get()});
  a = Start("a");
  Pass(1, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b"));
  Pass(1, {b.get()});
  EXPECT_THAT(b->alive(), ElementsAre("a", "b"));
  EXPECT_EQ(Documents(), 2u);
}

TEST_F(MembershipTest, DocumentOfOneLongDeadCountsForAWhileOnly) {
  auto a = Start("a");
  Pass(1, {a.get()});
  now_ += seconds(1000);
  auto b = Start("b");
  Pass(1, {b.get()});
  EXPECT_THAT(b->alive(), ElementsAre("a", "b")) << "it may have beaten a moment ago";
  Pass(5, {b.get()});
  EXPECT_THAT(b->alive(), ElementsAre("b"));
}

TEST_F(MembershipTest, StoreThatIsAwayKillsNobody) {
  auto a = Start("a"), b = Start("b");
  Pass(3, {a.get(), b.get()});
  a->link.cut = b->link.cut = true;
  Pass(20, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b")) << "as last seen";
  a->link.cut = b->link.cut = false;
  Pass(1, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b")) << "the other one could not beat either";
  Pass(5, {a.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a"));
}

TEST_F(MembershipTest, WhatWasSeenLongAgoIsForgotten) {
  auto a = Start("a"), b = Start("b");
  Pass(3, {a.get(), b.get()});
  a->link.cut = true;
  Pass(29, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b"));
  EXPECT_THAT(b->alive(), ElementsAre("b")) << "the others have taken over long since";
  Pass(1, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), IsEmpty());
  a->link.cut = false;
  Pass(1, {a.get(), b.get()});
  EXPECT_THAT(a->alive(), ElementsAre("a", "b"));
}

TEST(OwnerOfTest, SharesEvenlyAndMovesNothingBetweenThoseWhoStay) {
  std::set<std::string> members;
  for (const char* name : {"peiling-dedup-0", "peiling-dedup-1", "peiling-dedup-2", "peiling-dedup-3"}) members.insert(name);
  std::set<std::string> fewer = members;
  fewer.erase("peiling-dedup-2");
  std::map<std::string, int> owned;
  for (int i = 0; i < 4000; ++i) {
    const std::string partition = absl::StrCat("surveys/s/waves/w#", i);
    const std::string owner = OwnerOf(partition, members);
    ++owned[owner];
    if (owner != "peiling-dedup-2") {
      EXPECT_EQ(OwnerOf(partition, fewer), owner);
    }
  }
  ASSERT_EQ(owned.size(), 4u);
  for (const auto& [name, count] : owned) EXPECT_NEAR(count, 1000, 150) << name;
  EXPECT_EQ(OwnerOf("p", {}), "");
  EXPECT_EQ(OwnerOf("p", {"a"}), "a");
}

}  // namespace
}  // namespace peiling::dedup

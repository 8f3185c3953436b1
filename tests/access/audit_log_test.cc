#include "services/access/audit_log.h"

#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "services/access/validate.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "tests/access/stores.h"

namespace peiling::access {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Timestamp Time(const std::string& text) {
  Timestamp time;
  EXPECT_TRUE(TimeUtil::FromString(text, &time)) << text;
  return time;
}

v1::AuditEntry Entry(const std::string& id, const std::string& time) {
  v1::AuditEntry entry;
  entry.set_name("audit-entries/" + id);
  *entry.mutable_time() = Time(time);
  entry.set_subject("keys/0123456789abcdef");
  entry.set_credential(v1::CREDENTIAL_KIND_KEY);
  entry.set_action("peiling.dedup.v1.DedupService/CreateRuling");
  entry.set_object("surveys/s/waves/2022/rulings/1");
  entry.set_result("OK");
  entry.set_count(1);
  return entry;
}

v1::RecordAuditEntriesRequest Entries(const std::vector<v1::AuditEntry>& entries) {
  v1::RecordAuditEntriesRequest request;
  for (const v1::AuditEntry& entry : entries) *request.add_entries() = entry;
  return request;
}

// Counts what is asked of it.
class WatchedStore final : public TroubledStore {
 public:
  using TroubledStore::TroubledStore;

  absl::StatusOr<std::vector<storage::Document>> List(const std::string& partition, const std::string& prefix, const std::string& after,
                                                      size_t limit) override {
    auto documents = ForwardingStore::List(partition, prefix, after, limit);
    if (documents.ok()) documents_read += documents->size();
    return documents;
  }
  absl::Status Confirm(const std::string& partition) override {
    ++confirmed;
    return ForwardingStore::Confirm(partition);
  }

  size_t documents_read = 0;
  int confirmed = 0;
};

class AuditLogTest : public testing::TestWithParam<StoreKind> {
 protected:
  void Record(const std::vector<v1::AuditEntry>& entries) {
    const absl::Status recorded = log_.Record(Entries(entries));
    EXPECT_TRUE(recorded.ok()) << recorded;
  }
  v1::ListAuditEntriesResponse ListPage(const v1::ListAuditEntriesRequest& request) {
    paging::Page page;
    EXPECT_TRUE(Validate(request, page).ok());
    auto listed = log_.List(request, page);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return listed.ok() ? *listed : v1::ListAuditEntriesResponse();
  }
  // All pages.
  std::vector<std::string> Ids(v1::ListAuditEntriesRequest request = {}) {
    std::vector<std::string> ids;
    do {
      const v1::ListAuditEntriesResponse listed = ListPage(request);
      for (const v1::AuditEntry& entry : listed.entries()) ids.push_back(names::LastId(entry.name()));
      request.set_page_token(listed.next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }
  // Entries "0", "1" … of one second, in pieces.
  void RecordMany(int count, const std::string& minute) {
    for (int begin = 0; begin < count; begin += 1000) {
      v1::RecordAuditEntriesRequest request;
      for (int i = begin; i < std::min(count, begin + 1000); ++i) {
        *request.add_entries() = Entry(std::to_string(i), minute + ":00Z");
        request.mutable_entries()->rbegin()->mutable_time()->set_nanos(i * 10'000);
      }
      ASSERT_TRUE(log_.Record(request).ok());
    }
  }

  Stores stores_{GetParam()};
  std::unique_ptr<storage::Store> store_ = stores_.Open();
  WatchedStore watched_{*store_};
  AuditLog log_{watched_};
};

TEST_P(AuditLogTest, ListsTheLatestFirstOverMonthsAndYears) {
  Record({Entry("c", "2026-11-30T23:59:59.999999999Z"), Entry("a", "2025-01-01T00:00:00Z"), Entry("d", "2026-12-01T00:00:00Z"),
          Entry("b", "2026-11-30T23:59:59.999Z")});
  Record({Entry("e", "2027-01-01T00:00:00Z")});
  EXPECT_THAT(Ids(), ElementsAre("e", "d", "c", "b", "a"));
}

TEST_P(AuditLogTest, KeepsEntriesAsTheyAre) {
  v1::AuditEntry entry = Entry("a", "2026-11-22T10:00:00.123456789Z");
  entry.set_result("ABORTED");
  entry.set_reason("ETAG_MISMATCH");
  entry.set_origin("2001:db8::1");
  entry.set_request_id("r-1");
  entry.set_count(3);
  Record({entry});
  const v1::ListAuditEntriesResponse listed = ListPage({});
  ASSERT_EQ(listed.entries_size(), 1);
  EXPECT_EQ(listed.entries(0).SerializeAsString(), entry.SerializeAsString());
}

TEST_P(AuditLogTest, CutsLongTexts) {
  v1::AuditEntry entry = Entry("a", "2026-11-22T10:00:00Z");
  entry.set_object(std::string(100'000, 'x'));
  std::string accented = "x";
  while (accented.size() < 1000) accented += "ë";
  entry.set_reason(accented);
  Record({entry});
  const v1::ListAuditEntriesResponse listed = ListPage({});
  ASSERT_EQ(listed.entries_size(), 1);
  EXPECT_LE(listed.entries(0).ByteSizeLong(), 1500u);
  EXPECT_EQ(listed.entries(0).object().substr(0, AuditLog::kMaxTextBytes), std::string(AuditLog::kMaxTextBytes, 'x'));
  EXPECT_EQ(listed.entries(0).reason().substr(0, 10), accented.substr(0, 10));
}

TEST_P(AuditLogTest, ARepeatAddsNothing) {
  Record({Entry("a", "2026-11-22T10:00:00Z"), Entry("b", "2026-11-22T10:00:01Z")});
  v1::AuditEntry changed = Entry("b", "2026-11-22T10:00:01Z");
  changed.set_result("NOT_FOUND");
  Record({changed, Entry("c", "2026-11-22T10:00:02Z"), Entry("c", "2026-11-22T10:00:02Z")});
  EXPECT_THAT(Ids(), ElementsAre("c", "b", "a"));
  v1::ListAuditEntriesRequest refused;
  refused.set_result("NOT_FOUND");
  EXPECT_THAT(Ids(refused), IsEmpty()) << "what is there is never changed";
}

TEST_P(AuditLogTest, ARepeatOfAllIsSafeBeforeItIsAnswered) {
  const std::vector<v1::AuditEntry> entries = {Entry("a", "2026-11-22T10:00:00Z")};
  watched_.lose_answer = true;
  EXPECT_EQ(log_.Record(Entries(entries)).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(watched_.confirmed, 0);
  Record(entries);
  EXPECT_EQ(watched_.confirmed, 1);
  EXPECT_THAT(Ids(), ElementsAre("a"));
}

TEST_P(AuditLogTest, ALostRaceLosesNothing) {
  watched_.before_commit = [&] { Record({Entry("b", "2026-11-22T10:00:01Z")}); };
  Record({Entry("a", "2026-11-22T10:00:00Z"), Entry("b", "2026-11-22T10:00:01Z"), Entry("c", "2026-11-22T10:00:02Z")});
  EXPECT_THAT(Ids(), ElementsAre("c", "b", "a"));
}

TEST_P(AuditLogTest, ManyAtOnceAreAllKept) {
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      AuditLog log(*store_);
      for (int k = 0; k < 50; ++k) {
        // Half of them are sent by two threads.
        EXPECT_TRUE(log.Record(Entries({Entry(absl::StrCat(i, "-", k), "2026-11-22T10:00:00Z"),
                                        Entry(absl::StrCat(i / 2, "-both-", k), "2026-11-22T10:00:00Z")}))
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> ids = Ids();
  EXPECT_THAT(ids, SizeIs(300));
  EXPECT_THAT(std::set<std::string>(ids.begin(), ids.end()), SizeIs(300));
}

struct FilterCase {
  std::string what;
  std::function<void(v1::ListAuditEntriesRequest&)> set;
  std::vector<std::string> ids;
};

TEST_P(AuditLogTest, AllFiltersMustHold) {
  v1::AuditEntry other = Entry("other", "2026-11-22T10:00:01Z");
  other.set_subject("certificates/vng");
  other.set_action("peiling.access.v1.AccessService/CreateKey");
  other.set_object("keys/1");
  v1::AuditEntry refused = Entry("refused", "2026-11-22T10:00:02Z");
  refused.set_result("PERMISSION_DENIED");
  refused.set_object("surveys/s/waves/20222");
  Record({Entry("plain", "2026-11-22T10:00:00Z"), other, refused});
  const std::vector<FilterCase> cases = {
      {"subject", [](auto& request) { request.set_subject("certificates/vng"); }, {"other"}},
      {"no part of a subject", [](auto& request) { request.set_subject("certificates"); }, {}},
      {"method", [](auto& request) { request.set_action("CreateRuling"); }, {"refused", "plain"}},
      {"no part of a method", [](auto& request) { request.set_action("Ruling"); }, {}},
      {"method in full", [](auto& request) { request.set_action("peiling.access.v1.AccessService/CreateKey"); }, {"other"}},
      {"object", [](auto& request) { request.set_object("keys/1"); }, {"other"}},
      {"what lies below an object", [](auto& request) { request.set_object("surveys/s"); }, {"refused", "plain"}},
      {"no object with a longer name", [](auto& request) { request.set_object("surveys/s/waves/2022"); }, {"plain"}},
      {"result", [](auto& request) { request.set_result("PERMISSION_DENIED"); }, {"refused"}},
      {"two that contradict",
       [](auto& request) {
         request.set_result("PERMISSION_DENIED");
         request.set_subject("certificates/vng");
       },
       {}},
      {"since, and that moment itself",
       [](auto& request) { *request.mutable_since() = Time("2026-11-22T10:00:01Z"); },
       {"refused", "other"}},
      {"until, without that moment", [](auto& request) { *request.mutable_until() = Time("2026-11-22T10:00:01Z"); }, {"plain"}},
      {"both",
       [](auto& request) {
         *request.mutable_since() = Time("2026-11-22T10:00:01Z");
         *request.mutable_until() = Time("2026-11-22T10:00:02Z");
       },
       {"other"}},
      {"a time without entries", [](auto& request) { *request.mutable_until() = Time("2020-01-01T00:00:00Z"); }, {}},
      {"a time to come", [](auto& request) { *request.mutable_since() = Time("2030-01-01T00:00:00Z"); }, {}},
  };
  for (const FilterCase& filter : cases) {
    v1::ListAuditEntriesRequest request;
    filter.set(request);
    EXPECT_EQ(Ids(request), filter.ids) << filter.what;
  }
}

TEST_P(AuditLogTest, TimesAreToldApartWithinAMicrosecond) {
  Record({Entry("early", "2026-11-22T10:00:00.000001001Z"), Entry("late", "2026-11-22T10:00:00.000001003Z")});
  v1::ListAuditEntriesRequest request;
  *request.mutable_until() = Time("2026-11-22T10:00:00.000001002Z");
  EXPECT_THAT(Ids(request), ElementsAre("early"));
  request.clear_until();
  *request.mutable_since() = Time("2026-11-22T10:00:00.000001002Z");
  EXPECT_THAT(Ids(request), ElementsAre("late"));
}

TEST_P(AuditLogTest, PagesGoOnWhereTheLastEndedWhateverIsAdded) {
  Record({Entry("1", "2026-10-31T10:00:00Z"), Entry("2", "2026-11-01T10:00:00Z"), Entry("3", "2026-11-02T10:00:00Z")});
  v1::ListAuditEntriesRequest request;
  request.set_page_size(1);
  std::vector<std::string> ids;
  do {
    const auto listed = ListPage(request);
    ASSERT_EQ(listed.entries_size(), 1);
    ids.push_back(names::LastId(listed.entries(0).name()));
    Record({Entry("later-" + ids.back(), "2026-12-01T10:00:00Z")});
    request.set_page_token(listed.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(ids, ElementsAre("3", "2", "1"));
}

TEST_P(AuditLogTest, APageReadsNoMoreThanItNeeds) {
  RecordMany(3000, "2026-11-22T10:00");
  watched_.documents_read = 0;
  v1::ListAuditEntriesRequest request;
  request.set_page_size(10);
  EXPECT_EQ(ListPage(request).entries_size(), 10);
  EXPECT_EQ(watched_.documents_read, 11u);
  // A moment long ago, in the midst of the others.
  watched_.documents_read = 0;
  *request.mutable_until() = Time("2026-11-22T10:00:00.020Z");
  *request.mutable_since() = Time("2026-11-22T10:00:00.01995Z");
  EXPECT_THAT(Ids(request), ElementsAre("1999", "1998", "1997", "1996", "1995"));
  EXPECT_EQ(watched_.documents_read, 11u);
}

TEST_P(AuditLogTest, ARareEntryIsFoundInBoundedSteps) {
  RecordMany(45'000, "2026-11-22T10:00");
  v1::AuditEntry rare = Entry("rare", "2026-11-22T09:00:00Z");
  rare.set_subject("keys/rare");
  Record({rare});
  v1::ListAuditEntriesRequest request;
  request.set_subject("keys/rare");
  int pages = 0;
  std::vector<std::string> ids;
  do {
    watched_.documents_read = 0;
    const auto listed = ListPage(request);
    EXPECT_LE(watched_.documents_read, 22'000u);
    for (const auto& entry : listed.entries()) ids.push_back(names::LastId(entry.name()));
    request.set_page_token(listed.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_THAT(ids, ElementsAre("rare"));
  EXPECT_EQ(pages, 3);
}

TEST_P(AuditLogTest, APageOfLargeEntriesEndsEarly) {
  for (int piece = 0; piece < 10; ++piece) {
    v1::RecordAuditEntriesRequest request;
    for (int i = 0; i < 100; ++i) {
      v1::AuditEntry& entry = *request.add_entries();
      entry = Entry(absl::StrCat(piece, "-", i), "2026-11-22T10:00:00Z");
      for (std::string* text : {entry.mutable_subject(), entry.mutable_object(), entry.mutable_reason(), entry.mutable_origin(),
                                entry.mutable_request_id(), entry.mutable_action()}) {
        *text = std::string(1000, 'x');
      }
    }
    ASSERT_TRUE(log_.Record(request).ok());
  }
  v1::ListAuditEntriesRequest request;
  request.set_page_size(1000);
  const auto listed = ListPage(request);
  EXPECT_LT(listed.entries_size(), 1000);
  EXPECT_LT(listed.ByteSizeLong(), 3u << 20);
  EXPECT_THAT(Ids(request), SizeIs(1000));
}

TEST_P(AuditLogTest, ATokenOfNothingListsNothingItShouldNot) {
  Record({Entry("a", "2026-11-22T10:00:00Z")});
  v1::ListAuditEntriesRequest request;
  for (const std::string& after :
       {std::string("x"), std::string("audit/2026-11"), std::string("audit/0000-00/"), std::string("~~~~~~~~~~~~~~~~~")}) {
    const auto listed = log_.List(request, {.size = 10, .after = after});
    EXPECT_TRUE(listed.ok()) << after;
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, AuditLogTest, testing::Values(StoreKind::kSqlite, StoreKind::kRedis), NameOf);

}  // namespace
}  // namespace peiling::access

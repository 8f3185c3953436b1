#include "services/common/paging/paging.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "peiling/dedup/v1/dedup.pb.h"

namespace peiling::paging {
namespace {

using dedup::v1::ListRulingsRequest;
using testing::ElementsAre;
using testing::Pair;

ListRulingsRequest Request(const std::string& parent, int32_t size = 0, const std::string& token = "") {
  ListRulingsRequest request;
  request.set_parent(parent);
  request.set_page_size(size);
  request.set_page_token(token);
  return request;
}

TEST(ReadPage, SizeHasADefaultAndABound) {
  status::BadRequest bad;
  EXPECT_EQ(ReadPage(Request("w"), bad).size, kDefaultPageSize);
  EXPECT_EQ(ReadPage(Request("w", 7), bad).size, 7);
  EXPECT_EQ(ReadPage(Request("w", 1'000'000), bad).size, kMaxPageSize);
  EXPECT_TRUE(bad.empty());
  ReadPage(Request("w", -1), bad);
  EXPECT_THAT(status::FieldViolations(bad.ToStatus()), ElementsAre(Pair("page_size", "-1, want 0 (100) to 1000")));
}

TEST(ReadPage, TokenLeadsToTheKeyThePageBeforeEndedAt) {
  for (const std::string& key : {std::string("GM0518"), std::string("a\0b", 3), std::string("é/ü")}) {
    status::BadRequest bad;
    const std::string token = NextPageToken(Request("w"), key);
    EXPECT_EQ(ReadPage(Request("w", 0, token), bad).after, key);
    // Another size is no other list (AIP-158).
    EXPECT_EQ(ReadPage(Request("w", 5, token), bad).after, key);
    EXPECT_TRUE(bad.empty());
  }
}

TEST(ReadPage, RefusesATokenOfAnotherList) {
  status::BadRequest bad;
  EXPECT_EQ(ReadPage(Request("other", 0, NextPageToken(Request("w"), "k")), bad).after, "");
  EXPECT_EQ(status::FieldViolations(bad.ToStatus()).at(0).first, "page_token");
}

TEST(ReadPage, RefusesWhatIsNoToken) {
  for (const char* token : {"x", "!!!", "AAAA", "AAAAAAAAAAA"}) {
    status::BadRequest bad;
    ReadPage(Request("w", 0, token), bad);
    EXPECT_FALSE(bad.empty()) << token;
  }
}

TEST(NextPageToken, IsTheSameInEveryProcess) {
  EXPECT_EQ(NextPageToken(Request("w"), "k"), "-esbnRhJ6C9r");
  EXPECT_EQ(NextPageToken(Request("w"), "k"), NextPageToken(Request("w", 9, "zzz"), "k"));
}

}  // namespace
}  // namespace peiling::paging

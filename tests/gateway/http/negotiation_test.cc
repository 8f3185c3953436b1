// What clients take and send.
#include "services/gateway/http/negotiation.h"

#include <gtest/gtest.h>

namespace peiling::gateway {
namespace {

TEST(Negotiation, PrefersWhatTheClientLikesMost) {
  struct Case {
    const char* accept;
    const char* preferred;
  };
  for (const Case& c : std::vector<Case>{
           {"", kNdjsonType},
           {"*/*", kNdjsonType},
           {"text/event-stream", kEventsType},
           {"Text/Event-Stream; q=0.5", kEventsType},
           {"text/*", kEventsType},
           {"application/x-ndjson", kNdjsonType},
           {"application/*;q=0.2, text/event-stream;q=0.3", kEventsType},
           {"text/event-stream, */*;q=0.1", kEventsType},
           {"text/event-stream;q=0, */*", kNdjsonType},
           {"*/*;q=0.5, text/event-stream;q=0.1", kNdjsonType},
           {"application/json", ""},
           {"text/html, image/*", ""},
           {"application/x-ndjson;q=0", ""},
           {"application/x-ndjson;q=no", ""},
           {",,;", ""},
       }) {
    EXPECT_EQ(PreferredType(c.accept, {kNdjsonType, kEventsType}), c.preferred) << c.accept;
  }
}

TEST(Negotiation, GzipIsForThoseWhoSaySo) {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip;q=0.1", "*", "br, *;q=0.5"}) EXPECT_TRUE(TakesGzip(yes)) << yes;
  for (const char* no : {"", "identity", "gzip;q=0", "br", "*;q=0", "gzip;q=0, *"}) EXPECT_FALSE(TakesGzip(no)) << no;
}

TEST(Negotiation, TypesOfBodies) {
  for (const char* yes : {"application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=\"UTF-8\"",
                          "application/json; a=b"}) {
    EXPECT_TRUE(IsOfType(yes, kJsonType)) << yes;
  }
  for (const char* no :
       {"", "text/json", "application/json; charset=latin1", "application/jsonx", "application/*", "application/x-ndjson"}) {
    EXPECT_FALSE(IsOfType(no, kJsonType)) << no;
  }
}

TEST(Negotiation, IfMatchIsOneTag) {
  EXPECT_EQ(*ReadIfMatch("\"abc\""), "abc");
  EXPECT_EQ(*ReadIfMatch("*"), std::nullopt);
  for (const char* no : {"", "abc", "\"\"", "\"", "W/\"abc\"", "\"a\", \"b\"", "\"a\"\"b\""}) EXPECT_FALSE(ReadIfMatch(no).ok()) << no;
}

TEST(Negotiation, IfNoneMatchIsAnyOfSome) {
  for (const char* yes : {"\"e1\"", "W/\"e1\"", "\"x\", \"e1\"", "*"}) EXPECT_TRUE(HasTag(yes, "\"e1\"")) << yes;
  for (const char* no : {"", "e1", "\"e2\"", "\"e\""}) EXPECT_FALSE(HasTag(no, "\"e1\"")) << no;
}

}  // namespace
}  // namespace peiling::gateway

#include "services/gateway/openapi/comments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/openapi/contracts.h"

namespace peiling::gateway {
namespace {

class CommentsTest : public testing::Test {
 protected:
  const Contracts contracts_ = *Contracts::Read(CONTRACTS "/library.binpb");
  const Comments comments_{contracts_.services()};
};

TEST_F(CommentsTest, JoinsLinesToParagraphsAndLeavesNotesToTheLinterOut) {
  EXPECT_EQ(comments_.Of(*contracts_.services()[0]->FindMethodByName("GetBook")),
            "One book. NOT_FOUND/BOOK_NOT_FOUND.\n\nWith a second paragraph of two lines.");
}

TEST_F(CommentsTest, NamesFieldsAsJsonDoesExceptInQuotes) {
  EXPECT_EQ(comments_.OfFile(*contracts_.files().back()),
            "Library: books on shelves.\n\nErrors as everywhere: `pageSize` is \"page_size\" in quotes.");
}

TEST_F(CommentsTest, SaysNothingOfWhatHasNone) {
  EXPECT_EQ(comments_.Of(*contracts_.files().back()->FindMessageTypeByName("Book")->FindOneofByName("owner")), "");
}

TEST(FirstSentence, EndsAtAFullStopOrColonBeforeASpace) {
  EXPECT_EQ(FirstSentence("One wave. NOT_FOUND/WAVE_NOT_FOUND."), "One wave");
  EXPECT_EQ(FirstSentence("The same: each in turn."), "The same");
  EXPECT_EQ(FirstSentence("Version 1.0 of it."), "Version 1.0 of it");
  EXPECT_EQ(FirstSentence("No stop"), "No stop");
  EXPECT_EQ(FirstSentence(""), "");
}

}  // namespace
}  // namespace peiling::gateway

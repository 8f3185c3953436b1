#include "services/gateway/openapi/document_writer.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidjson/document.h"
#include "rapidjson/pointer.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"
#include "services/gateway/openapi/contracts.h"

namespace peiling::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kLibrary[] = CONTRACTS "/library.binpb";

class DocumentWriterTest : public testing::Test {
 protected:
  DocumentWriterTest() {
    const auto document = OpenApiDocumentOf(contracts_.services(), "Books.");
    if (document.ok()) document_.Parse(document->c_str());
  }

  // As compact JSON, without descriptions; "nothing" when there is nothing.
  std::string At(const std::string& pointer) const {
    const rapidjson::Value* value = rapidjson::Pointer(pointer.c_str()).Get(document_);
    if (value == nullptr) return "nothing";
    rapidjson::Document copy;
    copy.CopyFrom(*value, copy.GetAllocator());
    if (copy.IsObject()) copy.RemoveMember("description");
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    copy.Accept(writer);
    return buffer.GetString();
  }

  std::string Text(const std::string& pointer) const {
    const rapidjson::Value* value = rapidjson::Pointer(pointer.c_str()).Get(document_);
    return value != nullptr && value->IsString() ? value->GetString() : "nothing";
  }

  std::vector<std::string> Names(const std::string& pointer) const {
    std::vector<std::string> names;
    for (const auto& item : rapidjson::Pointer(pointer.c_str()).Get(document_)->GetArray()) names.emplace_back(item["name"].GetString());
    return names;
  }

  std::vector<std::string> Members(const std::string& pointer) const {
    std::vector<std::string> names;
    for (const auto& member : rapidjson::Pointer(pointer.c_str()).Get(document_)->GetObject()) names.emplace_back(member.name.GetString());
    return names;
  }

  const Contracts contracts_ = *Contracts::Read(kLibrary);
  rapidjson::Document document_;
};

const std::string kBook = "/paths/~1old-libraries~1{oldLibrary}~1books~1{book}";
const std::string kBooks = "/paths/~1old-libraries~1{oldLibrary}~1books/get";

TEST_F(DocumentWriterTest, HasWhatIsCalledOverHttpFromOutside) {
  EXPECT_THAT(Members("/paths"), ElementsAre("/openapi.json", "/old-libraries/{oldLibrary}/book-queries",
                                             "/old-libraries/{oldLibrary}/books", "/old-libraries/{oldLibrary}/books/{book}", "/readings"));
  EXPECT_THAT(Members(kBook), ElementsAre("get", "put"));
}

TEST_F(DocumentWriterTest, IsTheSameEveryTime) {
  EXPECT_EQ(*OpenApiDocumentOf(contracts_.services(), "Books."), *OpenApiDocumentOf(Contracts::Read(kLibrary)->services(), "Books."));
}

TEST_F(DocumentWriterTest, SaysOfAnOperationWhatItDoesAndWhoMayCallIt) {
  EXPECT_EQ(Text(kBook + "/get/operationId"), "getBook");
  EXPECT_EQ(Text(kBook + "/get/summary"), "One book");
  EXPECT_EQ(Text(kBook + "/get/description"),
            "One book. NOT_FOUND/BOOK_NOT_FOUND.\n\nWith a second paragraph of two lines.\n\nRoles: respondent, analyst, limited or not.");
  EXPECT_EQ(At(kBook + "/get/x-roles"), R"(["respondent","analyst"])");
  EXPECT_EQ(At(kBook + "/get/tags"), R"(["Library"])");
  EXPECT_THAT(Text(kBooks + "/description"), HasSubstr("Roles: researcher; limited to some surveys or waves, within those."));
  EXPECT_THAT(Text(kBook + "/put/description"),
              HasSubstr("Roles: administrator, not limited to some surveys or waves. Each call is in the audit log."));
  EXPECT_EQ(Text("/paths/~1old-libraries~1{oldLibrary}~1book-queries/post/operationId"), "findBooksWithPost");
}

TEST_F(DocumentWriterTest, SplitsANameInThePathIntoItsParts) {
  EXPECT_THAT(Names(kBook + "/get/parameters"), ElementsAre("oldLibrary", "book"));
  EXPECT_EQ(At(kBook + "/get/parameters/0"), R"({"name":"oldLibrary","in":"path","required":true,"schema":{"type":"string"}})");
  EXPECT_EQ(Text(kBook + "/get/parameters/1/description"), "Part of the name `old-libraries/{oldLibrary}/books/{book}`. The book.");
}

TEST_F(DocumentWriterTest, PutsFieldsOfMessagesInTheQueryUnderOneName) {
  EXPECT_THAT(Names(kBooks + "/parameters"), ElementsAre("oldLibrary", "queryWords", "querySince", "queryPlace", "pageSize"));
  EXPECT_EQ(At(kBooks + "/parameters/1"), R"({"name":"queryWords","in":"query","schema":{"type":"array","items":{"type":"string"}}})");
  EXPECT_EQ(At(kBooks + "/parameters/2"), R"({"name":"querySince","in":"query","schema":{"type":"string","format":"date-time"}})");
  EXPECT_EQ(At(kBooks + "/parameters/3"),
            R"({"name":"queryPlace","in":"query","required":true,"schema":{"$ref":"#/components/schemas/Place"}})");
  EXPECT_EQ(Text(kBooks + "/parameters/2/description"), "The query. Not before.");
}

TEST_F(DocumentWriterTest, LeavesOutOfABodyWhatThePathSays) {
  EXPECT_EQ(At("/paths/~1old-libraries~1{oldLibrary}~1book-queries/post/requestBody/content/application~1json/schema"),
            R"({"$ref":"#/components/schemas/FindBooksRequest"})");
  EXPECT_THAT(Members("/components/schemas/FindBooksRequest/properties"), ElementsAre("query", "further", "pageSize"));
  EXPECT_EQ(At("/components/schemas/FindBooksRequest/required"), R"(["query"])");
  EXPECT_EQ(At(kBook + "/put/requestBody/content/application~1json/schema"), R"({"$ref":"#/components/schemas/Book"})");
}

TEST_F(DocumentWriterTest, AnswersWithTheFieldThatIsTheResponse) {
  EXPECT_EQ(At(kBook + "/get/responses/200/content"), R"({"application/json":{"schema":{"$ref":"#/components/schemas/Book"}}})");
  EXPECT_EQ(At(kBooks + "/responses/200/content"), R"({"application/json":{"schema":{"$ref":"#/components/schemas/FindBooksResponse"}}})");
}

TEST_F(DocumentWriterTest, AnswersHaveAllFieldsThatCannotBeAbsent) {
  EXPECT_EQ(At("/components/schemas/FindBooksResponse/required"), R"(["books","shelf"])");
  // Requests have it, too.
  EXPECT_EQ(At("/components/schemas/Book/required"), "nothing");
}

TEST_F(DocumentWriterTest, StreamsLineByLineOrEventByEvent) {
  const std::string reading = "/paths/~1readings/post";
  EXPECT_THAT(Members(reading + "/requestBody/content"), ElementsAre("application/x-ndjson"));
  EXPECT_THAT(Members(reading + "/responses/200/content"), ElementsAre("application/x-ndjson", "text/event-stream"));
  EXPECT_EQ(At(reading + "/responses/200/content/text~1event-stream/schema"),
            R"({"anyOf":[{"$ref":"#/components/schemas/ReadAloudResponse"},{"$ref":"#/components/schemas/Problem"}]})");
}

TEST_F(DocumentWriterTest, DescribesValuesAsJsonHasThem) {
  const std::map<std::string, std::string> schemas = {
      {"name", R"({"type":"string"})"},
      {"copies", R"({"type":"string","format":"int64","pattern":"^-?[0-9]{1,19}$"})"},
      {"size", R"({"type":"string","format":"uint64","pattern":"^[0-9]{1,20}$"})"},
      {"pages", R"({"type":"integer","format":"int32"})"},
      {"readers", R"({"type":"integer","format":"int64","minimum":0})"},
      {"weight", R"({"type":"number","format":"double"})"},
      {"lent", R"({"type":"boolean"})"},
      {"cover", R"({"type":"string","format":"byte"})"},
      {"printedDate", R"({"type":"string","format":"date"})"},
      {"burnt", R"({"type":"string","anyOf":[{"format":"date"},{"maxLength":0}]})"},
      {"cameAt", R"({"type":"string","format":"date-time"})"},
      {"place", R"({"allOf":[{"$ref":"#/components/schemas/Place"}]})"},
      {"boundWith", R"({"type":"array","items":{"$ref":"#/components/schemas/Book"}})"},
      {"price", R"({"type":"integer","format":"int32"})"},
      {"person", R"({"type":"string"})"},
      {"library", R"({"type":"string"})"},
  };
  EXPECT_EQ(Members("/components/schemas/Book/properties").size(), schemas.size());
  for (const auto& [field, schema] : schemas) EXPECT_EQ(At("/components/schemas/Book/properties/" + field), schema);
  EXPECT_EQ(Text("/components/schemas/Book/properties/copies/description"), "Copies ever.");
}

TEST_F(DocumentWriterTest, LetsNoTwoFieldsOfAOneofStandTogether) {
  EXPECT_EQ(At("/components/schemas/Book/not"), R"({"anyOf":[{"required":["person","library"]}]})");
}

TEST_F(DocumentWriterTest, ExplainsTheValuesOfAnEnum) {
  EXPECT_EQ(At("/components/schemas/Place"), R"({"type":"string","enum":["PLACE_UNSPECIFIED","PLACE_SHELF"]})");
  EXPECT_EQ(Text("/components/schemas/Place/description"),
            "Where books are.\n\n- `PLACE_UNSPECIFIED`: Nowhere.\n- `PLACE_SHELF`: On a shelf.");
}

TEST_F(DocumentWriterTest, HasNoSchemaThatNothingRefersTo) { EXPECT_EQ(At("/components/schemas/ShelveRequest"), "nothing"); }

TEST(DocumentWriter, ReadsNothingButDescriptors) {
  EXPECT_FALSE(Contracts::Read("/dev/null").ok());
  EXPECT_FALSE(Contracts::Read(CONTRACTS "/CMakeLists.txt").ok());
}

TEST(DocumentWriter, RefusesTwoTypesWithOneName) {
  const auto contracts = Contracts::Read(CONTRACTS "/ambiguous.binpb");
  const auto document = OpenApiDocumentOf(contracts->services(), "Things.");
  EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(document.status().message()), HasSubstr("InnerThing"));
}

TEST(DocumentWriter, RefusesAPathThatIsNotBelowTheVersion) {
  const auto contracts = Contracts::Read(CONTRACTS "/unversioned.binpb");
  const auto document = OpenApiDocumentOf(contracts->services(), "Things.");
  EXPECT_EQ(document.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(document.status().message()), HasSubstr("/thing is not below /v1"));
}

}  // namespace
}  // namespace peiling::gateway

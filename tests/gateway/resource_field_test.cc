#include "services/gateway/resource_field.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/common/status/errors.h"

namespace peiling::gateway {
namespace {

using intake::v1::ImportResponsesRequest;

// In pieces of random size, as they come from the network.
grpc::ByteBuffer InSlices(const std::string& bytes, std::mt19937& random) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(1 + random() % 7, bytes.size() - at);
    slices.emplace_back(bytes.data() + at, size);
    at += size;
  }
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer Whole(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

template <typename Message>
ResourceField Field(const std::string& path) {
  auto field = ResourceField::Compile(*Message::descriptor(), path);
  EXPECT_TRUE(field.ok()) << field.status();
  return *field;
}

TEST(ResourceField, ReadsTheField) {
  intake::v1::GetResponseRequest request;
  request.set_name("surveys/s/waves/w/responses/r");
  EXPECT_EQ(Field<intake::v1::GetResponseRequest>("name").Read(Whole(request.SerializeAsString())), request.name());
  EXPECT_EQ(Field<intake::v1::GetResponseRequest>("name").Read({}), "");
}

TEST(ResourceField, LastOccurrenceWins) {
  intake::v1::GetResponseRequest first, second;
  first.set_name("surveys/mine");
  second.set_name("surveys/yours");
  EXPECT_EQ(Field<intake::v1::GetResponseRequest>("name").Read(Whole(first.SerializeAsString() + second.SerializeAsString())),
            "surveys/yours");
}

TEST(ResourceField, MessagesThatOccurTwiceAreOne) {
  ImportResponsesRequest first, second;
  first.mutable_header()->set_parent("surveys/mine");
  second.mutable_header()->set_dry_run(true);
  EXPECT_EQ(Field<ImportResponsesRequest>("header.parent").Read(Whole(first.SerializeAsString() + second.SerializeAsString())),
            "surveys/mine");
}

TEST(ResourceField, AnotherFieldOfTheOneofTakesItsPlace) {
  ImportResponsesRequest header, content;
  header.mutable_header()->set_parent("surveys/mine");
  content.set_content("id");
  EXPECT_EQ(Field<ImportResponsesRequest>("header.parent").Read(Whole(header.SerializeAsString() + content.SerializeAsString())), "");
  EXPECT_EQ(Field<ImportResponsesRequest>("header.parent").Read(Whole(content.SerializeAsString() + header.SerializeAsString())),
            "surveys/mine");
}

TEST(ResourceField, RefusesWhatDoesNotParse) {
  const auto field = Field<intake::v1::GetResponseRequest>("name");
  for (const std::string& bytes : {std::string("\x0a\x05"
                                               "ab"),
                                   std::string("\x0a"), std::string("\x00", 1), std::string("\x0b"), std::string("\x0a\x01\xff"),
                                   std::string("\x0a\xff\xff\xff\xff\x0f"), std::string("\x0c"), std::string("\x07")}) {
    EXPECT_EQ(field.Read(Whole(bytes)), std::nullopt) << testing::PrintToString(bytes);
  }
}

TEST(ResourceField, PathsOfContractsMustBeOneText) {
  const auto compiled = [](const std::string& path) { return ResourceField::Compile(*ImportResponsesRequest::descriptor(), path); };
  EXPECT_TRUE(compiled("header.parent").ok());
  for (const char* path : {"parent", "header", "header.dry_run", "header.parent.x", "content", ".", "header."}) {
    EXPECT_EQ(status::Reason(compiled(path).status()), "CONTRACT_INVALID") << path;
  }
  EXPECT_EQ(status::Reason(ResourceField::Compile(*intake::v1::ListResponsesResponse::descriptor(), "responses.name").status()),
            "CONTRACT_INVALID");
}

// Pieces of messages that are likely to meet: fields of the message and of others, twice and in other order, cut and changed.
template <typename Message>
std::string Scrambled(const std::vector<std::string>& pieces, std::mt19937& random) {
  std::string bytes;
  for (size_t count = random() % 5; count > 0; --count) bytes += pieces[random() % pieces.size()];
  for (size_t changes = random() % 3; changes > 0 && !bytes.empty(); --changes) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 3);
        break;
      default:
        bytes.insert(at, 1, static_cast<char>(random() % 32));
    }
  }
  return bytes;
}

// Whatever parses is read as the parser reads it; what is not read does not parse.
template <typename Message, typename Get>
void AgreesWithParser(const std::string& path, const std::vector<std::string>& pieces, Get get) {
  const google::protobuf::LogSilencer silence;
  const ResourceField field = Field<Message>(path);
  std::mt19937 random(20220324);
  int parsed = 0, found = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string bytes = Scrambled<Message>(pieces, random);
    Message message;
    if (!message.ParseFromString(bytes)) continue;
    ++parsed;
    const auto read = field.Read(InSlices(bytes, random));
    ASSERT_TRUE(read.has_value()) << testing::PrintToString(bytes);
    ASSERT_EQ(*read, get(message)) << testing::PrintToString(bytes);
    found += read->empty() ? 0 : 1;
  }
  EXPECT_GT(parsed, 20'000);
  EXPECT_GT(found, 10'000);
}

TEST(ResourceField, AgreesWithParserOfFlatMessages) {
  intake::v1::SubmitResponseRequest mine, yours, rest;
  mine.set_parent("surveys/mine/waves/1");
  yours.set_parent("surveys/yours/waves/2");
  rest.set_request_id("\nsurveys/none");
  rest.mutable_response()->set_name("surveys/x/waves/y/responses/z");
  AgreesWithParser<intake::v1::SubmitResponseRequest>(
      "parent", {mine.SerializeAsString(), yours.SerializeAsString(), rest.SerializeAsString(), std::string("\x9b\x06\x08\x01\x9c\x06", 6)},
      [](const auto& message) { return message.parent(); });
}

TEST(ResourceField, AgreesWithParserOfNestedMessagesInOneofs) {
  ImportResponsesRequest mine, yours, empty, content;
  mine.mutable_header()->set_parent("surveys/mine/waves/1");
  mine.mutable_header()->set_source("a");
  yours.mutable_header()->set_parent("surveys/yours");
  empty.mutable_header()->set_content_length(1 << 20);
  content.set_content("\n\x0c\n\nsurveys/no");
  AgreesWithParser<ImportResponsesRequest>(
      "header.parent", {mine.SerializeAsString(), yours.SerializeAsString(), empty.SerializeAsString(), content.SerializeAsString()},
      [](const auto& message) { return message.header().parent(); });
}

}  // namespace
}  // namespace peiling::gateway

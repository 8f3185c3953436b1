// Bodies as forms and mail programs send them.
#include "services/gateway/http/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The message as text, or all that is wrong.
template <typename MessageType = fieldwork::v1::UnsubscribeRequest>
std::string Read(const std::string& content_type, const std::string& body) {
  const auto encoding = FormEncodingOf(content_type);
  if (!encoding) return "no form";
  MessageType message;
  status::BadRequest bad;
  const absl::Status read = ReadForm(*encoding, body, message, bad);
  if (!read.ok()) return status::Reason(read);
  if (bad.empty()) return message.ShortDebugString();
  std::string problems;
  for (const auto& [field, description] : status::FieldViolations(bad.ToStatus()))
    absl::StrAppend(&problems, problems.empty() ? "" : "; ", field, ": ", description);
  return problems;
}

constexpr char kMultipart[] = "multipart/form-data; boundary=b";

std::string Part(const std::string& name, const std::string& value) {
  return absl::StrCat("--b\r\nContent-Disposition: form-data; name=\"", name, "\"\r\n\r\n", value, "\r\n");
}

TEST(Form, IsToldByItsContentType) {
  for (const char* type : {"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded ; charset=\"UTF-8\"",
                           "application/x-www-form-urlencoded;"}) {
    ASSERT_TRUE(FormEncodingOf(type)) << type;
    EXPECT_EQ(FormEncodingOf(type)->boundary, "") << type;
  }
  for (const auto& [type, boundary] : std::vector<std::pair<const char*, const char*>>{
           {"multipart/form-data; boundary=b", "b"},
           {"multipart/form-data;charset=utf-8;boundary=\"a b\\\"\"", ""},
           {"multipart/form-data;charset=utf-8;boundary=\"a b?\"", "a b?"},
           {"MULTIPART/FORM-DATA; BOUNDARY=----WebKitFormBoundary7MA4YWxk", "----WebKitFormBoundary7MA4YWxk"}}) {
    const auto encoding = FormEncodingOf(type);
    EXPECT_EQ(encoding ? encoding->boundary : "", boundary) << type;
  }
  for (const std::string& type :
       {std::string(), std::string("application/json"), std::string("application/x-www-form-urlencoded; charset=latin1"),
        std::string("multipart/form-data"), std::string("multipart/form-data; boundary="), std::string("multipart/form-data; boundary=\"b"),
        std::string("multipart/form-data; boundary=é"), "multipart/form-data; boundary=" + std::string(71, 'b'),
        std::string("multipart/mixed; boundary=b"), std::string("application/x-www-form-urlencoded; charset")}) {
    EXPECT_FALSE(FormEncodingOf(type)) << type;
  }
}

// RFC 8058, 3.2 and 8.2.
TEST(Form, OneClickUnsubscribeComesEitherWay) {
  EXPECT_EQ(Read(kFormType, "List-Unsubscribe=One-Click"), R"(list_unsubscribe: "One-Click")");
  EXPECT_EQ(Read("multipart/form-data; boundary=---FormBoundaryjWmhtjORrn",
                 "-----FormBoundaryjWmhtjORrn\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n"
                 "-----FormBoundaryjWmhtjORrn--\r\n"),
            R"(list_unsubscribe: "One-Click")");
}

TEST(Form, UrlEncodedFieldsAreDecoded) {
  EXPECT_EQ(Read(kFormType, "list_unsubscribe=a%2Bb+c&token=%C3%A9&&"), "token: \"\\303\\251\" list_unsubscribe: \"a+b c\"");
  EXPECT_EQ(Read<fieldwork::v1::ListMessagesRequest>(kFormType, "pageSize=3&parent=p"), "parent: \"p\" page_size: 3");
  EXPECT_EQ(Read(kFormType, ""), "");
  EXPECT_EQ(Read(kFormType, "token"), "");
}

TEST(Form, MultipartMayHaveMoreAroundIt) {
  const std::string body =
      "before\r\n--b \t\r\ncontent-disposition:form-data ; name=token\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
      std::string("a\r\n--c\r\n") + "\r\n" + Part("List-Unsubscribe", "") + "--b--\r\nafter";
  EXPECT_EQ(Read(kMultipart, body), R"(token: "a\r\n--c\r\n")");
}

TEST(Form, NamesAllThatIsWrongWithFields) {
  EXPECT_EQ(Read(kFormType, "x=1&token=a&token=b&a/b~=1"),
            "#/x: is not known here; #/token: stands there twice; #/a~1b~0: is not known here");
  EXPECT_EQ(Read(kMultipart, Part("x", "1") + Part("token", "a") + Part("token", "b") + "--b--"),
            "#/x: is not known here; #/token: stands there twice");
  EXPECT_EQ(Read<fieldwork::v1::ListMessagesRequest>(kFormType, "pageSize=many"),
            "#/pageSize: want a whole number from -2147483648 to 2147483647");
}

TEST(Form, RefusesWhatCannotBeRead) {
  for (const std::string& body : {std::string("token=%"), std::string("token=%zz"), std::string("%ff=1"), std::string("token=%ff"),
                                  std::string(70'000, 'a'), std::string(100, '&')}) {
    EXPECT_EQ(Read(kFormType, body), "BODY_MALFORMED") << body.substr(0, 20);
  }
  std::string many;
  for (int i = 0; i < 101; ++i) many += Part("x", "1");
  const std::string head = "Content-Disposition: form-data; name=\"token\"";
  for (const std::string& body : {std::string(),
                                  std::string("--b"),
                                  std::string("--b\r\n"),
                                  std::string("--bx\r\n\r\n--b--"),
                                  std::string("no boundary"),
                                  Part("token", "a"),
                                  Part("token", "a") + "--c--",
                                  "--b\r\n" + head + "\r\n--b--",
                                  "--b\r\n" + head + "\r\n\r\n--b--",
                                  std::string("--b\r\n\r\na\r\n--b--"),
                                  std::string("--b\r\nno colon\r\n\r\na\r\n--b--"),
                                  std::string("--b\r\nContent-Disposition: form-data\r\n\r\na\r\n--b--"),
                                  std::string("--b\r\nContent-Disposition: form-data; name=\"x\r\n\r\na\r\n--b--"),
                                  std::string("--b\r\nContent-Disposition: attachment; name=\"x\"\r\n\r\na\r\n--b--"),
                                  absl::StrCat("--b\r\n", head, "\r\n", head, "\r\n\r\na\r\n--b--"),
                                  "--b\r\n" + head + "; filename=\"f\"\r\n\r\na\r\n--b--",
                                  Part("token", "\xff") + "--b--",
                                  Part("\xff", "a") + "--b--",
                                  many + "--b--",
                                  Part("token", std::string(70'000, 'a')) + "--b--"}) {
    EXPECT_EQ(Read(kMultipart, body), "BODY_MALFORMED") << body.substr(0, 100);
  }
}

TEST(SplitUrlEncoded, KeepsTheOrderAndWhatIsThereTwice) {
  FormFields fields;
  EXPECT_TRUE(SplitUrlEncoded("b=1&a=2&b", fields));
  EXPECT_THAT(fields, ElementsAre(std::pair("b", "1"), std::pair("a", "2"), std::pair("b", "")));
  fields.clear();
  EXPECT_TRUE(SplitUrlEncoded("&&", fields));
  EXPECT_THAT(fields, IsEmpty());
}

}  // namespace
}  // namespace peiling::gateway

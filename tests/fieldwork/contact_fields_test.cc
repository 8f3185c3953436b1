#include "services/fieldwork/contacts/contact_fields.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(EmailAddressTest, PutsEqualAddressesIntoOneForm) {
  const struct {
    const char* address;
    const char* canonical;
  } cases[] = {
      {"info@amsterdam.nl", "info@amsterdam.nl"},
      {"Info@Amsterdam.NL", "info@amsterdam.nl"},
      {"o'brien+wmo@a.b.example", "o'brien+wmo@a.b.example"},
      {"info@s\xC3\xBA"
       "dwest.nl",
       "info@xn--sdwest-pya.nl"},
      // The same letter as two characters.
      {"info@su\xCC\x81"
       "dwest.nl",
       "info@xn--sdwest-pya.nl"},
      {"info@xn--sdwest-pya.nl", "info@xn--sdwest-pya.nl"},
  };
  for (const auto& good : cases) EXPECT_EQ(CanonicalAddress(good.address).value_or("none"), good.canonical) << good.address;
}

TEST(EmailAddressTest, RefusesWhatNoMailCanGoTo) {
  const std::string longest(64, 'a');
  for (const std::string& address : {std::string(),
                                     std::string("amsterdam.nl"),
                                     std::string("@amsterdam.nl"),
                                     std::string("info@"),
                                     std::string("info@localhost"),
                                     std::string("a@b@c.nl"),
                                     std::string("a b@c.nl"),
                                     std::string("a..b@c.nl"),
                                     std::string(".a@c.nl"),
                                     std::string("a.@c.nl"),
                                     std::string("\"a b\"@c.nl"),
                                     std::string("a@[192.0.2.1]"),
                                     std::string("a@192.0.2.1"),
                                     std::string("a@-c.nl"),
                                     std::string("a@c-.nl"),
                                     std::string("a@c_d.nl"),
                                     std::string("a@c..nl"),
                                     std::string("a@c.nl."),
                                     std::string("a@c.nl\r\nBcc: x@y.nl"),
                                     std::string("a@c.nl, x@y.nl"),
                                     std::string("A <a@c.nl>"),
                                     std::string("j\xC3\xA9@c.nl"),
                                     std::string("a@\xFF.nl"),
                                     std::string("a@c.nl\0", 7),
                                     std::string("a@c\0d.nl", 8),
                                     longest + "a@c.nl",
                                     "a@" + longest + ".nl",
                                     longest + "@" + std::string(60, 'b') + "." + std::string(60, 'c') + "." + std::string(60, 'd') + "." +
                                         std::string(10, 'e') + ".nl"}) {
    EXPECT_FALSE(CanonicalAddress(address).has_value()) << address;
  }
  EXPECT_TRUE(CanonicalAddress(longest + "@c.nl").has_value());
}

v1::Contact Good() {
  v1::Contact contact;
  contact.set_kind(v1::CONTACT_KIND_PERSON);
  contact.set_full_name("Jansen, A.");
  contact.set_email("a.jansen@amsterdam.nl");
  contact.set_phone("+31 (0)20 - 555 01 23 x4");
  contact.set_language("fy-NL");
  contact.set_valid_from("2026-01-01");
  contact.set_valid_to("2026-01-02");
  contact.set_last_confirmed("2026-03-24");
  return contact;
}

std::vector<std::string> WrongFields(const v1::Contact& contact) {
  std::vector<std::string> fields;
  for (const FieldProblem& problem : Problems(contact, "2026-03-24")) fields.push_back(problem.field);
  return fields;
}

TEST(ContactFieldsTest, TakesWhatIsRight) {
  EXPECT_THAT(WrongFields(Good()), ElementsAre());
  v1::Contact least;
  least.set_kind(v1::CONTACT_KIND_GENERAL);
  least.set_email("info@amsterdam.nl");
  EXPECT_THAT(WrongFields(least), ElementsAre());
}

TEST(ContactFieldsTest, NamesEveryWrongFieldWithoutWhatStandsThere) {
  const struct {
    const char* field;
    std::string value;
  } cases[] = {
      {"full_name", std::string(201, 'x')},
      {"full_name", "Jansen\r\nBcc: a@b.nl"},
      {"salutation", "Geachte\x7f"},
      {"job_title", "a\nb"},
      {"email", ""},
      {"email", "nobody"},
      {"phone", "call me"},
      {"phone", "1234"},
      {"language", "nl_NL"},
      {"language", "n"},
      {"language", "nl-"},
      {"language", "12"},
      {"valid_from", "2026-02-30"},
      {"valid_to", "2025-12-31"},
      {"valid_to", "2026-01-01"},
      {"valid_to", "soon"},
      {"source", std::string(201, 'x')},
      {"last_confirmed", "2026-03-25"},
      {"last_confirmed", "24-03-2026"},
  };
  for (const auto& wrong : cases) {
    v1::Contact contact = Good();
    contact.GetReflection()->SetString(&contact, contact.GetDescriptor()->FindFieldByName(wrong.field), wrong.value);
    EXPECT_THAT(WrongFields(contact), ElementsAre(wrong.field)) << wrong.field << " " << wrong.value;
    for (const FieldProblem& problem : Problems(contact, "2026-03-24")) {
      if (wrong.value.size() < 2) continue;
      EXPECT_THAT(problem.english + problem.dutch, Not(HasSubstr(wrong.value)));
    }
  }
  v1::Contact contact;
  contact.set_phone("x");
  EXPECT_THAT(WrongFields(contact), ElementsAre("kind", "email", "phone"));
}

TEST(ContactFieldsTest, TakesOnlyWhatPeopleSay) {
  v1::Contact contact = Good();
  contact.set_full_name(" Jansen, A.\t");
  contact.set_name("municipalities/GM0363/contacts/1");
  contact.set_etag("v3");
  contact.set_suppressed(true);
  contact.set_erased_by("keys/1");
  contact.mutable_erased_at()->set_seconds(1);
  contact.mutable_created_at()->set_seconds(1);
  contact.mutable_updated_at()->set_seconds(1);
  EXPECT_EQ(Given(contact).DebugString(), Good().DebugString());
}

}  // namespace
}  // namespace peiling::fieldwork

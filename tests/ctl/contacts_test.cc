// contacts: as a user runs them.
#include <sys/stat.h>

#include "gmock/gmock.h"
#include "tests/ctl/fake_suite.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::HasSubstr;

class ContactsTest : public SuiteTest {
 protected:
  Outcome Run(const std::vector<std::string>& arguments) { return RunCtl(suite_.address(), arguments); }
  static std::string Method(const std::string& name) { return FieldworkMethod("ContactService/" + name); }
};

constexpr char kContact[] = R"(contact {
  name: "municipalities/GM0363/contacts/3f2a" order: 1 kind: CONTACT_KIND_PERSON full_name: "Jansen, A." email: "a.jansen@amsterdam.nl"
  phone: "020 1234567" source: "telefoon" last_confirmed: "2026-03-02" created_at { seconds: 1772000000 } updated_at { seconds: 1772000000 }
  suppressed: true etag: "7" })";

TEST_F(ContactsTest, AreListedOfOneMunicipality) {
  suite_.Answers<fieldwork::v1::ListContactsResponse>(Method("ListContacts"), std::string("contacts") + (kContact + sizeof("contact") - 1));
  const Outcome outcome = Run({"contacts", "list", "--municipality", "GM0363", "-o", "csv"});
  EXPECT_EQ(outcome.out,
            "municipality,contact,order,kind,full_name,email,phone,last_confirmed,state\n"
            "GM0363,3f2a,1,person,\"Jansen, A.\",a.jansen@amsterdam.nl,020 1234567,2026-03-02,suppressed\n")
      << outcome.err;
  EXPECT_EQ(suite_.Requests<fieldwork::v1::ListContactsRequest>(Method("ListContacts")).at(0).parent(), "municipalities/GM0363");
}

TEST_F(ContactsTest, AreAddedWithWhatIsSaidOfThem) {
  suite_.Answers<fieldwork::v1::CreateContactResponse>(Method("CreateContact"), kContact);
  const Outcome outcome = Run(
      {"contacts", "add", "GM0363", "--email", "beleid@amsterdam.nl", "--kind", "function", "--order", "2", "--confirmed", "2026-03-02"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("municipalities/GM0363/contacts/3f2a"));
  const auto request = suite_.Requests<fieldwork::v1::CreateContactRequest>(Method("CreateContact")).at(0);
  EXPECT_EQ(request.parent(), "municipalities/GM0363");
  EXPECT_EQ(request.contact().ShortDebugString(),
            R"(order: 2 kind: CONTACT_KIND_FUNCTION email: "beleid@amsterdam.nl" last_confirmed: "2026-03-02")");
  EXPECT_FALSE(request.request_id().empty());
}

TEST_F(ContactsTest, AChangeLeavesTheRestAndWhatOthersDid) {
  suite_.Answers<fieldwork::v1::GetContactResponse>(Method("GetContact"), kContact);
  suite_.Answers<fieldwork::v1::UpdateContactResponse>(Method("UpdateContact"), kContact);
  EXPECT_EQ(Run({"contacts", "change", "GM0363/3f2a", "--phone", "", "--full-name", "Jansen, B."}).code, 0);
  const auto request = suite_.Requests<fieldwork::v1::UpdateContactRequest>(Method("UpdateContact")).at(0);
  EXPECT_EQ(request.contact().ShortDebugString(),
            R"(name: "municipalities/GM0363/contacts/3f2a" order: 1 kind: CONTACT_KIND_PERSON full_name: "Jansen, B." )"
            R"(email: "a.jansen@amsterdam.nl" source: "telefoon" last_confirmed: "2026-03-02" etag: "7")");
}

TEST_F(ContactsTest, AnUnknownKindIsRefusedBeforeAnythingIsSent) {
  const Outcome outcome = Run({"contacts", "add", "GM0363", "--email", "x@y.nl", "--kind", "friend"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("person"));
  EXPECT_TRUE(suite_.Requests<fieldwork::v1::CreateContactRequest>(Method("CreateContact")).empty());
}

TEST_F(ContactsTest, AnImportReportsTheRowsThatAreOddAndFailsWhenAnyWasRefused) {
  suite_.Answers<fieldwork::v1::ImportContactsResponse>(Method("ImportContacts"), R"(
    rows { line: 2 municipality: "municipalities/GM0363" outcome: CONTACT_OUTCOME_ADDED }
    rows { line: 3 outcome: CONTACT_OUTCOME_REFUSED problems: "gemeente: niet gevonden" } total: 2 added: 1 refused: 1)");
  const TemporaryFolder folder;
  const std::string file = folder.Write("c.csv", "gemeente;e-mail\nAmsterdam;a@amsterdam.nl\nNergens;b@nergens.nl\n");
  const Outcome outcome = Run({"contacts", "import", file, "--dry-run", "--source", "ledenlijst"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("gemeente: niet gevonden"));
  EXPECT_THAT(outcome.out, HasSubstr("2 rows checked: 1 added, 0 updated, 0 unchanged, 1 refused"));
  const auto request = suite_.Requests<fieldwork::v1::ImportContactsRequest>(Method("ImportContacts")).at(0);
  EXPECT_TRUE(request.dry_run());
  EXPECT_EQ(request.source(), "ledenlijst");
  EXPECT_EQ(request.content(), ReadWhole(file));
}

TEST_F(ContactsTest, AnExportIsForItsOwnersEyesAlone) {
  suite_.Answers<fieldwork::v1::ExportContactsResponse>(Method("ExportContacts"),
                                                        std::vector<std::string>{R"(content: "gemeente;")", R"(content: "e-mail\n")"});
  const TemporaryFolder folder;
  const Outcome outcome = Run({"contacts", "export", folder.Path("out.csv")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(ReadWhole(folder.Path("out.csv")), "gemeente;e-mail\n");
  struct stat facts = {};
  ASSERT_EQ(stat(folder.Path("out.csv").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST_F(ContactsTest, AnExportThatBreaksOffLeavesNoFile) {
  suite_.Answers<fieldwork::v1::ExportContactsResponse>(Method("ExportContacts"), R"(content: "half")");
  suite_.Fails(Method("ExportContacts"), absl::UnavailableError("gone"));
  const TemporaryFolder folder;
  EXPECT_NE(Run({"contacts", "export", folder.Path("out.csv")}).code, 0);
  struct stat facts = {};
  EXPECT_NE(stat(folder.Path("out.csv").c_str(), &facts), 0);
}

TEST_F(ContactsTest, ErasingMustBeMeant) {
  suite_.Answers<fieldwork::v1::EraseContactResponse>(Method("EraseContact"), R"(
    contact { name: "municipalities/GM0363/contacts/3f2a" erased_at { seconds: 1772000000 } } responses: "surveys/teams/waves/2022/responses/GM0363")");
  EXPECT_EQ(Run({"contacts", "erase", "GM0363/3f2a"}).code, 2);
  EXPECT_TRUE(suite_.Requests<fieldwork::v1::EraseContactRequest>(Method("EraseContact")).empty());
  const Outcome outcome = Run({"contacts", "erase", "GM0363/3f2a", "--reason", "verzoek", "--yes"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("surveys/teams/waves/2022/responses/GM0363"));
  const auto request = suite_.Requests<fieldwork::v1::EraseContactRequest>(Method("EraseContact")).at(0);
  EXPECT_EQ(request.name(), "municipalities/GM0363/contacts/3f2a");
  EXPECT_EQ(request.reason(), "verzoek");
}

}  // namespace
}  // namespace peiling::ctl::testing

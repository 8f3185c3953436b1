#include "services/fieldwork/contacts/contact_service.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/intake/v1/intake_mock.grpc.pb.h"
#include "peiling/registry/v1/registry_mock.grpc.pb.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::NiceMock;
using testing::Not;

constexpr char kWave[] = "surveys/s/waves/2026";

// Knows Amsterdam, Utrecht and Bergen (NH.), and mends "Utrech".
void Teach(registry::v1::MockRegistryServiceStub& registry) {
  ON_CALL(registry, GetMunicipality(_, _, _)).WillByDefault([](auto*, const auto& request, auto*) {
    if (request.name() == "municipalities/GM0363" || request.name() == "municipalities/GM0344") return grpc::Status::OK;
    return status::ToGrpc(status::Error(absl::StatusCode::kNotFound, "MUNICIPALITY_NOT_FOUND", "none"));
  });
  ON_CALL(registry, ListMunicipalities(_, _, _)).WillByDefault([](auto*, const auto& request, auto* response) {
    for (const char* const code : {"GM0344", "GM0363", "GM0373"}) response->add_municipalities()->set_code(code);
    for (int i = 0; i < 340; ++i) response->add_municipalities()->set_code("GM" + std::to_string(1000 + i));
    if (request.as_of() == "2010-01-01") response->add_municipalities()->set_code("GM0001");
    return grpc::Status::OK;
  });
  ON_CALL(registry, BatchResolveMunicipalities(_, _, _)).WillByDefault([](auto*, const auto& request, auto* response) {
    for (const std::string& text : request.texts()) {
      registry::v1::Resolution& resolution = *response->add_resolutions();
      resolution.set_text(text);
      resolution.set_kind(registry::v1::RESOLUTION_KIND_UNKNOWN);
      resolution.set_explanation("\"" + text + "\" is geen gemeente");
      if (text == "Amsterdam" || text == "Utrecht" || text == "Utrech") {
        resolution.set_kind(text == "Utrech" ? registry::v1::RESOLUTION_KIND_CORRECTED : registry::v1::RESOLUTION_KIND_EXACT);
        resolution.add_codes(text == "Amsterdam" ? "GM0363" : "GM0344");
        if (text == "Utrech") resolution.set_correction("Utrech → Utrecht");
      }
      if (text == "Bergen") {
        resolution.set_kind(registry::v1::RESOLUTION_KIND_AMBIGUOUS);
        resolution.set_explanation("\"Bergen\" kan Bergen (L.) en Bergen (NH.) zijn");
        resolution.add_candidates("GM0373");
        resolution.add_candidates("GM0893");
      }
    }
    return grpc::Status::OK;
  });
}

class ContactServiceTest : public testing::Test {
 protected:
  ContactServiceTest() {
    Teach(registry_);
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::ContactService::NewStub(server_->InProcessChannel({}));
  }
  ~ContactServiceTest() override { server_->Shutdown(); }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::ContactService::StubInterface::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    deadline::Set(context, std::chrono::seconds(60));
    return status::FromGrpc((*stub_.*method)(&context, request, &response));
  }
  absl::StatusOr<v1::Contact> Create(const std::string& municipality, const std::string& email) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/" + municipality);
    request.mutable_contact()->set_email(email);
    request.mutable_contact()->set_kind(v1::CONTACT_KIND_PERSON);
    request.set_request_id(NextId());
    v1::CreateContactResponse response;
    const absl::Status created = Call(&v1::ContactService::StubInterface::CreateContact, request, response);
    if (!created.ok()) return created;
    return response.contact();
  }
  absl::StatusOr<v1::ImportContactsResponse> Import(const std::string& csv,
                                                    const std::function<void(v1::ImportContactsRequest&)>& set = {}) {
    v1::ImportContactsRequest request;
    request.set_content(csv);
    request.set_source("import");
    request.set_request_id(NextId());
    if (set) set(request);
    v1::ImportContactsResponse response;
    const absl::Status imported = Call(&v1::ContactService::StubInterface::ImportContacts, request, response);
    if (!imported.ok()) return imported;
    return response;
  }
  std::string Export(const std::vector<std::string>& municipalities = {}) {
    v1::ExportContactsRequest request;
    request.mutable_municipalities()->Add(municipalities.begin(), municipalities.end());
    grpc::ClientContext context;
    deadline::Set(context, std::chrono::seconds(20));
    const auto reader = stub_->ExportContacts(&context, request);
    std::string csv;
    for (v1::ExportContactsResponse piece; reader->Read(&piece);) csv += piece.content();
    const grpc::Status ended = reader->Finish();
    EXPECT_TRUE(ended.ok()) << ended.error_message();
    return csv;
  }
  v1::ListContactsResponse List() {
    v1::ListContactsRequest request;
    request.set_parent("municipalities/-");
    v1::ListContactsResponse response;
    EXPECT_TRUE(Call(&v1::ContactService::StubInterface::ListContacts, request, response).ok());
    return response;
  }
  absl::StatusOr<v1::EraseContactResponse> Erase(const std::string& name, bool keep_answers = false) {
    v1::EraseContactRequest request;
    request.set_name(name);
    request.set_keep_answers(keep_answers);
    request.set_request_id(NextId());
    v1::EraseContactResponse response;
    const absl::Status erased = Call(&v1::ContactService::StubInterface::EraseContact, request, response);
    if (!erased.ok()) return erased;
    return response;
  }
  void Mailed(const std::string& contact, const std::string& municipality, v1::MessageState state) {
    v1::Message& message = messages_.emplace_back();
    message.set_contact(contact);
    message.set_invitation(std::string(kWave) + "/invitations/" + municipality);
    message.set_state(state);
  }
  std::string NextId() { return "request-" + std::to_string(++requests_); }

  int requests_ = 0;
  // Tuesday 24 March 2026.
  absl::Time now_ = absl::FromCivil(absl::CivilSecond(2026, 3, 24, 12), absl::UTCTimeZone());
  std::vector<v1::Message> messages_;
  std::vector<InvitationUse> invitations_;
  std::string suppressed_;
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, [this] { return now_; }};
  ContactUses uses_{*store_,
                    [this](const std::string&, const auto& visit) {
                      for (const v1::Message& message : messages_) visit(message);
                      return absl::OkStatus();
                    },
                    [this](const std::string&, const auto& visit) {
                      for (const InvitationUse& use : invitations_) visit(use);
                      return absl::OkStatus();
                    }};
  // Addresses of people who are no more to be known anywhere.
  std::vector<std::string> forgotten_;
  absl::Status forgetting_;
  NiceMock<registry::v1::MockRegistryServiceStub> registry_;
  testing::StrictMock<intake::v1::MockIntakeServiceStub> intake_;
  ContactService service_{contacts_,
                          uses_,
                          registry_,
                          intake_,
                          [this](const std::vector<std::string>& tokens) -> absl::StatusOr<std::vector<bool>> {
                            std::vector<bool> suppressed(tokens.size());
                            for (size_t i = 0; i < tokens.size(); ++i) suppressed[i] = tokens[i] == suppressed_;
                            return suppressed;
                          },
                          [this](const std::string& address) {
                            forgotten_.push_back(address);
                            return forgetting_;
                          },
                          [this] { return now_; }};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ContactService::StubInterface> stub_;
};

std::vector<std::string> Outcomes(const v1::ImportContactsResponse& response) {
  std::vector<std::string> outcomes;
  for (const v1::ContactRow& row : response.rows()) {
    std::string text = std::to_string(row.line()) + " " + v1::ContactOutcome_Name(row.outcome()).substr(16);
    for (const std::string& problem : row.problems()) text += " | " + problem;
    outcomes.push_back(text);
  }
  return outcomes;
}

TEST_F(ContactServiceTest, RefusesWrongFieldsTogetherAndMunicipalitiesThereAreNot) {
  v1::CreateContactRequest request;
  request.set_parent("municipalities/GM0363");
  request.mutable_contact()->set_email("nobody at all");
  request.mutable_contact()->set_etag("v1");
  v1::CreateContactResponse response;
  const absl::Status refused = Call(&v1::ContactService::StubInterface::CreateContact, request, response);
  EXPECT_EQ(status::Reason(refused), "INVALID_REQUEST");
  std::vector<std::string> fields;
  for (const auto& [field, what] : status::FieldViolations(refused)) fields.push_back(field);
  EXPECT_THAT(fields, ElementsAre("contact.kind", "contact.email", "contact.etag", "request_id"));
  EXPECT_THAT(refused.ToString(), Not(HasSubstr("nobody")));
  EXPECT_EQ(status::Reason(Create("GM9999", "a@b.nl").status()), "MUNICIPALITY_NOT_FOUND");
}

TEST_F(ContactServiceTest, TellsWhichAddressesAreSuppressed) {
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  EXPECT_FALSE(contact.suppressed());
  suppressed_ = *contacts_.AddressToken("A@B.NL");
  ASSERT_EQ(List().contacts_size(), 1);
  EXPECT_TRUE(List().contacts(0).suppressed());

  v1::UpdateContactRequest request;
  *request.mutable_contact() = List().contacts(0);
  request.mutable_contact()->set_email("c@b.nl");
  request.set_request_id("update");
  v1::UpdateContactResponse response;
  ASSERT_TRUE(Call(&v1::ContactService::StubInterface::UpdateContact, request, response).ok()) << "what it got may be sent back";
  EXPECT_FALSE(response.contact().suppressed());
}

TEST_F(ContactServiceTest, ErasesThePersonalAnswersOfResponsesAContactWasMailedFor) {
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = "x", .value = "y"}}}).ok());
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  Mailed(contact.name(), "GM0363", v1::MESSAGE_STATE_DELIVERED);
  Mailed(contact.name(), "GM0363", v1::MESSAGE_STATE_SENT);
  Mailed(contact.name(), "GM0344", v1::MESSAGE_STATE_BEGUN);
  Mailed(contact.name(), "GM0373", v1::MESSAGE_STATE_CANCELLED);
  // It came back: who answered was written to afterwards.
  Mailed(contact.name(), "GM0112", v1::MESSAGE_STATE_BOUNCED);
  *messages_.back().mutable_sent_at() = calendar::ToProto(now_);
  Mailed("municipalities/GM0363/contacts/9", "GM0111", v1::MESSAGE_STATE_SENT);
  std::vector<std::string> erased;
  std::set<std::string> ids;
  bool down = true;
  EXPECT_CALL(intake_, ErasePersonalAnswers(_, _, _)).WillRepeatedly([&](auto*, const auto& request, auto*) {
    // GM0344 never answered.
    if (request.name() == std::string(kWave) + "/responses/GM0344") return grpc::Status(grpc::StatusCode::NOT_FOUND, "no response");
    if (down) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
    erased.push_back(request.name());
    ids.insert(request.request_id());
    return grpc::Status::OK;
  });
  EXPECT_EQ(Erase(contact.name()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(List().contacts(0).has_erased_at()) << "nothing is acknowledged";
  down = false;
  const auto answer = Erase(contact.name());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(erased, ElementsAre(std::string(kWave) + "/responses/GM0363"));
  EXPECT_THAT(std::vector<std::string>(answer->responses().begin(), answer->responses().end()), erased);
  EXPECT_THAT(List().contacts(), IsEmpty());
  EXPECT_LE(ids.begin()->size(), 100u);
}

TEST_F(ContactServiceTest, ErasesTheAnswersOfWhoWasToldTheLinkByPhone) {
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = "x", .value = "y"}}}).ok());
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  const auto invited = [&](const std::string& code, const std::string& now, bool opened) {
    InvitationUse& use = invitations_.emplace_back();
    use.invitation.set_contact(now);
    use.invitation.set_response(std::string(kWave) + "/responses/" + code);
    if (opened) use.opened_by = {"municipalities/GM0363/contacts/8", contact.name()};
  };
  // It is another's or nobody's by now, or another's was opened.
  invited("GM0363", "municipalities/GM0363/contacts/9", true);
  invited("GM0344", contact.name(), false);
  invitations_.emplace_back().opened_by = {contact.name()};
  EXPECT_CALL(intake_,
              ErasePersonalAnswers(
                  _, testing::Property(&intake::v1::ErasePersonalAnswersRequest::name, std::string(kWave) + "/responses/GM0363"), _))
      .WillOnce(testing::Return(grpc::Status::OK));
  EXPECT_EQ(Erase(contact.name())->responses_size(), 1);
}

TEST_F(ContactServiceTest, ForgetsAContactAlsoAsAColleagueOfOthersBeforeItIsGone) {
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  forgetting_ = status::Error(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", "gone");
  EXPECT_EQ(Erase(contact.name()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(List().contacts(0).has_erased_at());
  forgetting_ = absl::OkStatus();
  ASSERT_TRUE(Erase(contact.name()).ok());
  EXPECT_THAT(forgotten_, ElementsAre("a@b.nl", "a@b.nl"));
}

TEST_F(ContactServiceTest, ErasesAnswersThatWereKeptWhenTheContactWasErased) {
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = "x", .value = "y"}}}).ok());
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  Mailed(contact.name(), "GM0363", v1::MESSAGE_STATE_DELIVERED);
  v1::EraseContactRequest request;
  request.set_name(contact.name());
  request.set_keep_answers(true);
  request.set_request_id("keep");
  v1::EraseContactResponse kept;
  ASSERT_TRUE(Call(&v1::ContactService::StubInterface::EraseContact, request, kept).ok());
  v1::EraseContactResponse again;
  ASSERT_TRUE(Call(&v1::ContactService::StubInterface::EraseContact, request, again).ok());
  EXPECT_EQ(again.DebugString(), kept.DebugString()) << "a repeat is answered as before";

  EXPECT_CALL(intake_, ErasePersonalAnswers(_, _, _)).WillOnce(testing::Return(grpc::Status::OK));
  request.set_keep_answers(false);
  request.set_request_id("erase");
  v1::EraseContactResponse erased;
  ASSERT_TRUE(Call(&v1::ContactService::StubInterface::EraseContact, request, erased).ok());
  EXPECT_EQ(erased.responses_size(), 1);
  EXPECT_EQ(erased.contact().DebugString(), kept.contact().DebugString()) << "it was erased when it was erased";
  ASSERT_TRUE(Call(&v1::ContactService::StubInterface::EraseContact, request, again).ok());
  EXPECT_EQ(again.DebugString(), erased.DebugString()) << "without asking intake again";
}

TEST_F(ContactServiceTest, KeepsAnswersWhenToldTo) {
  ASSERT_TRUE(store_->Commit({.partition = kWave, .writes = {{.key = "x", .value = "y"}}}).ok());
  const v1::Contact contact = *Create("GM0363", "a@b.nl");
  Mailed(contact.name(), "GM0363", v1::MESSAGE_STATE_DELIVERED);
  EXPECT_TRUE(Erase(contact.name(), true).ok());
  EXPECT_THAT(List().contacts(), IsEmpty());
}

constexpr char kFile[] =
    "Gemeente;Naam;Aanhef;Functie;E-mail;Telefoon;Taal;Soort;Volgorde;Geldig vanaf;Geldig_tot;Bron;Laatst bevestigd\n"
    "Amsterdam;\"Jansen, A.\";Geachte mevrouw Jansen;adviseur;a.jansen@amsterdam.example;'+31 20 555 01 "
    "23;nl;Persoon;1;1-1-2026;;;24-03-2026\n"
    "Utrech;;;;info@utrecht.example;14030;;algemeen;;;;telefoon;\n";

TEST_F(ContactServiceTest, TakesInAFileOnce) {
  const auto dry = Import(kFile, [](auto& request) { request.set_dry_run(true); });
  ASSERT_TRUE(dry.ok()) << dry.status();
  EXPECT_THAT(Outcomes(*dry), ElementsAre("2 ADDED", "3 ADDED | gemeente: verbeterd, gelezen als GM0344"));
  EXPECT_EQ(dry->rows(0).contact(), "");
  EXPECT_THAT(List().contacts(), IsEmpty());

  const auto first = Import(kFile);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->added(), 2);
  EXPECT_EQ(first->rows(0).municipality(), "municipalities/GM0363");
  EXPECT_EQ(first->rows(0).contact(), "municipalities/GM0363/contacts/1");
  v1::Contact contact = *contacts_.Get("municipalities/GM0363/contacts/1");
  EXPECT_EQ(contact.full_name(), "Jansen, A.");
  EXPECT_EQ(contact.phone(), "+31 20 555 01 23");
  EXPECT_EQ(contact.valid_from(), "2026-01-01");
  EXPECT_EQ(contact.last_confirmed(), "2026-03-24");
  EXPECT_EQ(contact.source(), "import");
  EXPECT_EQ(contacts_.Get("municipalities/GM0344/contacts/1")->source(), "telefoon");
  EXPECT_EQ(contacts_.Get("municipalities/GM0344/contacts/1")->kind(), v1::CONTACT_KIND_GENERAL);

  now_ += absl::Hours(1);
  const auto second = Import(kFile);
  EXPECT_EQ(second->unchanged(), 2);
  EXPECT_EQ(contacts_.Get("municipalities/GM0363/contacts/1")->etag(), contact.etag());
  EXPECT_EQ(contacts_.Get("municipalities/GM0363/contacts/1")->updated_at().seconds(), absl::ToUnixSeconds(now_))
      << "who takes it in anew says that it is right: retention counts from here";
}

TEST_F(ContactServiceTest, RefusesRowsThatWouldNotBeRightBesideWhatIsThere) {
  ASSERT_TRUE(Import("gemeentecode;e-mail;geldig_vanaf\n363;a@b.nl;1-6-2026\n").ok());
  const auto report = Import("gemeentecode;e-mail;geldig_tot\n363;a@b.nl;1-5-2026\n344;a@b.nl;1-5-2026\n");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Outcomes(*report), ElementsAre("2 REFUSED | geldig_tot: ligt niet na geldig_vanaf", "3 ADDED"));
  EXPECT_EQ(contacts_.Get("municipalities/GM0363/contacts/1")->valid_to(), "");
}

TEST_F(ContactServiceTest, RefusesASourceThatNoContactMayHave) {
  for (const std::string& source : {std::string(201, 'x'), std::string("two\nlines")}) {
    const absl::Status refused = Import(kFile, [&](auto& request) { request.set_source(source); }).status();
    ASSERT_EQ(status::FieldViolations(refused).size(), 1u) << refused;
    EXPECT_EQ(status::FieldViolations(refused)[0].first, "source");
  }
}

// Whoever shifts columns, or leaves out the header, has somebody's data where none are expected.
TEST_F(ContactServiceTest, NeverQuotesWhatStandsInAFile) {
  using namespace std::string_literals;
  const auto all = [&](const std::string& file) {
    const auto report = Import(file);
    return report.ok() ? report->DebugString() : report.status().ToString();
  };
  for (const std::string& file : {
           "gemeentecode;gemeente;e-mail;taal;soort;volgorde;telefoon;geldig_vanaf\nGeheim;;a@b.nl\n;Geheim;a@b.nl;;;;;\n"s
           "Geheim;Geheim;Geheim;Geheim;Geheim;Geheim;Geheim;Geheim\n",
           "Amsterdam;Geheim;geheim@b.nl\n"s,
           "gemeente;e-mail\nAmsterdam;\"Geheim\n"s,
           "gemeente;e-mail\nAmsterdam;\"Geheim\"x\n"s,
       }) {
    EXPECT_THAT(all(file), Not(testing::ContainsRegex("[Gg]eheim"))) << file;
  }
  const auto receipts = store_->List(ContactStore::kPartition, "receipt/", "", 100);
  for (const auto& document : *receipts) {
    EXPECT_THAT(document.value, Not(HasSubstr("Geheim")));
  }
}

TEST_F(ContactServiceTest, TakesInTenThousandRowsInSeconds) {
  std::string file = "gemeentecode;e-mail;naam\n";
  for (int i = 0; i < 10'000; ++i) {
    file += "GM" + std::to_string(1000 + i % 340) + ";a" + std::to_string(i) + "@gemeente.example;Jansen\n";
  }
  for (const int added : {10'000, 0}) {
    const auto began = std::chrono::steady_clock::now();
    const auto report = Import(file);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->added(), added);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_LT(took, std::chrono::seconds(30));
    RecordProperty("took_ms_" + std::to_string(added), std::to_string(took / std::chrono::milliseconds(1)));
  }
  const auto began = std::chrono::steady_clock::now();
  v1::ListContactsRequest request;
  request.set_parent("municipalities/-");
  request.set_page_size(1000);
  int listed = 0;
  do {
    v1::ListContactsResponse page;
    ASSERT_TRUE(Call(&v1::ContactService::StubInterface::ListContacts, request, page).ok());
    listed += page.contacts_size();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, 10'000);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

TEST_F(ContactServiceTest, ChangesOnlyWhatThereAreColumnsFor) {
  ASSERT_TRUE(Import(kFile).ok());
  const auto changed = Import("gemeentecode\temail\tfunctie\r\n363\tA.JANSEN@amsterdam.example\twethouder\r\n");
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_THAT(Outcomes(*changed), ElementsAre("2 UPDATED"));
  const v1::Contact contact = *contacts_.Get("municipalities/GM0363/contacts/1");
  EXPECT_EQ(contact.job_title(), "wethouder");
  EXPECT_EQ(contact.full_name(), "Jansen, A.");
  EXPECT_EQ(contact.order(), 1);
}

TEST_F(ContactServiceTest, ReportsWhatIsWrongByRowAndTakesInTheOthers) {
  const std::string file =
      "gemeentecode,gemeente,e-mail,soort,volgorde,geldig_vanaf\n"
      "GM0363,,a@b.nl,,,\n"
      "GM0001,,a@b.nl,,,\n"
      ",Verweg,a@b.nl,,,\n"
      ",Bergen,a@b.nl,,,\n"
      "GM0373,Bergen,a@b.nl,,,\n"
      "GM0373,Utrecht,c@b.nl,,,\n"
      ",,a@b.nl,,,\n"
      "GM0363,,nobody,iets,x,31-02-2026\n"
      "GM0363,,A@B.nl,,,\n"
      "GM0363,,d@b.nl\n";
  const std::vector<testing::Matcher<std::string>> want = {
      "2 ADDED",
      "3 REFUSED | gemeentecode: is geen gemeente op 2026-03-24",
      "4 REFUSED | gemeente: is geen gemeente op 2026-03-24",
      "5 REFUSED | gemeente: kan GM0373 of GM0893 zijn",
      "6 ADDED",
      "7 REFUSED | gemeente: is GM0344, niet GM0373",
      "8 REFUSED | gemeente: ontbreekt",
      absl::StrCat("9 REFUSED | volgorde: is geen getal | soort: moet persoon, functie of algemeen zijn",
                   " | e-mail: is geen e-mailadres | geldig_vanaf: is geen datum (jjjj-mm-dd)"),
      "10 REFUSED | e-mail: staat voor deze gemeente ook op regel 2",
      testing::StartsWith("11 REFUSED | "),
  };
  const auto report = Import(file);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Outcomes(*report), testing::ElementsAreArray(want));
  EXPECT_EQ(report->total(), 10);
  EXPECT_EQ(report->added(), 2);
  EXPECT_EQ(report->refused(), 8);
  EXPECT_EQ(List().contacts_size(), 2);
  EXPECT_EQ(Import(file, [](auto& request) { request.set_as_of("2010-01-01"); })->added(), 1) << "it was a municipality then";
}

TEST_F(ContactServiceTest, TakesInAllOrNothing) {
  ASSERT_TRUE(Create("GM0344", "same@b.nl").ok());
  const std::string file = "gemeentecode;e-mail\nGM0363;a@b.nl\nGM0344;same@b.nl\nGM0344;nobody\n";
  const auto report = Import(file, [](auto& request) {
    request.set_all_or_nothing(true);
    request.set_source("");
  });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Outcomes(*report), ElementsAre("2 REFUSED | rij: niet overgenomen, omdat andere rijen fouten hebben", "3 UNCHANGED",
                                             "4 REFUSED | e-mail: is geen e-mailadres"));
  EXPECT_EQ(List().contacts_size(), 1);
}

TEST_F(ContactServiceTest, SaysWhyAFileCannotBeReadAtAll) {
  const struct {
    std::string file;
    std::string reason;
    std::string says;
  } cases[] = {
      {"gemeente;e-mail\nAmsterdam;\"a@b.nl\n", "IMPORT_MALFORMED", "never closed"},
      {"gemeente;naam;leeftijd;naam\nAmsterdam;x;3;y\n", "IMPORT_COLUMNS",
       "kolom 3 is onbekend; kolom 4 is er twee keer: \"naam\"; kolom \"e-mail\" ontbreekt"},
      {"e-mail\n", "IMPORT_COLUMNS", "\"gemeentecode\" of \"gemeente\""},
      {"\n", "IMPORT_COLUMNS", "e-mail"},
      {"gemeente;e-mail\nS\xFA"
       "dwest;a@b.nl\n",
       "IMPORT_ENCODING", "UTF-8"},
      {"", "INVALID_REQUEST", "content"},
  };
  for (const auto& wrong : cases) {
    const absl::Status refused = Import(wrong.file).status();
    EXPECT_EQ(status::Reason(refused), wrong.reason) << wrong.file;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(wrong.says));
  }
  std::string large = "gemeente;e-mail\n";
  for (int i = 0; i < 20'001; ++i) large += "Amsterdam;a@b.nl\n";
  EXPECT_EQ(status::Reason(Import(large).status()), "INVALID_REQUEST");
}

TEST_F(ContactServiceTest, ReportsRowsWithProblemsFirstOfLargeFiles) {
  std::string file = "gemeentecode;e-mail\n";
  for (int i = 0; i < 1500; ++i) file += i % 3 == 0 ? "GM0363;a@b.nl\n" : "GM0363;nobody\n";
  const auto report = Import(file);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->total(), 1500);
  EXPECT_EQ(report->added(), 1);
  EXPECT_EQ(report->rows_size(), 1000);
  EXPECT_EQ(report->rows(0).line(), 3);
}

TEST_F(ContactServiceTest, AnswersARepeatedImportAgain) {
  const auto set = [](auto& request) { request.set_request_id("the same"); };
  ASSERT_EQ(Import(kFile, set)->added(), 2);
  EXPECT_EQ(Import(kFile, set)->added(), 2);
  EXPECT_EQ(status::Reason(Import(std::string(kFile) + "\n", set).status()), "REQUEST_ID_REUSED");
}

TEST_F(ContactServiceTest, TakesOutWhatCanBeTakenInAgain) {
  ASSERT_TRUE(Import(kFile).ok());
  const v1::Contact erased = *Create("GM0363", "erased@b.nl");
  ASSERT_TRUE(Erase(erased.name()).ok());
  const std::string csv = Export();
  EXPECT_THAT(csv, testing::StartsWith("\xEF\xBB\xBFgemeentecode;naam;"));
  EXPECT_THAT(csv, HasSubstr(";'+31 20 555 01 23;")) << "no formula in a spreadsheet";
  EXPECT_THAT(csv, HasSubstr("GM0363;Jansen, A.;Geachte mevrouw Jansen;"));
  const auto again = Import(csv);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->unchanged(), 2);
  EXPECT_EQ(again->total(), 2);
  EXPECT_THAT(Export({"municipalities/GM0344"}), Not(HasSubstr("GM0363")));
}

}  // namespace
}  // namespace peiling::fieldwork

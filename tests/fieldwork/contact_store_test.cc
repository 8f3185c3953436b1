#include "services/fieldwork/contacts/contact_store.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

std::vector<std::string> Names(const std::vector<v1::Contact>& contacts) {
  std::vector<std::string> names;
  names.reserve(contacts.size());
  for (const v1::Contact& contact : contacts) names.push_back(contact.full_name());
  return names;
}

class ContactStoreTest : public testing::Test {
 protected:
  v1::CreateContactRequest Request(const std::string& code, const std::string& name, v1::ContactKind kind = v1::CONTACT_KIND_PERSON) {
    v1::CreateContactRequest request;
    request.set_parent("municipalities/" + code);
    request.mutable_contact()->set_full_name(name);
    request.mutable_contact()->set_email(name + "@" + code + ".example");
    request.mutable_contact()->set_kind(kind);
    request.set_request_id("request-" + std::to_string(++requests_));
    return request;
  }
  v1::Contact Add(const v1::CreateContactRequest& request) {
    auto created = contacts_.Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? *created : v1::Contact();
  }
  absl::StatusOr<v1::EraseContactResponse> Erase(const std::string& name) {
    v1::EraseContactRequest request;
    request.set_name(name);
    request.set_request_id("request-" + std::to_string(++requests_));
    return contacts_.Erase(request, "keys/1", {});
  }
  v1::UpdateContactRequest UpdateRequest(const v1::Contact& contact) {
    v1::UpdateContactRequest request;
    *request.mutable_contact() = contact;
    request.set_request_id("request-" + std::to_string(++requests_));
    return request;
  }

  int requests_ = 0;
  absl::Time now_ = absl::FromUnixSeconds(1'774'000'000);
  std::unique_ptr<storage::Store> store_ = *storage::OpenStore("sqlite::memory:", "fieldwork");
  std::unique_ptr<vault::Vault> vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
  ContactStore contacts_{*store_, *vault_, [this] { return now_; }};
};

TEST_F(ContactStoreTest, GivesContactsInTheOrderTheyAreUsedGeneralOnesLast) {
  auto request = Request("GM0363", "third");
  request.mutable_contact()->set_order(2);
  Add(request);
  Add(Request("GM0363", "last", v1::CONTACT_KIND_GENERAL));
  Add(Request("GM0363", "first"));
  Add(Request("GM0363", "second", v1::CONTACT_KIND_FUNCTION));
  request = Request("GM0363", "before");
  request.mutable_contact()->set_order(-1);
  Add(request);
  Add(Request("GM0518", "elsewhere"));
  EXPECT_THAT(Names(*contacts_.Usable("GM0363", "2026-03-24")), ElementsAre("before", "first", "second", "third", "last"));
  EXPECT_THAT(*contacts_.Usable("GM0001", "2026-03-24"), SizeIs(0));
}

TEST_F(ContactStoreTest, UsesContactsOnDaysTheyAreValid) {
  auto request = Request("GM0363", "jan");
  request.mutable_contact()->set_valid_from("2026-03-01");
  request.mutable_contact()->set_valid_to("2026-04-01");
  Add(request);
  for (const auto& [day, count] : {std::pair("2026-02-28", 0u), {"2026-03-01", 1u}, {"2026-03-31", 1u}, {"2026-04-01", 0u}}) {
    EXPECT_THAT(*contacts_.Usable("GM0363", day), SizeIs(count)) << day;
  }
}

TEST_F(ContactStoreTest, RepeatsAnAnswerAndRefusesTheRequestIdForAnother) {
  const auto request = Request("GM0363", "jan");
  const v1::Contact first = Add(request);
  EXPECT_EQ(Add(request).name(), first.name());
  EXPECT_THAT(*contacts_.Usable("GM0363", "2026-03-24"), SizeIs(1));
  auto other = request;
  other.mutable_contact()->set_full_name("piet");
  EXPECT_EQ(status::Reason(contacts_.Create(other).status()), "REQUEST_ID_REUSED");
}

TEST_F(ContactStoreTest, RefusesASecondContactWithTheAddressOfTheSameMunicipality) {
  const v1::Contact first = Add(Request("GM0363", "jan"));
  auto again = Request("GM0363", "other");
  again.mutable_contact()->set_email("JAN@gm0363.EXAMPLE");
  const absl::Status refused = contacts_.Create(again).status();
  EXPECT_EQ(status::Reason(refused), "CONTACT_EXISTS");
  EXPECT_EQ(status::Metadata(refused)["contact"], first.name());
  EXPECT_THAT(std::string(refused.message()), Not(HasSubstr("example")));
  again.set_parent("municipalities/GM0518");
  Add(again);

  v1::Contact second = Add(Request("GM0363", "piet"));
  second.set_email(first.email());
  EXPECT_EQ(status::Reason(contacts_.Update(UpdateRequest(second)).status()), "CONTACT_EXISTS");
  ASSERT_TRUE(Erase(first.name()).ok());
  EXPECT_TRUE(contacts_.Update(UpdateRequest(second)).ok()) << "whose was erased does not have it any more";
}

TEST_F(ContactStoreTest, RefusesMoreThanFiftyOfAMunicipality) {
  std::vector<v1::Contact> added;
  added.reserve(50);
  for (int i = 0; i < 50; ++i) added.push_back(Add(Request("GM0363", "c" + std::to_string(i))));
  EXPECT_EQ(status::Reason(contacts_.Create(Request("GM0363", "more")).status()), "TOO_MANY_CONTACTS");
  ASSERT_TRUE(Erase(added[7].name()).ok());
  EXPECT_NE(Add(Request("GM0363", "more")).name(), added[7].name()) << "names are not used twice";
}

TEST_F(ContactStoreTest, ChangesAContactOnlyWithItsEtag) {
  v1::Contact contact = Add(Request("GM0363", "jan"));
  contact.set_job_title("adviseur");
  now_ += absl::Hours(1);
  const auto updated = contacts_.Update(UpdateRequest(contact));
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->job_title(), "adviseur");
  EXPECT_NE(updated->etag(), contact.etag());
  EXPECT_EQ(updated->created_at().seconds(), contact.created_at().seconds());
  EXPECT_EQ(updated->updated_at().seconds(), contact.updated_at().seconds() + 3600);

  contact.set_job_title("wethouder");
  EXPECT_EQ(status::Reason(contacts_.Update(UpdateRequest(contact)).status()), "ETAG_MISMATCH");
  contact.clear_etag();
  EXPECT_TRUE(contacts_.Update(UpdateRequest(contact)).ok());
  const std::string etag = contacts_.Get(contact.name())->etag();
  EXPECT_EQ(contacts_.Update(UpdateRequest(contact))->etag(), etag) << "nothing changed";
}

TEST_F(ContactStoreTest, LeavesNothingOfAnErasedContactButThatItWas) {
  const v1::Contact contact = Add(Request("GM0363", "jan"));
  const auto erased = Erase(contact.name());
  ASSERT_TRUE(erased.ok()) << erased.status();
  const v1::Contact left = *contacts_.Get(contact.name());
  v1::Contact want;
  want.set_name(contact.name());
  want.set_kind(v1::CONTACT_KIND_PERSON);
  want.mutable_erased_at()->set_seconds(absl::ToUnixSeconds(now_));
  want.set_erased_by("keys/1");
  want.set_etag("v2");
  EXPECT_EQ(left.DebugString(), want.DebugString());
  EXPECT_THAT(*contacts_.Usable("GM0363", "2026-03-24"), SizeIs(0));
  EXPECT_EQ(status::Reason(contacts_.Update(UpdateRequest(contact)).status()), "CONTACT_ERASED");
  now_ += absl::Hours(1);
  EXPECT_EQ(Erase(contact.name())->contact().DebugString(), want.DebugString()) << "erasing what is erased changes nothing";
  EXPECT_EQ(status::Reason(Erase("municipalities/GM0363/contacts/9").status()), "CONTACT_NOT_FOUND");
}

TEST_F(ContactStoreTest, PagesThroughAllInOrder) {
  for (const char* const code : {"GM0518", "GM0363", "GM0599"}) {
    for (const char* const name : {"a", "b", "c"}) Add(Request(code, name));
    Add(Request(code, "z", v1::CONTACT_KIND_GENERAL));
  }
  ASSERT_TRUE(Erase("municipalities/GM0363/contacts/2").ok());
  for (const bool erased : {false, true}) {
    for (const int32_t size : {1, 2, 3, 5, 100}) {
      v1::ListContactsRequest request;
      request.set_parent("municipalities/-");
      request.set_show_erased(erased);
      request.set_page_size(size);
      std::vector<std::string> names;
      do {
        status::BadRequest bad;
        const auto page = contacts_.List(request, paging::ReadPage(request, bad));
        ASSERT_TRUE(page.ok() && bad.empty()) << page.status();
        EXPECT_LE(page->contacts_size(), size);
        for (const v1::Contact& contact : page->contacts()) names.push_back(contact.name().substr(15));
        request.set_page_token(page->next_page_token());
      } while (!request.page_token().empty());
      std::vector<std::string> want = {"GM0363/contacts/1", "GM0363/contacts/3", "GM0363/contacts/4"};
      if (erased) want.push_back("GM0363/contacts/2");
      for (const char* const code : {"GM0518", "GM0599"}) {
        for (const char* const number : {"1", "2", "3", "4"}) want.push_back(std::string(code) + "/contacts/" + number);
      }
      EXPECT_EQ(names, want) << size;
    }
  }
}

TEST_F(ContactStoreTest, LosesNothingToConcurrentWriters) {
  std::vector<v1::CreateContactRequest> requests;
  requests.reserve(40);
  for (int i = 0; i < 40; ++i) requests.push_back(Request("GM0363", "c" + std::to_string(i)));
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 40; i += 4) EXPECT_TRUE(contacts_.Create(requests[i]).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(*contacts_.Usable("GM0363", "2026-03-24"), SizeIs(40));
}

TEST_F(ContactStoreTest, GivesEqualAddressesEqualTokensThatOthersCannotMake) {
  const std::string token = *contacts_.AddressToken("a.jansen@gemeente-fryslân.nl");
  EXPECT_THAT(token, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(*contacts_.AddressToken("A.Jansen@GEMEENTE-FRYSL\xC3\x82N.nl"), token);
  EXPECT_EQ(*contacts_.AddressToken("a.jansen@xn--gemeente-frysln-hkb.nl"), token);
  EXPECT_NE(*contacts_.AddressToken("b.jansen@gemeente-fryslân.nl"), token);
  ContactStore replica(*store_, *vault_, [] { return absl::Now(); });
  EXPECT_EQ(*replica.AddressToken("a.jansen@gemeente-fryslân.nl"), token);
  const auto elsewhere = *storage::OpenStore("sqlite::memory:", "fieldwork");
  EXPECT_NE(*ContactStore(*elsewhere, *vault_, [] { return absl::Now(); }).AddressToken("a.jansen@gemeente-fryslân.nl"), token);
}

TEST_F(ContactStoreTest, TellsThatSomethingChanged) {
  const uint64_t before = *contacts_.Version();
  const v1::Contact contact = Add(Request("GM0363", "jan"));
  const uint64_t added = *contacts_.Version();
  EXPECT_GT(added, before);
  ASSERT_TRUE(contacts_.Update(UpdateRequest(contact)).ok());
  EXPECT_EQ(*contacts_.Version(), added);
  ASSERT_TRUE(Erase(contact.name()).ok());
  EXPECT_GT(*contacts_.Version(), added);
}

TEST_F(ContactStoreTest, CannotBeReadWithOtherKeys) {
  const v1::Contact contact = Add(Request("GM0363", "jan"));
  const auto other = *vault::Vault::Make(vault::Vault::NewKey("other"));
  ContactStore thief(*store_, *other, [] { return absl::Now(); });
  EXPECT_EQ(status::Reason(thief.Get(contact.name()).status()), "PERSONAL_DATA_KEY_MISSING");
  EXPECT_EQ(status::Reason(thief.AddressToken("a@b.nl").status()), "PERSONAL_DATA_KEY_MISSING");
}

TEST_F(ContactStoreTest, GoesOnWithTheRestWhenAKeyIsLost) {
  const v1::Contact gone = Add(Request("GM0363", "jan"));
  const std::string token = *contacts_.AddressToken("a@b.nl");
  const auto lost = *vault::Vault::Make(vault::Vault::NewKey("new") + "\ntest lost");
  ContactStore one(*store_, *lost, [] { return absl::Now(); });
  ContactStore other(*store_, *lost, [] { return absl::Now(); });
  const auto made = one.AddressToken("a@b.nl");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_NE(*made, token);
  EXPECT_EQ(*other.AddressToken("a@b.nl"), *made);

  EXPECT_TRUE(other.Create(Request("GM0518", "kim")).ok());
  EXPECT_EQ(status::Reason(other.Get(gone.name()).status()), "PERSONAL_DATA_KEY_MISSING");
  std::vector<std::string> seen;
  const absl::Status walked = other.ForEach("", [&](const MunicipalityContacts& municipality) {
    seen.push_back(municipality.code());
    return absl::OkStatus();
  });
  EXPECT_TRUE(walked.ok()) << walked;
  EXPECT_THAT(seen, ElementsAre("GM0518"));
}

// Everything in the files of a store.
std::string Raw(const std::string& path) {
  std::stringstream bytes;
  for (const char* const end : {"", "-wal", "-shm"}) bytes << std::ifstream(path + end, std::ios::binary).rdbuf();
  return bytes.str();
}

class ContactFileTest : public testing::Test {
 protected:
  ContactFileTest() {
    EXPECT_NE(::mkdtemp(folder_), nullptr);
    path_ = std::string(folder_) + "/fieldwork.db";
    Open();
  }
  ~ContactFileTest() override { std::filesystem::remove_all(folder_); }
  void Open() {
    store_ = *storage::OpenStore("sqlite:" + path_, "fieldwork");
    if (vault_ == nullptr) vault_ = *vault::Vault::Make(vault::Vault::NewKey("test"));
    contacts_ = std::make_unique<ContactStore>(*store_, *vault_, [] { return absl::Now(); });
  }
  void Close() {
    contacts_.reset();
    store_.reset();
  }
  // So long that it does not fit in one page of the file.
  void AddSome() {
    for (int i = 1; i <= 20; ++i) {
      v1::CreateContactRequest request;
      request.set_parent("municipalities/GM0363");
      v1::Contact& contact = *request.mutable_contact();
      contact.set_full_name("Xanthippe Voorbeeld");
      contact.set_salutation(std::string(200, 'x'));
      contact.set_email("xanthippe" + std::to_string(i) + "@voorbeeld.example");
      contact.set_phone("020-5550123");
      contact.set_kind(v1::CONTACT_KIND_PERSON);
      request.set_request_id(std::to_string(i));
      EXPECT_TRUE(contacts_->Create(request).ok());
    }
  }
  std::string Sealed() { return (*store_->Get(ContactStore::kPartition, "municipality/GM0363"))->value; }
  // How many pieces of these are in the files; pieces, since what is long lies in pieces.
  int Pieces(const std::vector<std::string>& sealed) {
    constexpr size_t kBytes = 32;
    const std::string raw = Raw(path_);
    int there = 0;
    for (const std::string& value : sealed) {
      for (size_t at = 0; at + kBytes <= value.size(); at += kBytes) there += raw.find(value.substr(at, kBytes)) == raw.npos ? 0 : 1;
    }
    return there;
  }

  char folder_[64] = "/tmp/contact_store_test.XXXXXX";
  std::string path_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<vault::Vault> vault_;
  std::unique_ptr<ContactStore> contacts_;
};

TEST_F(ContactFileTest, HoldsNoPersonalDataInTheClear) {
  AddSome();
  const std::string raw = Raw(path_);
  EXPECT_NE(raw.find("GM0363"), std::string::npos) << "it is looked for where it would be";
  for (const char* const secret : {"Xanthippe", "xanthippe", "voorbeeld.example", "5550123"}) {
    EXPECT_EQ(raw.find(secret), std::string::npos) << secret;
  }
}

// Somebody might get hold of the key later.
TEST_F(ContactFileTest, HoldsNothingSealedOfWhatWasErased) {
  AddSome();
  std::vector<std::string> sealed = {Sealed()};
  ASSERT_GT(sealed[0].size(), 5000u);
  Close();
  EXPECT_GT(Pieces(sealed), 100) << "it is looked for where it would be";
  Open();
  for (int i = 1; i <= 20; ++i) {
    v1::EraseContactRequest request;
    request.set_name("municipalities/GM0363/contacts/" + std::to_string(i));
    request.set_request_id("erase-" + std::to_string(i));
    ASSERT_TRUE(contacts_->Erase(request, "keys/1", {}).ok());
    if (i < 20) sealed.push_back(Sealed());
  }
  Close();
  EXPECT_EQ(Pieces(sealed), 0);
}

}  // namespace
}  // namespace peiling::fieldwork

#include "services/fieldwork/contacts/contact_store.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/common/hmac/hmac.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/storage/parse.h"
#include "services/common/storage/race.h"
#include "services/common/storage/receipts.h"
#include "services/fieldwork/contacts/email_address.h"

namespace peiling::fieldwork {
namespace {

constexpr size_t kTokenBytes = 16;
constexpr size_t kReadAtOnce = 100;
// A page ends early when it has this much, so that it stays below gRPC's usual limit of 4 MiB for a message.
constexpr size_t kMaxPageBytes = 2 << 20;

std::string KeyOf(const std::string& code) { return ContactStore::kSealed + code; }
std::string ContextOf(const std::string& key) { return vault::ContextOf(ContactStore::kPartition, key); }

bool MayBeUsed(const v1::Contact& contact, const std::string& day) {
  return !contact.has_erased_at() && contact.valid_from() <= day && (contact.valid_to().empty() || day < contact.valid_to());
}

std::string Serialise(const MunicipalityContacts& municipality) {
  v1::ListContactsResponse contacts;
  contacts.mutable_contacts()->Add(municipality.contacts().begin(), municipality.contacts().end());
  return contacts.SerializeAsString();
}

// A page of contacts as it is filled.
class ContactPage {
 public:
  ContactPage(const v1::ListContactsRequest& request, const paging::Page& page) : request_(request), size_(page.size) {}

  bool full() const { return !response_.next_page_token().empty(); }
  // Those of a municipality, from after `rank`; false when there is no room for all of them.
  bool Add(const MunicipalityContacts& municipality, const std::string& rank) {
    for (v1::Contact& contact : municipality.InOrder()) {
      const std::string place = Rank(contact);
      if (place <= rank || (contact.has_erased_at() && !request_.show_erased())) continue;
      if (response_.contacts_size() == size_ || bytes_ >= kMaxPageBytes) {
        response_.set_next_page_token(paging::NextPageToken(request_, last_));
        return false;
      }
      last_ = absl::StrCat(municipality.code(), "/", place);
      bytes_ += contact.ByteSizeLong();
      *response_.add_contacts() = std::move(contact);
    }
    return true;
  }
  v1::ListContactsResponse Take() { return std::move(response_); }

 private:
  const v1::ListContactsRequest& request_;
  const int32_t size_;
  size_t bytes_ = 0;
  // Place of the last one.
  std::string last_;
  v1::ListContactsResponse response_;
};

}  // namespace

absl::StatusOr<MunicipalityContacts> ContactStore::Read(const std::string& code, const std::optional<storage::Document>& document) {
  if (!document.has_value()) return MunicipalityContacts(code, {});
  auto opened = vault_.Unseal(document->value, ContextOf(document->key));
  if (!opened.ok()) return opened.status();
  auto contacts = storage::Parse<v1::ListContactsResponse>({.key = document->key, .value = *std::move(opened)});
  if (!contacts.ok()) return contacts.status();
  return MunicipalityContacts(
      code, {std::make_move_iterator(contacts->mutable_contacts()->begin()), std::make_move_iterator(contacts->mutable_contacts()->end())});
}

absl::StatusOr<std::vector<MunicipalityContacts>> ContactStore::ReadAll(const std::vector<std::string>& codes,
                                                                        std::vector<std::optional<storage::Document>>& documents) {
  std::vector<std::string> keys;
  keys.reserve(codes.size());
  for (const std::string& code : codes) keys.push_back(KeyOf(code));
  auto found = store_.GetMany(kPartition, keys);
  if (!found.ok()) return found.status();
  documents = *std::move(found);
  std::vector<MunicipalityContacts> municipalities;
  for (size_t i = 0; i < codes.size(); ++i) {
    auto municipality = Read(codes[i], documents[i]);
    if (!municipality.ok()) return municipality.status();
    municipalities.push_back(*std::move(municipality));
  }
  return municipalities;
}

absl::StatusOr<std::vector<v1::Contact>> ContactStore::Usable(const std::string& municipality, const std::string& day) {
  auto document = store_.Get(kPartition, KeyOf(municipality));
  if (!document.ok()) return document.status();
  auto all = Read(municipality, *document);
  if (!all.ok()) return all.status();
  std::vector<v1::Contact> usable = all->InOrder();
  std::erase_if(usable, [&](const v1::Contact& contact) { return !MayBeUsed(contact, day); });
  return usable;
}

absl::StatusOr<v1::Contact> ContactStore::Get(const std::string& name) {
  const std::string code = MunicipalityOf(name);
  auto document = store_.Get(kPartition, KeyOf(code));
  if (!document.ok()) return document.status();
  auto all = Read(code, *document);
  if (!all.ok()) return all.status();
  return all->Find(name);
}

absl::Status ContactStore::TryPepper(std::string& pepper) {
  auto document = store_.Get(kPartition, kPepper);
  if (!document.ok()) return document.status();
  const bool gone = document->has_value() && vault_.IsGone((*document)->value);
  if (document->has_value() && !gone) {
    auto opened = vault_.Unseal((*document)->value, ContextOf(kPepper));
    if (!opened.ok()) return opened.status();
    pepper = *std::move(opened);
    return store_.Confirm(kPartition);
  }
  pepper = vault::RandomBytes(32);
  storage::Batch batch{.partition = kPartition};
  batch.writes.push_back(
      {.key = kPepper, .value = vault_.Seal(pepper, ContextOf(kPepper)), .expected_version = gone ? (*document)->version : 0});
  const absl::Status made = store_.Commit(std::move(batch)).status();
  if (gone && made.ok()) {
    log::Warning(
        "e-mail addresses were known by tokens made with a secret that is sealed with a key that is lost, and get others from now on: no "
        "suppression from before keeps mail from its address any more, and a request that is repeated from before is refused");
  }
  return made;
}

absl::StatusOr<std::string> ContactStore::Pepper() {
  const std::lock_guard lock(mutex_);
  if (!pepper_.empty()) return pepper_;
  std::string pepper;
  if (absl::Status found = storage::RetryRaces([&] { return TryPepper(pepper); }); !found.ok()) return found;
  return pepper_ = pepper;
}

absl::StatusOr<std::string> ContactStore::AddressToken(const std::string& email) {
  auto pepper = Pepper();
  if (!pepper.ok()) return pepper.status();
  const std::string canonical = CanonicalAddress(email).value_or(absl::AsciiStrToLower(email));
  return absl::BytesToHexString(hmac::Sha256(*pepper, absl::StrCat("address ", canonical)).substr(0, kTokenBytes));
}

absl::Status ContactStore::ForEach(const std::string& after, const std::function<absl::Status(const MunicipalityContacts&)>& visit) {
  for (std::string last = after.empty() ? "" : KeyOf(after);;) {
    auto documents = store_.List(kPartition, kSealed, last, kReadAtOnce);
    if (!documents.ok()) return documents.status();
    for (const storage::Document& document : *documents) {
      // Contacts nobody can ever read again must not keep others from being listed, or erased in time.
      if (vault_.IsGone(document.value)) continue;
      auto municipality = Read(document.key.substr(std::string_view(kSealed).size()), document);
      if (!municipality.ok()) return municipality.status();
      if (absl::Status seen = visit(*municipality); !seen.ok()) return seen;
    }
    if (documents->size() < kReadAtOnce) return absl::OkStatus();
    last = documents->back().key;
  }
}

absl::StatusOr<v1::ListContactsResponse> ContactStore::List(const v1::ListContactsRequest& request, const paging::Page& page) {
  const std::string wanted = names::LastId(request.parent());
  const bool all = wanted == "-";
  const size_t slash = page.after.find('/');
  const std::string first = all ? page.after.substr(0, slash) : wanted;
  const std::string rank = slash == std::string::npos ? "" : page.after.substr(slash + 1);
  ContactPage filling(request, page);
  if (!first.empty()) {
    const auto document = store_.Get(kPartition, KeyOf(first));
    if (!document.ok()) return document.status();
    const auto municipality = Read(first, *document);
    if (!municipality.ok()) return municipality.status();
    filling.Add(*municipality, rank);
  }
  if (all && !filling.full()) {
    const absl::Status walked = ForEach(first, [&](const MunicipalityContacts& municipality) {
      return filling.Add(municipality, "") ? absl::OkStatus() : absl::CancelledError();
    });
    if (!walked.ok() && !filling.full()) return walked;
  }
  return filling.Take();
}

absl::Status ContactStore::TryRun(const Change& change, const std::string& digest, google::protobuf::Message& answer) {
  if (!change.request_id.empty()) {
    const auto answered = storage::FindReceipt(store_, kPartition, change.request_id, digest, answer);
    if (!answered.ok() || *answered) return answered.status();
  }
  std::vector<std::optional<storage::Document>> documents;
  const auto before = ReadAll(change.municipalities, documents);
  if (!before.ok()) return before.status();
  std::vector<MunicipalityContacts> after = *before;
  const auto keep = change.edit(after);
  if (!keep.ok() || !*keep) return keep.status();

  storage::Batch batch{.partition = kPartition};
  for (size_t i = 0; i < after.size(); ++i) {
    const std::string contacts = Serialise(after[i]);
    if (contacts == Serialise((*before)[i])) continue;
    const std::string key = KeyOf(after[i].code());
    const uint64_t version = documents[i].has_value() ? documents[i]->version : 0;
    batch.writes.push_back({.key = key, .value = vault_.Seal(contacts, ContextOf(key)), .expected_version = version});
    batch.events.push_back(after[i].code());
  }
  if (!change.request_id.empty()) batch.writes.push_back(storage::ReceiptWrite(change.request_id, digest, answer));
  if (batch.writes.empty()) return store_.Confirm(kPartition);
  return store_.Commit(std::move(batch)).status();
}

absl::StatusOr<std::string> ContactStore::ReceiptDigest(const std::string& digest) {
  const auto pepper = Pepper();
  if (!pepper.ok()) return pepper.status();
  return hmac::Sha256(*pepper, absl::StrCat("request ", digest));
}

absl::Status ContactStore::Run(const Change& change, google::protobuf::Message& answer) {
  const auto digest = ReceiptDigest(change.digest);
  if (!digest.ok()) return digest.status();
  return storage::RetryRaces([&] {
    answer.Clear();
    return TryRun(change, *digest, answer);
  });
}

absl::StatusOr<v1::Contact> ContactStore::Create(const v1::CreateContactRequest& request) {
  v1::CreateContactResponse answer;
  const auto edit = [&](std::vector<MunicipalityContacts>& municipalities) -> absl::StatusOr<bool> {
    const auto added = municipalities[0].Add(request.contact(), clock_());
    if (!added.ok()) return added.status();
    answer.mutable_contact()->set_name(added->name());
    return true;
  };
  const absl::Status done = Run({.municipalities = {names::LastId(request.parent())},
                                 .request_id = request.request_id(),
                                 .digest = storage::DigestOf(request),
                                 .edit = edit},
                                answer);
  if (!done.ok()) return done;
  return Get(answer.contact().name());
}

absl::StatusOr<v1::Contact> ContactStore::Update(const v1::UpdateContactRequest& request) {
  v1::UpdateContactResponse answer;
  const std::string& name = request.contact().name();
  const auto edit = [&](std::vector<MunicipalityContacts>& municipalities) -> absl::StatusOr<bool> {
    auto updated = municipalities[0].Update(name, request.contact(), request.contact().etag(), clock_());
    if (!updated.ok()) return updated.status();
    answer.mutable_contact()->set_name(name);
    return true;
  };
  const absl::Status done = Run(
      {.municipalities = {MunicipalityOf(name)}, .request_id = request.request_id(), .digest = storage::DigestOf(request), .edit = edit},
      answer);
  if (!done.ok()) return done;
  return Get(name);
}

absl::StatusOr<v1::EraseContactResponse> ContactStore::Erase(const v1::EraseContactRequest& request, const std::string& caller,
                                                             const std::vector<std::string>& responses) {
  v1::EraseContactResponse answer;
  const auto edit = [&](std::vector<MunicipalityContacts>& municipalities) -> absl::StatusOr<bool> {
    auto left = municipalities[0].Erase(request.name(), caller, clock_());
    if (!left.ok()) return left.status();
    *answer.mutable_contact() = *std::move(left);
    answer.mutable_responses()->Add(responses.begin(), responses.end());
    return true;
  };
  const absl::Status done = Run({.municipalities = {MunicipalityOf(request.name())},
                                 .request_id = request.request_id(),
                                 .digest = storage::DigestOf(request),
                                 .edit = edit},
                                answer);
  if (!done.ok()) return done;
  return answer;
}

absl::StatusOr<std::optional<v1::EraseContactResponse>> ContactStore::Erased(const v1::EraseContactRequest& request) {
  const auto digest = ReceiptDigest(storage::DigestOf(request));
  if (!digest.ok()) return digest.status();
  v1::EraseContactResponse answer;
  const auto found = storage::FindReceipt(store_, kPartition, request.request_id(), *digest, answer);
  if (!found.ok()) return found.status();
  return *found ? std::make_optional(std::move(answer)) : std::nullopt;
}

absl::StatusOr<std::vector<std::string>> ContactStore::EraseWhere(const std::string& municipality,
                                                                  const std::function<bool(const v1::Contact&)>& wanted) {
  std::vector<std::string> erased;
  const auto edit = [&](std::vector<MunicipalityContacts>& municipalities) -> absl::StatusOr<bool> {
    erased = municipalities[0].EraseWhere(wanted, clock_());
    return !erased.empty();
  };
  v1::EraseContactResponse answer;
  const absl::Status done = Run({.municipalities = {municipality}, .request_id = "", .digest = "", .edit = edit}, answer);
  if (!done.ok()) return done;
  return erased;
}

}  // namespace peiling::fieldwork

// Contacts as they are stored, in partition "contacts". Personal data, and with them everything about contacts, are sealed
// (services/common/vault), bound to their partition and key (vault::ContextOf).
//   municipality/<code>   all contacts of a municipality (a v1::ListContactsResponse), sealed
//   pepper                what tokens are made with, sealed; made anew when the key it is sealed with is lost
//   receipt/<…>           answers to requests, with names of contacts and no personal data
// Its feed has the code of the municipality for every change, so that its end tells whether anything changed.
// Replicas may share the store.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/common/vault/vault.h"
#include "services/fieldwork/contacts/municipality_contacts.h"

namespace peiling::fieldwork {

// Thread-safe. Requests were checked. Errors of the store and the vault come beside those named; writes have
// ALREADY_EXISTS/REQUEST_ID_REUSED, and ABORTED/CONCURRENT_CHANGE after too many lost races.
class ContactStore {
 public:
  static constexpr char kPartition[] = "contacts";
  // What keys of documents begin with that are sealed whole.
  static constexpr char kSealed[] = "municipality/";
  static constexpr char kPepper[] = "pepper";

  // All must outlive it.
  ContactStore(storage::Store& store, const vault::Vault& vault, calendar::Clock clock)
      : store_(store), vault_(vault), clock_(std::move(clock)) {}

  // Contacts of a municipality ("GM0363") that may be used on a day (YYYY-MM-DD), in the order they are to be used; general ones last.
  // Erased ones are left out; suppressed ones are not (the outbox knows).
  absl::StatusOr<std::vector<v1::Contact>> Usable(const std::string& municipality, const std::string& day);
  // NOT_FOUND/CONTACT_NOT_FOUND. An erased one is there, empty.
  absl::StatusOr<v1::Contact> Get(const std::string& name);
  // What stands for an e-mail address, equal for equal ones whatever their capitals and the form of their domain: 32 lower-case hex digits.
  // It tells nobody the address, also not one who has the store and tries all addresses there are, without the vault's keys.
  absl::StatusOr<std::string> AddressToken(const std::string& email);
  // Grows with every change of a contact, by whatever replica.
  absl::StatusOr<uint64_t> Version() { return store_.LastSequence(kPartition); }

  // By municipality, in the order they are used. A page may be short and yet have a token.
  absl::StatusOr<v1::ListContactsResponse> List(const v1::ListContactsRequest& request, const paging::Page& page);
  // All municipalities that have or had contacts, by code, after one ("": from the first), until `visit` is not OK; without those whose
  // contacts are gone (Vault::IsGone).
  absl::Status ForEach(const std::string& after, const std::function<absl::Status(const MunicipalityContacts&)>& visit);

  // What is repeated gets the contact as it is now: how it was then is kept nowhere.
  // As the RPCs (MunicipalityContacts).
  absl::StatusOr<v1::Contact> Create(const v1::CreateContactRequest& request);
  absl::StatusOr<v1::Contact> Update(const v1::UpdateContactRequest& request);
  // Its responses are those the caller erased personal answers of; of a repeat those of the first.
  absl::StatusOr<v1::EraseContactResponse> Erase(const v1::EraseContactRequest& request, const std::string& caller,
                                                 const std::vector<std::string>& responses);
  // Whether that was done already, and what was answered.
  absl::StatusOr<std::optional<v1::EraseContactResponse>> Erased(const v1::EraseContactRequest& request);
  // Those of a municipality that `wanted` says yes to as they are when it is done, as MunicipalityContacts::EraseWhere; names of them.
  absl::StatusOr<std::vector<std::string>> EraseWhere(const std::string& municipality,
                                                      const std::function<bool(const v1::Contact&)>& wanted);

  // A change of contacts that is answered with `answer`, in which there are no personal data. `request_id` empty: no receipt.
  struct Change {
    // Codes, sorted, each once.
    std::vector<std::string> municipalities;
    std::string request_id;
    // Of the request (storage::DigestOf).
    std::string digest;
    // Gets them in the order of `municipalities`, fills the answer, and says whether what it did to them is to be kept; run again after a
    // lost race.
    std::function<absl::StatusOr<bool>(std::vector<MunicipalityContacts>& municipalities)> edit;
  };
  // All of it, or nothing; what was answered before is answered again without running it.
  absl::Status Run(const Change& change, google::protobuf::Message& answer);

 private:
  absl::Status TryRun(const Change& change, const std::string& digest, google::protobuf::Message& answer);
  // What a receipt has of a request: a plain digest would tell who tries all names and addresses there are which ones it had.
  absl::StatusOr<std::string> ReceiptDigest(const std::string& digest);
  absl::StatusOr<MunicipalityContacts> Read(const std::string& code, const std::optional<storage::Document>& document);
  absl::StatusOr<std::vector<MunicipalityContacts>> ReadAll(const std::vector<std::string>& codes,
                                                            std::vector<std::optional<storage::Document>>& documents);
  absl::StatusOr<std::string> Pepper();
  absl::Status TryPepper(std::string& pepper);

  storage::Store& store_;
  const vault::Vault& vault_;
  const calendar::Clock clock_;
  std::mutex mutex_;
  // Durable; "" before it is known.
  std::string pepper_;
};

}  // namespace peiling::fieldwork

// Addresses no mail goes to, in partition "suppressions":
//   suppression/<token>   v1::Suppression; the token stands for the address (ContactStore::AddressToken)
//   receipt/<…>
// Its feed has the name of the suppression for every change, so that its end tells whether anything changed.
// They hold whatever wave it is, and stay when the contacts they came from are erased. Replicas may share the store.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"
#include "services/fieldwork/contacts/contact_store.h"

namespace peiling::fieldwork {

// Thread-safe. Requests were checked. Errors of the store and of AddressToken come beside those named.
class SuppressionList {
 public:
  static constexpr char kPartition[] = "suppressions";

  // Both must outlive it.
  SuppressionList(storage::Store& store, ContactStore& contacts, calendar::Clock clock)
      : store_(store), contacts_(contacts), clock_(std::move(clock)) {}

  // As it is. There already: it stays as it was. `caller`: subject of who adds it, "" for the service; `message`: name of the message
  // that led to it, or "".
  absl::StatusOr<v1::Suppression> Add(const std::string& token, v1::SuppressionReason reason, const std::string& caller,
                                      const std::string& message);
  // Which of these are there, as of one moment.
  absl::StatusOr<std::vector<bool>> Contains(const std::vector<std::string>& tokens);
  // The same of addresses.
  absl::StatusOr<std::vector<bool>> ContainsAddresses(const std::vector<std::string>& addresses);
  absl::StatusOr<uint64_t> Count();
  // Grows with every change, by whatever replica.
  absl::StatusOr<uint64_t> Version() { return store_.LastSequence(kPartition); }

  // As the RPCs. ALREADY_EXISTS/REQUEST_ID_REUSED; ABORTED/CONCURRENT_CHANGE after too many lost races.
  absl::StatusOr<v1::ListSuppressionsResponse> List(const v1::ListSuppressionsRequest& request, const paging::Page& page);
  absl::StatusOr<v1::Suppression> Find(const std::string& address);
  absl::StatusOr<v1::CreateSuppressionResponse> Create(const v1::CreateSuppressionRequest& request, const std::string& caller);
  absl::Status Delete(const v1::DeleteSuppressionRequest& request);

 private:
  // Adds to the batch what makes it one of the list; the one that is there already takes its place.
  absl::Status Prepare(v1::Suppression& suppression, storage::Batch& batch);
  absl::Status TryDelete(const v1::DeleteSuppressionRequest& request);

  storage::Store& store_;
  ContactStore& contacts_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork

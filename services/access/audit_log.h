// Who did what: entries that are added and never changed.
//
// Entries are kept by month, a partition each ("audit/2026-11"), the latest first: a document's key begins with the time that is left until
// the year 10000. So the latest, and those of some days, are found without looking at others, however many there are.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/access/v1/access.pb.h"
#include "services/common/paging/paging.h"
#include "services/common/storage/store.h"

namespace peiling::access {

// Thread-safe. Requests were checked. Errors of the store come beside those named.
class AuditLog {
 public:
  // A text of an entry beyond this is cut: what was done is kept, however long it was.
  static constexpr size_t kMaxTextBytes = 500;

  // `store` must outlive it.
  explicit AuditLog(storage::Store& store) : store_(store) {}

  // An entry that is there already, with the same name and time, is left out. ABORTED/CONCURRENT_CHANGE after too many lost races.
  absl::Status Record(const v1::RecordAuditEntriesRequest& request);
  // A page may be short and yet have a token: what is looked at for it, and its bytes, are bounded.
  absl::StatusOr<v1::ListAuditEntriesResponse> List(const v1::ListAuditEntriesRequest& request, const paging::Page& page);

 private:
  // Entries of one month, serialised, by their document's key.
  absl::Status Append(const std::string& month, std::map<std::string, std::string> entries);

  storage::Store& store_;
};

}  // namespace peiling::access

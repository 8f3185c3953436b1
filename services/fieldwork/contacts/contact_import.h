// Takes contacts in from CSV: all rows of a file in one commit.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/fieldwork/contacts/contact_store.h"
#include "services/fieldwork/contacts/municipality_lookup.h"

namespace peiling::fieldwork {

// Thread-safe.
class ContactImport {
 public:
  // All must outlive it.
  ContactImport(ContactStore& contacts, const MunicipalityLookup& municipalities, calendar::Clock clock)
      : contacts_(contacts), municipalities_(municipalities), clock_(std::move(clock)) {}

  // As the RPC. The request was checked.
  absl::StatusOr<v1::ImportContactsResponse> Run(const v1::ImportContactsRequest& request, const MakeContext& make_context);

 private:
  ContactStore& contacts_;
  const MunicipalityLookup& municipalities_;
  const calendar::Clock clock_;
};

}  // namespace peiling::fieldwork

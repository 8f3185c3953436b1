// What a request about contacts must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST
// with a violation for every wrong field, which never says what personal data stand there. Lists also read their page. `today`: YYYY-MM-DD.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::fieldwork {

absl::Status Validate(const v1::CreateContactRequest& request, const std::string& today);
absl::Status Validate(const v1::GetContactRequest& request);
absl::Status Validate(const v1::ListContactsRequest& request, paging::Page& page);
// What the service sets is passed over: who changes a contact sends back what it got.
absl::Status Validate(const v1::UpdateContactRequest& request, const std::string& today);
absl::Status Validate(const v1::EraseContactRequest& request);
absl::Status Validate(const v1::ImportContactsRequest& request);
absl::Status Validate(const v1::ExportContactsRequest& request);

}  // namespace peiling::fieldwork

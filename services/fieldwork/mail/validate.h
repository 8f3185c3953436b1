// What a request about mail must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST with a
// violation for every wrong field. Lists also read their page. What is wrong with one item of a batch is the item's result instead.
#pragma once

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "services/common/paging/paging.h"

namespace peiling::fieldwork {

absl::Status Validate(const v1::LeaseMailRequest& request);
absl::Status Validate(const v1::BeginMailRequest& request);
absl::Status Validate(const v1::CompleteMailRequest& request);
absl::Status Validate(const v1::ReportDeliveryEventsRequest& request);
absl::Status Validate(const v1::GetMessageRequest& request);
absl::Status Validate(const v1::ListMessagesRequest& request, paging::Page& page);
absl::Status Validate(const v1::GetMailStatusRequest& request);
absl::Status Validate(const v1::PreviewMailRequest& request);
absl::Status Validate(const v1::ListSuppressionsRequest& request, paging::Page& page);
absl::Status Validate(const v1::FindSuppressionRequest& request);
absl::Status Validate(const v1::CreateSuppressionRequest& request);
absl::Status Validate(const v1::DeleteSuppressionRequest& request);

}  // namespace peiling::fieldwork

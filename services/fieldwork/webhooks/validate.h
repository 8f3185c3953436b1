// What a request must look like, before anything is done with it. Each function is OK or INVALID_ARGUMENT/INVALID_REQUEST with a violation
// for every wrong field. Lists also read their page.
#pragma once

#include "absl/status/status.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"
#include "services/common/paging/paging.h"
#include "services/fieldwork/webhooks/https_post.h"

namespace peiling::fieldwork {

absl::Status Validate(const v1::CreateWebhookRequest& request, const AllowedNetworks& allowed);
absl::Status Validate(const v1::GetWebhookRequest& request);
absl::Status Validate(const v1::ListWebhooksRequest& request, paging::Page& page);
absl::Status Validate(const v1::DeleteWebhookRequest& request);
absl::Status Validate(const v1::RotateWebhookSecretRequest& request);
absl::Status Validate(const v1::ListWebhookDeliveriesRequest& request, paging::Page& page);
absl::Status Validate(const v1::RedeliverWebhookRequest& request);

}  // namespace peiling::fieldwork

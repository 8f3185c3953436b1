#include "services/fieldwork/webhooks/webhook_service.h"

#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/fieldwork/webhooks/validate.h"

namespace peiling::fieldwork {
namespace {

using grpc::ServerContext;
using status::Reply;

}  // namespace

grpc::Status WebhookService::CreateWebhook(ServerContext* context, const v1::CreateWebhookRequest* request,
                                           v1::CreateWebhookResponse* response) {
  if (absl::Status valid = Validate(*request, allowed_); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.Create(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status WebhookService::GetWebhook(ServerContext*, const v1::GetWebhookRequest* request, v1::GetWebhookResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.Get(request->name()), response->mutable_webhook());
}

grpc::Status WebhookService::ListWebhooks(ServerContext*, const v1::ListWebhooksRequest* request, v1::ListWebhooksResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.List(*request, page), response);
}

grpc::Status WebhookService::DeleteWebhook(ServerContext*, const v1::DeleteWebhookRequest* request, v1::DeleteWebhookResponse*) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return status::ToGrpc(store_.Delete(*request));
}

grpc::Status WebhookService::RotateWebhookSecret(ServerContext*, const v1::RotateWebhookSecretRequest* request,
                                                 v1::RotateWebhookSecretResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.Rotate(*request), response);
}

grpc::Status WebhookService::ListWebhookDeliveries(ServerContext*, const v1::ListWebhookDeliveriesRequest* request,
                                                   v1::ListWebhookDeliveriesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.ListDeliveries(*request, page), response);
}

grpc::Status WebhookService::RedeliverWebhook(ServerContext*, const v1::RedeliverWebhookRequest* request,
                                              v1::RedeliverWebhookResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(store_.Redeliver(*request), response);
}

}  // namespace peiling::fieldwork

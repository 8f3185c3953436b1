// The gRPC handlers: check, call, map.
#pragma once

#include <utility>

#include "peiling/fieldwork/v1/webhooks.grpc.pb.h"
#include "services/fieldwork/webhooks/https_post.h"
#include "services/fieldwork/webhooks/webhook_store.h"

namespace peiling::fieldwork {

class WebhookService final : public v1::WebhookService::Service {
 public:
  // The store must outlive it.
  WebhookService(WebhookStore& store, AllowedNetworks allowed) : store_(store), allowed_(std::move(allowed)) {}

  grpc::Status CreateWebhook(grpc::ServerContext* context, const v1::CreateWebhookRequest* request,
                             v1::CreateWebhookResponse* response) override;
  grpc::Status GetWebhook(grpc::ServerContext* context, const v1::GetWebhookRequest* request, v1::GetWebhookResponse* response) override;
  grpc::Status ListWebhooks(grpc::ServerContext* context, const v1::ListWebhooksRequest* request,
                            v1::ListWebhooksResponse* response) override;
  grpc::Status DeleteWebhook(grpc::ServerContext* context, const v1::DeleteWebhookRequest* request,
                             v1::DeleteWebhookResponse* response) override;
  grpc::Status RotateWebhookSecret(grpc::ServerContext* context, const v1::RotateWebhookSecretRequest* request,
                                   v1::RotateWebhookSecretResponse* response) override;
  grpc::Status ListWebhookDeliveries(grpc::ServerContext* context, const v1::ListWebhookDeliveriesRequest* request,
                                     v1::ListWebhookDeliveriesResponse* response) override;
  grpc::Status RedeliverWebhook(grpc::ServerContext* context, const v1::RedeliverWebhookRequest* request,
                                v1::RedeliverWebhookResponse* response) override;

 private:
  WebhookStore& store_;
  const AllowedNetworks allowed_;
};

}  // namespace peiling::fieldwork

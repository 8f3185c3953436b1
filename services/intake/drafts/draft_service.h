// The gRPC handlers of drafts: check the request, find out who calls, call the domain, map the status.
#pragma once

#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "services/intake/drafts/draft_store.h"

namespace peiling::intake {

// Everything here works and holds one of gRPC's threads.
class DraftService final : public v1::DraftService::Service {
 public:
  // `drafts` must outlive the service.
  explicit DraftService(DraftStore& drafts) : drafts_(drafts) {}

  grpc::Status CreateDraft(grpc::ServerContext* context, const v1::CreateDraftRequest* request, v1::CreateDraftResponse* response) override;
  grpc::Status GetDraft(grpc::ServerContext* context, const v1::GetDraftRequest* request, v1::GetDraftResponse* response) override;
  grpc::Status SaveDraft(grpc::ServerContext* context, const v1::SaveDraftRequest* request, v1::SaveDraftResponse* response) override;
  grpc::Status SubmitDraft(grpc::ServerContext* context, const v1::SubmitDraftRequest* request, v1::SubmitDraftResponse* response) override;
  grpc::Status ReopenDraft(grpc::ServerContext* context, const v1::ReopenDraftRequest* request, v1::ReopenDraftResponse* response) override;
  grpc::Status ListDraftChanges(grpc::ServerContext* context, const v1::ListDraftChangesRequest* request,
                                v1::ListDraftChangesResponse* response) override;
  grpc::Status BatchGetResponseStates(grpc::ServerContext* context, const v1::BatchGetResponseStatesRequest* request,
                                      v1::BatchGetResponseStatesResponse* response) override;

 private:
  DraftStore& drafts_;
};

}  // namespace peiling::intake

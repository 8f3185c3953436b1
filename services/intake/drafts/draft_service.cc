#include "services/intake/drafts/draft_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"
#include "services/intake/drafts/validate.h"

namespace peiling::intake {
namespace {

using ::grpc::ServerContext;
using status::Reply;

// Longest a call waits for validation.
constexpr std::chrono::seconds kValidationTimeout(10);

MakeContext ContextsOf(const ServerContext& context) {
  return [&context] {
    auto client = grpc::ClientContext::FromServerContext(context);
    deadline::Set(*client, kValidationTimeout);
    return client;
  };
}

}  // namespace

grpc::Status DraftService::CreateDraft(ServerContext* context, const v1::CreateDraftRequest* request, v1::CreateDraftResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const DraftWriter writer = WriterOf(*context, absl::StrCat(request->parent(), "/responses/", request->response_id()));
  return Reply(drafts_.Create(*request, writer), response->mutable_draft());
}

grpc::Status DraftService::GetDraft(ServerContext* context, const v1::GetDraftRequest* request, v1::GetDraftResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.Get(*request, WriterOf(*context, request->name()), ContextsOf(*context)), response->mutable_draft());
}

grpc::Status DraftService::SaveDraft(ServerContext* context, const v1::SaveDraftRequest* request, v1::SaveDraftResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.Save(*request, WriterOf(*context, request->name())), response);
}

grpc::Status DraftService::SubmitDraft(ServerContext* context, const v1::SubmitDraftRequest* request, v1::SubmitDraftResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.Submit(*request, WriterOf(*context, request->name()), ContextsOf(*context)), response);
}

grpc::Status DraftService::ReopenDraft(ServerContext* context, const v1::ReopenDraftRequest* request, v1::ReopenDraftResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.Reopen(*request, WriterOf(*context, request->name())), response->mutable_draft());
}

grpc::Status DraftService::ListDraftChanges(ServerContext* context, const v1::ListDraftChangesRequest* request,
                                            v1::ListDraftChangesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.ListChanges(*request, page, WriterOf(*context, request->parent())), response);
}

grpc::Status DraftService::BatchGetResponseStates(ServerContext*, const v1::BatchGetResponseStatesRequest* request,
                                                  v1::BatchGetResponseStatesResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(drafts_.States(*request), response);
}

}  // namespace peiling::intake

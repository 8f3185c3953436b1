#include "services/access/access_service.h"

#include <utility>

#include "services/access/validate.h"
#include "services/common/identity/gateways.h"
#include "services/common/identity/identity.h"
#include "services/common/status/errors.h"
#include "services/common/status/reply.h"

namespace peiling::access {
namespace {

using grpc::ServerContext;
using status::Reply;

// All but what gateways themselves need is done on somebody's account. A process of the suite that calls for nobody has none.
absl::Status CheckCaller(const ServerContext& context) {
  if (!identity::CallerOf(context).subject().empty()) return absl::OkStatus();
  return status::Error(absl::StatusCode::kUnauthenticated, "CALLER_UNKNOWN", "want a caller, as a gateway hands it on");
}

// Whether somebody calls, and asks for what can be answered.
template <typename Request, typename... Page>
absl::Status Check(const ServerContext& context, const Request& request, Page&... page) {
  if (absl::Status known = CheckCaller(context); !known.ok()) return known;
  return Validate(request, page...);
}

}  // namespace

grpc::Status AccessService::GetCaller(ServerContext* context, const v1::GetCallerRequest*, v1::GetCallerResponse* response) {
  if (absl::Status known = CheckCaller(*context); !known.ok()) return status::ToGrpc(known);
  *response->mutable_identity() = identity::CallerOf(*context);
  return grpc::Status::OK;
}

grpc::Status AccessService::CreateKey(ServerContext* context, const v1::CreateKeyRequest* request, v1::CreateKeyResponse* response) {
  if (absl::Status valid = Check(*context, *request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(keys_.Create(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status AccessService::GetKey(ServerContext* context, const v1::GetKeyRequest* request, v1::GetKeyResponse* response) {
  if (absl::Status valid = Check(*context, *request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(keys_.Get(request->name()), response->mutable_key());
}

grpc::Status AccessService::ListKeys(ServerContext* context, const v1::ListKeysRequest* request, v1::ListKeysResponse* response) {
  paging::Page page;
  if (absl::Status valid = Check(*context, *request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(keys_.List(*request, page), response);
}

grpc::Status AccessService::RevokeKey(ServerContext* context, const v1::RevokeKeyRequest* request, v1::RevokeKeyResponse* response) {
  if (absl::Status valid = Check(*context, *request); !valid.ok()) return status::ToGrpc(valid);
  return Reply(keys_.Revoke(*request, identity::CallerOf(*context).subject()), response);
}

grpc::Status AccessService::ListAuditEntries(ServerContext* context, const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) {
  paging::Page page;
  if (absl::Status valid = Check(*context, *request, page); !valid.ok()) return status::ToGrpc(valid);
  return Reply(audit_log_.List(*request, page), response);
}

grpc::Status AccessService::RecordAuditEntries(ServerContext* context, const v1::RecordAuditEntriesRequest* request,
                                               v1::RecordAuditEntriesResponse*) {
  if (absl::Status gateway = identity::CheckGateway(*context, gateways_); !gateway.ok()) return status::ToGrpc(gateway);
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  return status::ToGrpc(audit_log_.Record(*request));
}

grpc::ServerWriteReactor<v1::WatchKeysResponse>* AccessService::WatchKeys(grpc::CallbackServerContext* context,
                                                                          const v1::WatchKeysRequest* request) {
  return watches_.Start<v1::WatchKeysResponse>(
      [this, gateway = identity::CheckGateway(*context, gateways_), after = request->after_sequence()](auto& stream) {
        if (!gateway.ok()) return gateway;
        return feed::ServeTo<v1::WatchKeysResponse>(
            stream, store_, KeyStore::kPartition, after,
            [](const storage::FeedEvent& event, v1::WatchKeysResponse& message) {
              const bool readable = message.mutable_key()->ParseFromString(event.value);
              message.mutable_key()->set_sequence(event.sequence);
              return readable;
            },
            [](uint64_t) {});
      });
}

}  // namespace peiling::access

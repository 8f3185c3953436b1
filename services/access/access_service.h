// The gRPC handlers of access: check the request, call the domain, map the status.
#pragma once

#include <utility>

#include "peiling/access/v1/access.grpc.pb.h"
#include "services/access/audit_log.h"
#include "services/access/key_store.h"
#include "services/common/feed/watches.h"
#include "services/common/identity/gateways.h"
#include "services/common/storage/store.h"

namespace peiling::access {

// UNAUTHENTICATED/CALLER_UNKNOWN when no caller is handed on with a call (services/common/identity), but for WatchKeys and
// RecordAuditEntries, which gateways call on their own account: PERMISSION_DENIED/NOT_A_GATEWAY for anybody else. Watches have threads of
// their own, so they are callbacks; the others hold one of gRPC's threads each.
class AccessService final : public v1::AccessService::WithCallbackMethod_WatchKeys<v1::AccessService::Service> {
 public:
  // Watches at a time.
  static constexpr int kMaxWatchers = 1024;

  // All must outlive it.
  AccessService(storage::Store& store, KeyStore& keys, AuditLog& audit_log, identity::GatewayNames gateways)
      : store_(store), keys_(keys), audit_log_(audit_log), gateways_(std::move(gateways)) {}

  grpc::Status GetCaller(grpc::ServerContext* context, const v1::GetCallerRequest* request, v1::GetCallerResponse* response) override;
  grpc::Status CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request, v1::CreateKeyResponse* response) override;
  grpc::Status GetKey(grpc::ServerContext* context, const v1::GetKeyRequest* request, v1::GetKeyResponse* response) override;
  grpc::Status ListKeys(grpc::ServerContext* context, const v1::ListKeysRequest* request, v1::ListKeysResponse* response) override;
  grpc::Status RevokeKey(grpc::ServerContext* context, const v1::RevokeKeyRequest* request, v1::RevokeKeyResponse* response) override;
  grpc::Status ListAuditEntries(grpc::ServerContext* context, const v1::ListAuditEntriesRequest* request,
                                v1::ListAuditEntriesResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchKeysResponse>* WatchKeys(grpc::CallbackServerContext* context,
                                                             const v1::WatchKeysRequest* request) override;
  grpc::Status RecordAuditEntries(grpc::ServerContext* context, const v1::RecordAuditEntriesRequest* request,
                                  v1::RecordAuditEntriesResponse* response) override;

 private:
  storage::Store& store_;
  KeyStore& keys_;
  AuditLog& audit_log_;
  const identity::GatewayNames gateways_;
  feed::Watches watches_{kMaxWatchers};
};

}  // namespace peiling::access

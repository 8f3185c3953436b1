// The one way in, whatever protocol a client speaks: who calls, whether they may, whether it is not too much, and what is kept of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"
#include "peiling/access/v1/identity.pb.h"
#include "services/gateway/identity/authenticator.h"
#include "services/gateway/route_table.h"

namespace peiling::gateway {

// A call as it comes in.
struct Arrival {
  // "grpc" or "http".
  std::string protocol;
  // "/peiling.intake.v1.IntakeService/GetWave".
  std::string method;
  Credentials credentials;
  // Address of the client, as gRPC writes it: "ipv4:127.0.0.1:51234".
  std::string peer;
  // "x-request-id" as sent, or better RequestIdFor what was sent, since a refusal has no Visit that tells it.
  std::string request_id;
  // "traceparent" as sent, for the access log.
  std::string traceparent;
  // "x-forwarded-for" and "x-client-certificate" (URL-encoded PEM) as sent: believed of a certificate of a proxy alone.
  std::string forwarded_for;
  std::string forwarded_certificate;
};

// What a call is found by: `sent`, when it is 1 to 100 letters, digits, '-', '_', '.', else a new one. Thread-safe.
std::string RequestIdFor(std::string_view sent);

// A call that was let in. Holds the caller's places until it is destroyed, before its Door. Not thread-safe.
class Visit {
 public:
  virtual ~Visit() = default;

  virtual const access::v1::Identity& caller() const = 0;
  virtual const Backend& backend() const = 0;
  virtual const std::string& request_id() const = 0;

  // To be called with every request message before it is passed on: whether the caller may touch what it is about.
  // PERMISSION_DENIED/NOT_WITHIN_LIMITS (metadata: resource); INVALID_ARGUMENT/INVALID_REQUEST when it does not parse. Of callers without
  // credentials, who take places once the first message is there, also the refusals for those.
  virtual absl::Status Check(const grpc::ByteBuffer& request) = 0;
  // To be called with every response message of a call whose result the audit log names; cheap for others.
  virtual void Note(const grpc::ByteBuffer& response) = 0;
  // What the backend is called with beside the client's own metadata: identity, request id.
  virtual void AddTo(grpc::ClientContext& context) const = 0;
  // Whether what the caller showed was checked so long ago that it has to be looked at again before Forward: an invitation, whose link may
  // have been replaced meanwhile, when the first message was long in coming.
  virtual bool stale() const = 0;
  // Looks at it again. Calls `done` once, at once or later on another thread; until then the visit is not to be ended. The errors of
  // Authenticator; UNAUTHENTICATED/CREDENTIALS_WITHDRAWN when it no longer is for what it was for. To be called when it is stale, once.
  virtual void Renew(std::function<void(absl::Status)> done) = 0;
  // Runs `begin`, which begins the call to the backend, before it returns; UNAVAILABLE/SHUTTING_DOWN instead once the door is closed: gRPC
  // 1.51 crashes when a call is begun on an in-process channel whose server is shut down. UNAUTHENTICATED/CREDENTIALS_WITHDRAWN instead
  // when what the caller showed has ceased to hold since.
  virtual absl::Status Forward(const std::function<void()>& begin) = 0;
  // Calls `withdrawn` at most once, on another thread, with UNAUTHENTICATED/CREDENTIALS_WITHDRAWN when what the caller showed ceases to
  // hold (revoked, expired, no longer believed): the call is to be ended with that. Never after End has returned; End waits for it, so it
  // must not block, nor take a lock that is held around End. It may call End itself. To be called at most once.
  virtual void OnWithdrawn(std::function<void(const absl::Status&)> withdrawn) = 0;
  // Ends the visit with the status the client is about to get: measured, written to the access log and, if the method is audited, to the
  // audit log. Calls `done` once, at once or later on another thread: when the audit log has it or, of a call that failed, when writing it
  // was tried. To be called once; `done` may destroy the visit.
  virtual void End(const grpc::Status& status, std::function<void()> done) = 0;
};

// Thread-safe.
class Door {
 public:
  using Done = std::function<void(absl::StatusOr<std::unique_ptr<Visit>>)>;

  virtual ~Door() = default;

  // Calls `done` once, at once or later on another thread. Never blocks. Refusals are measured, logged and audited already:
  // UNIMPLEMENTED/UNKNOWN_METHOD for what no contract has or nobody may call from outside; the errors of Authenticator;
  // PERMISSION_DENIED/ROLE_MISSING (metadata: roles that may), or NOT_WITHIN_LIMITS for what is for those without limits;
  // RESOURCE_EXHAUSTED/RATE_LIMITED, TOO_MANY_CALLS or TOO_MANY_STREAMS, of this caller, BACKEND_BUSY or GATEWAY_BUSY, of all (of those who
  // show no credential, among themselves), each with
  // RetryInfo; UNAVAILABLE/AUDIT_UNAVAILABLE for audited methods while the audit log cannot be written; UNAVAILABLE/SHUTTING_DOWN.
  virtual void Admit(Arrival arrival, Done done) = 0;
};

}  // namespace peiling::gateway

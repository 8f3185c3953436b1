// One call over HTTP, from its admission to its answer. Each runs on its exchange's thread, holds itself, and begins nothing once the door
// is closed.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/client_context.h"
#include "services/common/tracing/span.h"
#include "services/gateway/door.h"
#include "services/gateway/http/http_message.h"
#include "services/gateway/http/transcoder.h"

namespace peiling::gateway {

// What was asked, as far as the head of the request tells.
struct HttpCall {
  std::shared_ptr<Exchange> exchange;
  // Outlives the call.
  Door* door = nullptr;
  HttpRules::Match match;
  std::string request_id;
  // Of the answer; of a stream kNdjsonType or kEventsType, of one who unsubscribes in a browser kHtmlType.
  std::string type;
  // See RequestHead.
  std::optional<FormEncoding> form;
  // From If-Match and Last-Event-ID; see RequestHead.
  std::optional<std::string> etag;
  std::optional<std::string> after_sequence;
  // The client takes compressed answers.
  bool gzip = false;
  tracing::Span span;

  const HttpRoute& route() const { return *match.route; }
  RequestHead head() const { return {match, exchange->request().query, form, etag, after_sequence}; }
};

// One message each way.
void StartUnaryCall(HttpCall call);

// Any other: answers are written as they come, as lines of JSON or as events. What of them a client has not taken yet is bounded; so is
// what of its requests the service has not taken.
void StartStreamCall(HttpCall call);

// What both have in common.

// "/peiling.intake.v1.IntakeService/GetWave".
std::string MethodPath(const HttpRoute& route);
Arrival ArrivalOf(const HttpCall& call);
// Adds to what the service is called with: what the door says of the caller, and the trace.
void Prepare(const HttpCall& call, const Visit& visit, grpc::ClientContext& context);
// What a service, or the connection to it, answered, with a reason.
absl::Status ErrorOf(const grpc::Status& status, const Backend& backend);

}  // namespace peiling::gateway

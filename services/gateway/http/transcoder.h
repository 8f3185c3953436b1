// HTTP/JSON to gRPC and back, for every route alike.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/byte_buffer.h"
#include "services/gateway/http/form.h"
#include "services/gateway/http/http_rule.h"

namespace peiling::gateway {

// What an HTTP request says, beside its body.
struct RequestHead {
  const HttpRules::Match& match;
  // After the '?', as sent.
  std::string_view query;
  // How the body is written, when it is a form; else it is JSON.
  std::optional<FormEncoding> form;
  // Replace what query and body say of the fields "etag" (of the request, or of the field that is the body) and "after_sequence".
  std::optional<std::string> etag;
  std::optional<std::string> after_sequence;
};

// Whether no credential is needed.
bool IsOpen(const HttpRoute& route);

// Whether the body may be a form. Only where that is so: elsewhere a page in a browser that shows a certificate by itself could send
// one from any other site, without being asked first (CORS) as with JSON.
bool TakesForm(const HttpRoute& route);

// Whether the route's request has such a field, as RequestHead's.
bool TakesEtag(const HttpRoute& route);
bool TakesAfterSequence(const HttpRoute& route);

// The request message: path, query and body together. Every query parameter is known and fits, stands there once unless its field is
// repeated, and nothing is said twice in different words; INVALID_ARGUMENT/INVALID_REQUEST names all that is wrong (fields as
// LocateField reads them), or the errors of ReadJson and ReadForm. An empty body is an empty object.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ReadRequest(const RequestHead& head, std::string_view body);

// One more message of a stream of requests, whose first was read by ReadRequest.
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> ReadFurtherRequest(const HttpRoute& route, std::string_view body);

// As it travels to the service.
grpc::ByteBuffer Pack(const google::protobuf::Message& message);

// An answer, as HTTP shows it.
struct Shown {
  std::string json;
  // The resource's etag, in quotes as the header wants it; empty: none.
  std::string etag;
  // Its place in a feed, as RequestHead's after_sequence; empty: none.
  std::string sequence;
};

// INTERNAL when the service sent what its contract does not have.
absl::StatusOr<Shown> ReadResponse(const HttpRoute& route, const grpc::ByteBuffer& response);

// Where in an HTTP request a field is that a service complains about.
struct FieldLocation {
  // "path", "query", "body".
  std::string in;
  // For path and query: the parameter. For the body: a JSON pointer (RFC 6901) with a '#' before it; what the contract has no such field
  // for (the code of a question, a place in a document) as its name.
  std::string name;
  std::string pointer;
  // Of a parameter that is repeated, from 0; empty: not said.
  std::string index;
};

// Of a field as services name it ("wait_for.submissions", "response.answers.answers[3]"), or as ReadJson does.
FieldLocation LocateField(const HttpRoute& route, std::string_view field);

}  // namespace peiling::gateway

// Which HTTP request is which RPC, as the contracts say it (google.api.http, https://google.aip.dev/127). Knows descriptors alone, so that
// the program that writes the OpenAPI document reads the same.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace peiling::gateway {

// From the request message down: {header, parent}.
using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;

// As a query parameter is called: the names of the path in lowerCamelCase without dots ("waitForSubmissions").
std::string QueryName(const FieldPath& path);
// As the contract writes it: "wait_for.submissions".
std::string DottedName(const FieldPath& path);
// Whether the type is written as one text in JSON though it is a message: Timestamp, Duration, FieldMask.
bool IsWrittenAsText(const google::protobuf::Descriptor& type);
// Whether the field is a map of texts, which is an object in JSON. Answers alone have them.
bool IsTextMap(const google::protobuf::FieldDescriptor& field);

// Between two slashes of a path template.
struct PathSegment {
  // Empty: any one segment.
  std::string literal;
};

// "{name=surveys/*/waves/*}".
struct PathVariable {
  // Ends in a text.
  FieldPath field;
  // The segments it stands for.
  size_t first = 0;
  size_t count = 0;
};

// A field of the request that may stand in the query. Its last field is a scalar, an enum or one of IsWrittenAsText; may be repeated.
struct QueryParameter {
  std::string name;
  FieldPath field;
};

// One HTTP method on one path template.
struct HttpRoute {
  const google::protobuf::MethodDescriptor* method = nullptr;
  // "GET", "POST", "PUT", "PATCH", "DELETE".
  std::string verb;
  // As annotated: "/v1/{name=surveys/*/waves/*}".
  std::string path_template;
  std::vector<PathSegment> segments;
  std::vector<PathVariable> variables;
  // The body is the whole request message, without what the path says.
  bool whole_body = false;
  // The body is this field, a message, without what the path says; null: see whole_body.
  const google::protobuf::FieldDescriptor* body_field = nullptr;
  // The answer is this field of the response, a message; null: the whole response.
  const google::protobuf::FieldDescriptor* response_field = nullptr;
  // All that neither path nor body holds, in the order of the contract. Fields of repeated messages, maps and of messages in themselves
  // cannot be said in a query and are left out. Empty with whole_body.
  std::vector<QueryParameter> query;
  // 0: the rule itself, 1…: its additional_bindings.
  int binding = 0;
};

// All routes of some services. Immutable, so thread-safe; the descriptors must outlive it.
class HttpRules {
 public:
  // What a request is.
  struct Match {
    // Null: none.
    const HttpRoute* route = nullptr;
    // Of each of route->variables, decoded.
    std::vector<std::string> values;
    // Without a route: methods that are answered at this path, sorted; empty: there is nothing at this path.
    std::vector<std::string> allowed;
  };

  // INVALID_ARGUMENT whose message names every mistake in the annotations, with its method. Methods without an annotation are left out.
  static absl::StatusOr<HttpRules> Of(const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  HttpRules(HttpRules&&) noexcept;
  HttpRules& operator=(HttpRules&&) noexcept;
  ~HttpRules();

  // In the order of the services and their methods.
  const std::vector<std::unique_ptr<HttpRoute>>& routes() const { return routes_; }

  // `path` as sent, percent-encoded, without query. Literals go before variables. A path that ends in a slash, has an empty segment, or a
  // segment that is not decodable or holds a slash, a control character or no UTF-8, is nothing's.
  Match Find(std::string_view verb, std::string_view path) const;

 private:
  struct Node;

  HttpRules();

  std::vector<std::unique_ptr<HttpRoute>> routes_;
  std::unique_ptr<Node> root_;
};

}  // namespace peiling::gateway

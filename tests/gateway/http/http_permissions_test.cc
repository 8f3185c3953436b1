// Who may call what over HTTP, by every route there is: permissions.csv says what is expected.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/identity/identity.h"
#include "services/gateway/http/http_api.h"
#include "services/gateway/http/http_call.h"
#include "services/gateway/http/http_server.h"
#include "tests/gateway/http/client.h"
#include "tests/gateway/open_door.h"
#include "tests/gateway/permissions_table.h"

namespace peiling::gateway {
namespace {

using access::v1::Role;

// The real door before services that know no method: who is let in gets 501.
class HttpPermissionsTest : public testing::Test {
 protected:
  void SetUp() override {
    services_ = grpc::ServerBuilder().RegisterCallbackGenericService(&no_methods_).BuildAndStart();
    const std::vector<Backend> backends = AllBackends(services_->InProcessChannel({}));
    std::vector<const google::protobuf::ServiceDescriptor*> contracts;
    contracts.reserve(backends.size());
    for (const Backend& backend : backends) {
      contracts.push_back(google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service));
    }
    rules_ = std::make_unique<HttpRules>(*HttpRules::Of(contracts));
    door_ = std::make_unique<OpenDoor>(backends);
    for (const Role role : kRoles) door_->authenticator().Know(identity::RoleName(role), Caller(identity::RoleName(role), {{role, {}}}));
    api_ = *HttpApi::Make(door_->door(), contracts, "{}", {});
    server_ =
        *StartHttpServer({.listen = "127.0.0.1:0"}, {}, [this](const std::shared_ptr<Exchange>& exchange) { api_->Handle(exchange); });
  }
  void TearDown() override {
    server_.reset();
    door_.reset();
    services_->Shutdown();
  }

  // As an address that fits the route, with an empty body when there is one.
  Answered Ask(const HttpRoute& route, const std::string& bearer) {
    std::string target;
    for (const PathSegment& segment : route.segments) absl::StrAppend(&target, "/", segment.literal.empty() ? "x" : segment.literal);
    std::string headers = bearer.empty() ? "" : absl::StrCat("Authorization: Bearer ", bearer, "\r\n");
    if (!route.whole_body) return Client(server_->port()).Ask(route.verb, target, headers);
    const char* const type = route.method->client_streaming() ? "application/x-ndjson" : "application/json";
    absl::StrAppend(&headers, "Content-Type: ", type, "\r\n");
    return Client(server_->port()).Ask(route.verb, target, headers, "{}");
  }

  grpc::CallbackGenericService no_methods_;
  std::unique_ptr<grpc::Server> services_;
  std::unique_ptr<HttpRules> rules_;
  std::unique_ptr<OpenDoor> door_;
  std::unique_ptr<HttpApi> api_;
  std::unique_ptr<ConnectionServer> server_;
};

TEST_F(HttpPermissionsTest, EveryRouteLetsExactlyTheRolesOfTheTableIn) {
  std::map<std::string, Expected> expected;
  for (Expected& line : ReadExpected()) expected.emplace(line.method, line);
  door_->authenticator().WantCredentials();
  for (const auto& route : rules_->routes()) {
    const Expected& line = expected.at(MethodPath(*route));
    const std::string what = absl::StrCat(route->verb, " ", route->path_template, " as ");
    for (const Role role : kRoles) {
      const Answered answered = Ask(*route, identity::RoleName(role));
      EXPECT_EQ(answered.status, line.may(role) ? 501 : 403) << what << identity::RoleName(role) << ": " << answered.body;
    }
    EXPECT_EQ(Ask(*route, "nobody").status, 401) << what << "nobody";
    EXPECT_EQ(Ask(*route, "").status, line.anybody ? 501 : 401) << what << "somebody without credentials";
  }
}

TEST_F(HttpPermissionsTest, ThereIsARouteToWhatMayBeCalledFromOutsideAndToNothingElse) {
  std::set<std::string> open, routed;
  for (const Expected& line : ReadExpected()) {
    if (line.outside()) open.insert(line.method);
  }
  for (const auto& route : rules_->routes()) routed.insert(MethodPath(*route));
  EXPECT_EQ(routed, open);
}

}  // namespace
}  // namespace peiling::gateway

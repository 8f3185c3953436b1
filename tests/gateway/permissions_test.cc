// Who may call what: permissions.csv says what is expected, the contracts what is declared, the door what is so.
#include "services/gateway/permissions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "peiling/access/v1/options.pb.h"
#include "services/common/identity/identity.h"
#include "tests/gateway/open_door.h"
#include "tests/gateway/permissions_table.h"

namespace peiling::gateway {
namespace {

using access::v1::Role;

// The table as the contracts have it.
std::vector<std::string> DeclaredTable() {
  std::vector<std::string> lines = {"method,respondent,mailer,analyst,researcher,administrator,operator,about,audited,result"};
  for (const Backend& backend : AllBackends()) {
    const auto* const service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* const method = service->method(i);
      const auto& declared = method->options().GetExtension(access::v1::access);
      std::string line = absl::StrCat("/", service->full_name(), "/", method->name());
      for (const Role role : kRoles) {
        const auto& roles = declared.roles();
        absl::StrAppend(&line, ",", std::find(roles.begin(), roles.end(), role) == roles.end() ? "" : "x");
      }
      const bool outside = method->options().HasExtension(access::v1::access);
      const std::string about = !outside               ? "services alone"
                                : declared.anonymous() ? "anybody"
                                : declared.unlimited() ? "anything"
                                                       : declared.resource();
      absl::StrAppend(&line, ",", about.empty() ? "everything" : about, ",", declared.audited() ? "audited" : "", ",", declared.result());
      lines.push_back(line);
    }
  }
  return lines;
}

TEST(Permissions, ContractsDeclareWhatTheTableSays) {
  EXPECT_EQ(absl::StrJoin(DeclaredTable(), "\n"), absl::StrJoin(ReadPermissionLines(), "\n"))
      << "a contract or tests/gateway/permissions.csv has changed: change the other one too, if that is meant";
}

// The door's reason to refuse, or "".
std::string ReasonAtDoor(OpenDoor& open, const std::string& method, const std::string& bearer) {
  std::string reason = "no answer";
  const std::string authorization = bearer.empty() ? "" : "Bearer " + bearer;
  open.door().Admit({.protocol = "grpc", .method = method, .credentials = {.authorization = authorization}},
                    [&](absl::StatusOr<std::unique_ptr<Visit>> visit) {
                      reason = visit.ok() ? "" : status::Reason(visit.status());
                      if (visit.ok()) (*visit)->End(grpc::Status::OK, [] {});
                    });
  return reason;
}

TEST(Permissions, DoorLetsEachRoleInExactlyWhereTheTableSays) {
  OpenDoor open(AllBackends());
  for (const Role role : kRoles) open.authenticator().Know(identity::RoleName(role), Caller("keys/a", {{role, {}}}));
  const std::vector<Expected> expected = ReadExpected();
  ASSERT_GT(expected.size(), 40u);
  open.authenticator().WantCredentials();
  for (const Expected& line : expected) {
    for (const Role role : kRoles) {
      const std::string reason = ReasonAtDoor(open, line.method, identity::RoleName(role));
      EXPECT_EQ(reason, !line.outside()  ? "UNKNOWN_METHOD"
                        : line.may(role) ? ""
                                         : "ROLE_MISSING")
          << line.method << " as " << identity::RoleName(role);
    }
    EXPECT_EQ(ReasonAtDoor(open, line.method, "nobody"), line.outside() ? "CREDENTIALS_INVALID" : "UNKNOWN_METHOD") << line.method;
    EXPECT_EQ(ReasonAtDoor(open, line.method, ""), !line.outside() ? "UNKNOWN_METHOD"
                                                   : line.anybody  ? ""
                                                                   : "CREDENTIALS_MISSING")
        << line.method;
  }
}

TEST(Permissions, RefusalNamesRolesThatMay) {
  const RouteTable routes(AllBackends());
  const Permissions permissions = *Permissions::Compile(routes);
  const Permission* const create = permissions.Find("/peiling.access.v1.AccessService/CreateKey");
  ASSERT_NE(create, nullptr);
  const absl::Status refused = Entitle(*create, Caller("keys/a", {{access::v1::ROLE_ANALYST, {}}})).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status::Metadata(refused).at("roles"), "administrator");
  EXPECT_FALSE(Entitle(*create, Caller("keys/a", {})).ok());
}

TEST(Permissions, WhoIsLimitedIsKeptFromWhatIsForThoseWithoutLimits) {
  const RouteTable routes(AllBackends());
  const Permissions permissions = *Permissions::Compile(routes);
  const Permission* const list = permissions.Find("/peiling.access.v1.AccessService/ListKeys");
  const auto limited = Caller("keys/a", {{access::v1::ROLE_ADMINISTRATOR, {"surveys/s"}}});
  EXPECT_EQ(status::Reason(Entitle(*list, limited).status()), "NOT_WITHIN_LIMITS");
  // What tells nothing that somebody could be limited to is open to it.
  EXPECT_TRUE(Entitle(*permissions.Find("/peiling.intake.v1.IntakeService/ListWaves"), limited)->everywhere);
}

TEST(Permissions, LimitsHoldOfTheGrantsThatLetIn) {
  const RouteTable routes(AllBackends());
  const Permissions permissions = *Permissions::Compile(routes);
  const Permission& get = *permissions.Find("/peiling.intake.v1.IntakeService/GetResponse");
  const auto caller = Caller("keys/a", {{access::v1::ROLE_RESEARCHER, {"surveys/a/waves/1", "surveys/b"}}, {access::v1::ROLE_ANALYST, {}}});
  const auto entitled = Entitle(get, caller);
  ASSERT_TRUE(entitled.ok());
  EXPECT_FALSE(entitled->everywhere) << "an analyst may not read responses, so that grant without limits does not count";
  const std::vector<std::pair<std::string, bool>> cases = {
      {"surveys/a/waves/1/responses/x", true},
      {"surveys/a/waves/1", true},
      {"surveys/a/waves/12/responses/x", false},
      {"surveys/a", false},
      {"surveys/b/waves/7/responses/x", true},
      {"surveys/bb/waves/7", false},
      {"", false},
      {"surveys/-/waves/1", false},
  };
  for (const auto& [resource, allowed] : cases) EXPECT_EQ(CheckWithin(get, caller, resource).ok(), allowed) << resource;
  EXPECT_EQ(status::Metadata(CheckWithin(get, caller, "surveys/c")).at("resource"), "surveys/c");
}

TEST(Permissions, ServiceWithoutContractIsAnErrorAtStart) {
  const RouteTable routes({{"x", "peiling.x.v1.XService", nullptr}});
  EXPECT_EQ(status::Reason(Permissions::Compile(routes).status()), "CONTRACT_INVALID");
}

}  // namespace
}  // namespace peiling::gateway

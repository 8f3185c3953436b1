#include "services/common/identity/identity.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/access.grpc.pb.h"

namespace peiling::identity {
namespace {

using access::v1::Grant;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(RoleName, IsTheRoleInLowerCaseAndBack) {
  EXPECT_EQ(RoleName(access::v1::ROLE_RESEARCHER), "researcher");
  for (int role = access::v1::Role_MIN + 1; role <= access::v1::Role_MAX; ++role) {
    EXPECT_EQ(RoleNamed(RoleName(static_cast<access::v1::Role>(role))), role);
  }
  EXPECT_EQ(RoleNamed("Researcher"), access::v1::ROLE_RESEARCHER);
}

TEST(RoleNamed, TakesNothingElse) {
  for (const char* const name : {"", "unspecified", "ROLE_RESEARCHER", "researchers", " researcher"})
    EXPECT_EQ(RoleNamed(name), std::nullopt) << name;
}

TEST(LiesWithin, TheResourceItselfAndWhatIsBelow) {
  EXPECT_TRUE(LiesWithin("surveys/s", "surveys/s"));
  EXPECT_TRUE(LiesWithin("surveys/s/waves/2022", "surveys/s"));
  EXPECT_TRUE(LiesWithin("surveys/s/waves/2022/responses/r1", "surveys/s/waves/2022"));
  EXPECT_FALSE(LiesWithin("surveys/s2", "surveys/s"));
  EXPECT_FALSE(LiesWithin("surveys/s/waves/20222", "surveys/s/waves/2022"));
  EXPECT_FALSE(LiesWithin("surveys/s", "surveys/s/waves/2022"));
  EXPECT_FALSE(LiesWithin("", "surveys/s"));
  EXPECT_FALSE(LiesWithin("surveys/S", "surveys/s"));
}

Grant MakeGrant(access::v1::Role role, const std::vector<std::string>& resources = {}) {
  Grant grant;
  grant.set_role(role);
  for (const std::string& resource : resources) grant.add_resources(resource);
  return grant;
}

std::vector<std::string> WrongFields(const std::vector<Grant>& grants) {
  const google::protobuf::RepeatedPtrField<Grant> fields(grants.begin(), grants.end());
  status::BadRequest bad;
  CheckGrants(fields, "key.grants", bad);
  std::vector<std::string> wrong;
  for (const auto& [field, description] : status::FieldViolations(bad.ToStatus())) wrong.push_back(field);
  return wrong;
}

TEST(CheckGrants, TakesRolesWithTheirLimits) {
  EXPECT_THAT(
      WrongFields({MakeGrant(access::v1::ROLE_ANALYST),
                   MakeGrant(access::v1::ROLE_RESEARCHER, {"surveys/s", "surveys/t/waves/2022", "surveys/t/waves/2024/responses/r1"})}),
      IsEmpty());
}

TEST(CheckGrants, NamesEveryWrongField) {
  EXPECT_THAT(WrongFields({}), ElementsAre("key.grants"));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_UNSPECIFIED), MakeGrant(static_cast<access::v1::Role>(99))}),
              ElementsAre("key.grants[0].role", "key.grants[1].role"));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_ANALYST, {"surveys/s", "surveys", "", "surveys/s/", "surveys/*", "keys/1"})}),
              ElementsAre("key.grants[0].resources[1]", "key.grants[0].resources[2]", "key.grants[0].resources[3]",
                          "key.grants[0].resources[4]", "key.grants[0].resources[5]"));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_ANALYST), MakeGrant(access::v1::ROLE_ANALYST, {"surveys/s"})}),
              ElementsAre("key.grants[1].role"));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_ANALYST, std::vector<std::string>(101, "surveys/s"))}),
              ElementsAre("key.grants[0].resources"));
  Grant of_sections = MakeGrant(access::v1::ROLE_RESPONDENT, {"surveys/s/waves/1/responses/r"});
  of_sections.add_sections(1);
  EXPECT_THAT(WrongFields({of_sections}), ElementsAre("key.grants[0].sections"));
  EXPECT_THAT(WrongFields(std::vector<Grant>(101, MakeGrant(access::v1::ROLE_ANALYST))), testing::Contains("key.grants"));
}

TEST(CheckGrants, TakesNoMoreThanTravelsWithACall) {
  const std::vector<std::string> long_names(50, "surveys/" + std::string(100, 's'));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_ANALYST, long_names)}), ElementsAre("key.grants"));
  EXPECT_THAT(WrongFields({MakeGrant(access::v1::ROLE_ANALYST, {long_names.begin(), long_names.begin() + 30})}), IsEmpty());
}

// Answers with the caller it sees.
class Mirror final : public access::v1::AccessService::Service {
  grpc::Status GetCaller(grpc::ServerContext* context, const access::v1::GetCallerRequest*,
                         access::v1::GetCallerResponse* response) override {
    *response->mutable_identity() = CallerOf(*context);
    return grpc::Status::OK;
  }
};

class CallerOfTest : public testing::Test {
 protected:
  CallerOfTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&mirror_);
    server_ = builder.BuildAndStart();
    stub_ = access::v1::AccessService::NewStub(server_->InProcessChannel({}));
  }

  access::v1::Identity Call(const std::vector<std::string>& entries) {
    grpc::ClientContext context;
    for (const std::string& entry : entries) context.AddMetadata(kIdentityKey, entry);
    access::v1::GetCallerResponse response;
    const grpc::Status status = stub_->GetCaller(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.identity();
  }

 private:
  Mirror mirror_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<access::v1::AccessService::Stub> stub_;
};

TEST_F(CallerOfTest, IsWhatTheGatewayHandsOn) {
  access::v1::Identity identity;
  identity.set_subject("keys/0123456789abcdef");
  identity.set_title("dashboard of VNG");
  *identity.add_grants() = MakeGrant(access::v1::ROLE_ANALYST, {"surveys/s"});
  identity.set_credential(access::v1::CREDENTIAL_KIND_KEY);
  EXPECT_EQ(Call({identity.SerializeAsString()}).SerializeAsString(), identity.SerializeAsString());
}

TEST_F(CallerOfTest, IsEmptyWithoutIdentity) { EXPECT_EQ(Call({}).ByteSizeLong(), 0u); }

TEST_F(CallerOfTest, IsEmptyForWhatIsNoIdentity) { EXPECT_EQ(Call({"\xff\xff no message"}).ByteSizeLong(), 0u); }

}  // namespace
}  // namespace peiling::identity

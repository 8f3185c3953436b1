#include "services/gateway/gateway_module.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace peiling::gateway {
namespace {

using ::testing::Key;
using ::testing::UnorderedElementsAre;

std::shared_ptr<grpc::Channel> Nowhere() { return grpc::CreateChannel("unix:/dev/null", grpc::InsecureChannelCredentials()); }

TEST(GatewayModule, AnswersForEveryServiceAndKnowsItsContract) {
  const auto module = MakeModule({}, {}, {Nowhere(), Nowhere(), Nowhere(), Nowhere(), Nowhere(), Nowhere(), Nowhere()});
  ASSERT_TRUE(module.ok());
  const std::map<std::string, bool> health = (*module)->health();
  EXPECT_THAT(health, UnorderedElementsAre(Key("peiling.access.v1.AccessService"), Key("peiling.analytics.v1.AnalyticsService"),
                                           Key("peiling.dedup.v1.DedupService"), Key("peiling.fieldwork.v1.ContactService"),
                                           Key("peiling.fieldwork.v1.InvitationService"), Key("peiling.fieldwork.v1.MailService"),
                                           Key("peiling.fieldwork.v1.ProgressService"), Key("peiling.fieldwork.v1.WebhookService"),
                                           Key("peiling.intake.v1.DraftService"), Key("peiling.intake.v1.IntakeService"),
                                           Key("peiling.registry.v1.RegistryService"), Key("peiling.validation.v1.ValidationService")));
  for (const auto& [service, serving] : health) {
    EXPECT_FALSE(serving) << service << " has not been asked yet";
    // Where metrics find the names of methods.
    EXPECT_NE(google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service), nullptr) << service;
  }
  EXPECT_FALSE((*module)->ready());
}

}  // namespace
}  // namespace peiling::gateway

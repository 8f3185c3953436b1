#include "services/gateway/route_table.h"

#include <gtest/gtest.h>

#include "google/protobuf/message.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::gateway {
namespace {

TEST(RouteTable, RoutesByServiceName) {
  const RouteTable routes({{"intake", "peiling.intake.v1.IntakeService", nullptr}, {"dedup", "peiling.dedup.v1.DedupService", nullptr}});
  const Backend* backend = routes.Find("/peiling.dedup.v1.DedupService/GetCase");
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(backend->title, "dedup");
}

TEST(RouteTable, KnowsNothingElse) {
  const RouteTable routes({{"intake", "peiling.intake.v1.IntakeService", nullptr}});
  for (const char* method :
       {"", "/", "//", "peiling.intake.v1.IntakeService/GetWave", "/peiling.intake.v1.IntakeService", "/peiling.intake.v1.IntakeService/",
        "/peiling.intake.v1.IntakeServiceX/GetWave", "/peiling.intake.v1/GetWave", "//GetWave"}) {
    EXPECT_EQ(routes.Find(method), nullptr) << method;
  }
}

TEST(RouteTable, TellsUnaryMethodsFromStreams) {
  google::protobuf::LinkMessageReflection<intake::v1::GetWaveRequest>();
  const RouteTable routes({{"intake", "peiling.intake.v1.IntakeService", nullptr}, {"other", "other.v1.OtherService", nullptr}});
  EXPECT_TRUE(routes.IsUnary("/peiling.intake.v1.IntakeService/SubmitResponse"));
  for (const char* method : {"/peiling.intake.v1.IntakeService/ImportResponses", "/peiling.intake.v1.IntakeService/WatchSubmissions",
                             "/peiling.intake.v1.IntakeService/Later", "/other.v1.OtherService/Any"}) {
    EXPECT_FALSE(routes.IsUnary(method)) << method;
  }
}

}  // namespace
}  // namespace peiling::gateway

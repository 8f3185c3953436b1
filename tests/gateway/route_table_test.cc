#include "services/gateway/route_table.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace peiling::gateway

#include "services/ctl/commands/rulings_file.h"

#include <cstdio>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class RulingsFileTest : public ::testing::Test {
 protected:
  ~RulingsFileTest() override { std::remove(path_.c_str()); }

  absl::StatusOr<std::vector<dedup::v1::Ruling>> Read(const std::string& text) {
    std::ofstream(path_) << text;
    return ReadRulings(path_, "surveys/teams/waves/2022");
  }

  const std::string path_ = ::testing::TempDir() + "/rulings-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + ".csv";
};

TEST_F(RulingsFileTest, OneCodeAssignsSeveralSplit) {
  const auto rulings = Read("response_id,municipality_code,reason\n101,GM0373,nagevraagd\n106,GM0388 GM0532,\"samen, zie mail\"\n");
  ASSERT_TRUE(rulings.ok()) << rulings.status();
  ASSERT_EQ(rulings->size(), 2u);
  EXPECT_EQ((*rulings)[0].response(), "surveys/teams/waves/2022/responses/101");
  EXPECT_EQ((*rulings)[0].assign().municipality_code(), "GM0373");
  EXPECT_EQ((*rulings)[0].reason(), "nagevraagd");
  EXPECT_THAT((*rulings)[1].split().municipality_codes(), ElementsAre("GM0388", "GM0532"));
  EXPECT_EQ((*rulings)[1].reason(), "samen, zie mail");
}

TEST_F(RulingsFileTest, EveryWrongRowIsNamedWithItsLine) {
  const auto rulings = Read("response_id,municipality_code,reason\n1/2,GM0373,x\n103,,x\n104,GM0373,\n");
  EXPECT_EQ(status::Reason(rulings.status()), "RULINGS_INVALID");
  EXPECT_THAT(status::FieldViolations(rulings.status()),
              ElementsAre(Pair(path_ + ":2", HasSubstr("response_id")), Pair(path_ + ":3", HasSubstr("municipality_code")),
                          Pair(path_ + ":4", HasSubstr("reason"))));
}

TEST_F(RulingsFileTest, AMissingColumnIsNamed) {
  const auto rulings = Read("response_id,reason\n101,x\n");
  EXPECT_EQ(status::Reason(rulings.status()), "CSV_COLUMNS");
  EXPECT_THAT(std::string(rulings.status().message()), HasSubstr("municipality_code"));
}

TEST_F(RulingsFileTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ReadRulings("/nonexistent/rulings.csv", "w").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace peiling::ctl

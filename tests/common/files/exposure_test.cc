#include "services/common/files/exposure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace peiling::files {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class ExposureTest : public testing::Test {
 protected:
  ExposureTest() {
    std::string pattern = testing::TempDir() + "/exposure.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~ExposureTest() override { std::filesystem::remove_all(folder_); }

  std::string Make(const std::string& name, mode_t mode) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "secret";
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string folder_;
};

TEST_F(ExposureTest, WhatOthersCanReadIsToldWithTheWayOut) {
  for (const mode_t mode : {0640, 0604, 0644, 0444, 0666}) {
    const std::string path = Make("key", mode);
    EXPECT_EQ(Exposure(path), absl::StrCat("others than its owner can read ", path, ": chmod 600 ", path)) << std::oct << mode;
  }
}

TEST_F(ExposureTest, WhatItsOwnerAloneCanReadIsNot) {
  for (const mode_t mode : {0600, 0400, 0622, 0700}) EXPECT_THAT(Exposure(Make("key", mode)), IsEmpty()) << std::oct << mode;
}

TEST_F(ExposureTest, AFileOfAnotherOwnerMayBeTheGroups) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  for (const auto& [mode, exposed] : {std::pair(0440, false), {0640, false}, {0444, true}, {0604, true}}) {
    const std::string path = Make("key", mode);
    ASSERT_EQ(chown(path.c_str(), 65532, 65532), 0);
    EXPECT_EQ(!Exposure(path).empty(), exposed) << std::oct << mode;
  }
}

TEST_F(ExposureTest, WhatIsNoFileIsNot) {
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0666), 0);
  for (const std::string& path : {std::string(), folder_ + "/none", folder_, folder_ + "/pipe"}) EXPECT_THAT(Exposure(path), IsEmpty());
}

TEST_F(ExposureTest, EachFileIsLoggedOnce) {
  const std::string first = Make("first", 0644);
  const std::string second = Make("second", 0644);
  const std::string good = Make("good", 0600);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    for (const std::string& path : {first, second, good}) WarnWhenExposed(path);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_THAT(log, AllOf(HasSubstr(R"("level":"warning")"), HasSubstr("chmod 600 " + first), HasSubstr("chmod 600 " + second)));
}

}  // namespace
}  // namespace peiling::files

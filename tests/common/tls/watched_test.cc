#include "services/common/tls/watched.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "services/common/status/errors.h"
#include "tests/common/eventually.h"
#include "tests/common/tls/authority.h"

namespace peiling::tls {
namespace {

class WatchedTest : public testing::Test {
 protected:
  WatchedTest() {
    auto watched = Watched::Open(folder_.Write("tls", first_));
    EXPECT_TRUE(watched.ok()) << watched.status();
    watched_ = *std::move(watched);
  }

  const Authority authority_;
  const Folder folder_;
  const Material first_ = authority_.Issue({.dns = {"first"}});
  const Material second_ = authority_.Issue({.dns = {"second"}});
  std::shared_ptr<Watched> watched_;
};

TEST_F(WatchedTest, GivesWhatIsInTheFiles) { EXPECT_EQ(*watched_->Current(), first_); }

TEST_F(WatchedTest, GivesTheSameForAsLongAsTheFilesAre) {
  const auto before = watched_->Current();
  folder_.Write("tls", first_);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) ASSERT_EQ(watched_->Current(), before);
}

TEST_F(WatchedTest, GivesWhatReplacedIt) {
  folder_.Write("tls", second_);
  EXPECT_TRUE(Eventually([&] { return *watched_->Current() == second_; }));
}

TEST_F(WatchedTest, KeepsWhatItHasUntilAllFilesFitAgain) {
  folder_.Write("tls.key", second_.key);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) ASSERT_EQ(*watched_->Current(), first_);
  folder_.Write("tls.pem", second_.certificate);
  EXPECT_TRUE(Eventually([&] { return *watched_->Current() == second_; }));
}

TEST(Watched, WarnsOfAKeyThatOthersCanRead) {
  const Folder folder;
  const Files files = folder.Write("tls", Authority().Issue({.dns = {"own"}}));
  std::filesystem::permissions(files.key, std::filesystem::perms(0640));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(Watched::Open(files).ok());
  EXPECT_TRUE(Check(files).ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("chmod 600 " + files.key), log.rfind("chmod 600 " + files.key)) << log;
  EXPECT_NE(log.find("chmod 600 " + files.key), std::string::npos) << log;
}

TEST(Watched, DoesNotBeginWithWhatCannotBeUsed) {
  EXPECT_EQ(status::Reason(Watched::Open({.ca = "/no/such/file"}).status()), "TLS_FILE_UNREADABLE");
}

}  // namespace
}  // namespace peiling::tls

#include "services/access/administrator_key.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/common/identity/key_secret.h"
#include "services/common/status/errors.h"

namespace peiling::access {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class AdministratorKeyTest : public testing::Test {
 protected:
  AdministratorKeyTest() {
    std::string pattern = testing::TempDir() + "/administrator_key.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~AdministratorKeyTest() override { std::filesystem::remove_all(folder_); }

  std::string Path() const { return folder_ + "/administrator.key"; }
  size_t Files() const { return std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()); }

  std::string folder_;
};

TEST_F(AdministratorKeyTest, MakesAFileForItsOwnerAlone) {
  const auto made = ReadOrMakeAdministratorKey(Path());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(identity::ParseKeyId(*made).has_value());
  struct stat file {};
  ASSERT_EQ(stat(Path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(Files(), 1u) << "nothing is left beside it";
  EXPECT_EQ(*ReadOrMakeAdministratorKey(Path()), *made);
}

TEST_F(AdministratorKeyTest, ReadsWhatIsThereWithoutWhiteSpace) {
  const std::string secret = identity::NewSecret(identity::NewKeyId());
  std::ofstream(Path()) << "  " << secret << "\r\n\n";
  EXPECT_EQ(*ReadOrMakeAdministratorKey(Path()), secret);
}

TEST_F(AdministratorKeyTest, WarnsOfAFileThatOthersCanRead) {
  std::ofstream(Path()) << identity::NewSecret(identity::NewKeyId());
  std::filesystem::permissions(Path(), std::filesystem::perms(0644));
  testing::internal::CaptureStderr();
  EXPECT_TRUE(ReadOrMakeAdministratorKey(Path()).ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("chmod 600 " + Path()));
}

TEST_F(AdministratorKeyTest, AllWhoMakeItAtOnceGetTheSame) {
  std::vector<std::string> secrets(8);
  std::vector<std::thread> threads;
  threads.reserve(secrets.size());
  for (std::string& secret : secrets) threads.emplace_back([&] { secret = *ReadOrMakeAdministratorKey(Path()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(std::set<std::string>(secrets.begin(), secrets.end()), SizeIs(1));
  EXPECT_EQ(Files(), 1u);
}

TEST_F(AdministratorKeyTest, SaysThatItCannot) {
  for (const std::string& path : {folder_ + "/no/such/folder", folder_}) {
    const auto unusable = ReadOrMakeAdministratorKey(path);
    EXPECT_EQ(status::Reason(unusable.status()), "ADMINISTRATOR_KEY_UNUSABLE") << path;
    EXPECT_NE(std::string(unusable.status().message()).find(path), std::string::npos);
  }
}

}  // namespace
}  // namespace peiling::access

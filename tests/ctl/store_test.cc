#include "services/common/storage/store.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/ctl/program.h"

namespace peiling::ctl::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kNowhere[] = "127.0.0.1:1";
constexpr char kWave[] = "surveys/s/waves/w";

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto store = Open("from.db");
    ASSERT_TRUE(store->Commit({kWave, {{"a", "1", std::nullopt, 0}, {"gone", "x"}}, {}, {"first", "second"}}).ok());
    ASSERT_TRUE(store->Commit({kWave, {{"gone", std::nullopt}}}).ok());
    ASSERT_TRUE(store->Commit({"other", {{"b", std::string(2000, 'x')}}}).ok());
  }

  std::string Address(const std::string& name) { return "sqlite:" + folder_.Path(name); }
  std::unique_ptr<storage::Store> Open(const std::string& name) { return *storage::OpenStore(Address(name), "intake"); }

  // peilingctl store COMMAND … on a store of intake.
  Outcome Run(const std::string& command, const std::string& store, const std::vector<std::string>& more, const std::string& input = "") {
    std::vector<std::string> arguments = {"store", command, "--store", Address(store), "--name", "intake"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCtl(kNowhere, arguments, {}, input);
  }

  // The file without its header, which has the time.
  std::string Contents(const std::string& name) {
    const std::string whole = ReadWhole(folder_.Path(name));
    return whole.empty() ? "" : whole.substr(static_cast<unsigned char>(whole[0]) + 1);
  }

  // Contents without the trailer, whose checksum is of the header too.
  std::string Records(const std::string& name) {
    const std::string contents = Contents(name);
    return contents.substr(0, contents.size() - 71);
  }

  TemporaryFolder folder_;
  const std::string backup_ = folder_.Path("backup");
};

TEST_F(StoreTest, InfoListsPartitions) {
  EXPECT_EQ(Run("info", "from.db", {}).out,
            "PARTITION          DOCUMENTS  DELETED  EVENTS  BYTES\n"
            "other                      1        0       0  2,001\n"
            "surveys/s/waves/w          1        1       2     17\n");
}

TEST_F(StoreTest, AStoreGoesToAFileIntoAnotherStoreAndToTheSameFile) {
  const Outcome exported = Run("export", "from.db", {backup_});
  EXPECT_EQ(exported.code, 0) << exported.err;
  EXPECT_THAT(exported.out, HasSubstr("surveys/s/waves/w          1        1       2     17\n"));
  EXPECT_THAT(exported.err, AllOf(HasSubstr("writing"), HasSubstr("reading again  100%  5 items")));
  const Outcome imported = Run("import", "to.db", {backup_});
  EXPECT_EQ(imported.code, 0) << imported.err;
  EXPECT_EQ(imported.out, exported.out);
  EXPECT_THAT(imported.err, AllOf(HasSubstr("restoring  100%  5 items"), HasSubstr("comparing  100%  5 items")));
  EXPECT_EQ(Run("export", "to.db", {folder_.Path("again")}).code, 0);
  EXPECT_NE(Records("backup"), "");
  EXPECT_TRUE(Records("backup") == Records("again"));
  EXPECT_EQ(Run("import", "to.db", {backup_}).code, 0) << "once more";
}

TEST_F(StoreTest, ThroughPipes) {
  const Outcome exported = Run("export", "from.db", {"-"});
  EXPECT_EQ(exported.code, 0) << exported.err;
  const Outcome imported = Run("import", "to.db", {"-", "-o", "json"}, exported.out);
  EXPECT_EQ(imported.code, 0) << imported.err;
  EXPECT_THAT(imported.out, AllOf(HasSubstr("\"owner\": \"intake\""), HasSubstr("\"deletedDocuments\": \"1\""), HasSubstr("\"sha256\"")));
  EXPECT_EQ(Open("to.db")->Get(kWave, "a")->value().sequence, 1u);
}

TEST_F(StoreTest, VerifyingStoresNothing) {
  EXPECT_EQ(Run("export", "from.db", {backup_}).code, 0);
  EXPECT_EQ(RunCtl(kNowhere, {"store", "import", "--verify", backup_}).code, 0);
  EXPECT_EQ(Run("import", "from.db", {"--verify", backup_}).code, 0);
  Open("other.db");
  EXPECT_THAT(Run("import", "other.db", {"--verify", backup_}).err, HasSubstr("reason: RESTORE_CONFLICT\n"));
  EXPECT_TRUE(Open("other.db")->Partitions("")->empty());
  EXPECT_EQ(Run("import", "not-there.db", {"--verify", backup_}).code, 3);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("not-there.db")));
}

TEST_F(StoreTest, ABackupThatIsCutOffIsRefused) {
  EXPECT_EQ(Run("export", "from.db", {backup_}).code, 0);
  std::filesystem::resize_file(backup_, std::filesystem::file_size(backup_) - 10);
  for (const char* flag : {"--verify", "--output=json"}) {
    const Outcome outcome = Run("import", "to.db", {backup_, flag});
    EXPECT_EQ(outcome.code, 4) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("BACKUP_TRUNCATED"));
  }
  EXPECT_TRUE(Open("to.db")->Partitions("")->empty());
}

TEST_F(StoreTest, AStoreThatHoldsSomethingElseIsRefusedWithItsPlace) {
  EXPECT_EQ(Run("export", "from.db", {backup_}).code, 0);
  ASSERT_TRUE(Open("to.db")->Commit({kWave, {{"a", "theirs"}}}).ok());
  const Outcome outcome = Run("import", "to.db", {backup_});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("document a of"), HasSubstr(kWave), HasSubstr("reason: RESTORE_CONFLICT\n"), HasSubstr("hint: ")));
}

TEST_F(StoreTest, OnlyAWholeBackupGetsItsName) {
  folder_.Write("backup", "the last one");
  const auto in_use = Open("from.db");
  const Outcome outcome = Run("export", "from.db", {backup_});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("reason: STORAGE_IN_USE\n"), HasSubstr("hint: a file has one user")));
  EXPECT_EQ(ReadWhole(backup_), "the last one");
  EXPECT_FALSE(std::filesystem::exists(backup_ + ".part"));
}

TEST_F(StoreTest, MistakesAreSaid) {
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string says;
  };
  const Case cases[] = {
      {{"store", "info"}, 2, "--store ADDRESS and --name NAME"},
      {{"store", "info", "--store", Address("from.db")}, 2, "--store ADDRESS and --name NAME"},
      {{"store", "export", "--store", Address("from.db"), "--name", "intake"}, 2, "FILE"},
      {{"store", "info", "--store", Address("not-there.db"), "--name", "intake"}, 3, "STORE_NOT_FOUND"},
      {{"store", "info", "--store", Address("from.db"), "--name", "dedup"}, 6, "STORAGE_OWNER"},
      {{"store", "info", "--store", "mysql:x", "--name", "intake"}, 4, "STORAGE_ADDRESS"},
      {{"store", "import", "--verify", folder_.Path("not-there")}, 3, "FILE_NOT_FOUND"},
      {{"store", "import", "--verify", folder_.Write("text", "text")}, 4, "BACKUP_INVALID"},
      {{"store", "export", "--store", Address("from.db"), "--name", "intake", folder_.Path("no/such/folder")}, 3, "FILE_NOT_WRITABLE"},
  };
  for (const Case& c : cases) {
    const Outcome outcome = RunCtl(kNowhere, c.arguments);
    EXPECT_EQ(outcome.code, c.code) << outcome.err;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("error: "), HasSubstr(c.says)));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("not-there.db")));
}

}  // namespace
}  // namespace peiling::ctl::testing

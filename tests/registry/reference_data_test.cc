#include "services/registry/reference_data.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "services/common/status/errors.h"
#include "tests/registry/testing.h"

namespace peiling::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A folder with small, sound files, some of which a test replaces.
class Folder {
 public:
  Folder() {
    std::string path = (std::filesystem::temp_directory_path() / "registry-XXXXXX").string();
    path_ = mkdtemp(path.data());
    Write("municipalities.csv",
          "code,name,province,valid_from,valid_to,successors\nGM0001,Aa,Drenthe,,2020-01-01,GM0002\nGM0002,Bee,Drenthe,2015-01-01,,\n");
    Write("population.csv", "code,date,inhabitants\nGM0001,2015-01-01,100\nGM0001,2016-01-01,\n");
    Write("groups.csv", "group,code,from,to\nG40,GM0002,2016-01-01,\n");
    Write("aliases.csv", "alias,codes,ambiguous,kind\nBeetje,GM0002,no,x\n");
    Write("other_names.csv", "name,kind,source\nTwente,region,x\n");
    Write("words.csv", "word\nbede\n");
    Write("typing_forms.csv", "written,role,means\ngemeente,noise,\ndr,province,Drenthe\n");
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  void Write(const std::string& file, const std::string& text) { std::ofstream(path_ + "/" + file) << text; }
  void Remove(const std::string& file) { std::filesystem::remove(path_ + "/" + file); }
  absl::StatusOr<ReferenceData> Load() { return LoadReferenceData(path_); }

 private:
  std::string path_;
};

TEST(ReferenceData, IsReadWhole) {
  Folder folder;
  const auto data = folder.Load();
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->municipalities.size(), 2u);
  const v1::Municipality& bee = data->municipalities[1];
  EXPECT_EQ(bee.name(), "municipalities/GM0002");
  EXPECT_THAT(bee.predecessors(), ElementsAre("GM0001"));
  EXPECT_THAT(bee.aliases(), ElementsAre("Beetje"));
  EXPECT_EQ(bee.groups(0).group(), "G40");
  EXPECT_EQ(data->municipalities[0].inhabitants_size(), 1) << "an empty count is not known";
}

TEST(ReferenceData, IsRefusedWithFileAndLine) {
  const std::string head = "code,name,province,valid_from,valid_to,successors\n";
  const std::vector<std::pair<std::string, std::pair<std::string, std::string>>> cases = {
      {"municipalities.csv",
       {head + "GM0001,Aa,Drenthe,,2020-01-01,GM0009\nGM0002,Bee,Drenthe,,,\n", "municipalities.csv:2: municipality \"GM0009\""}},
      {"municipalities.csv",
       {head + "GM0002,Bee,Drenthe,,,\nGM0002,Bee,Drenthe,,,\nGM0001,Aa,Drenthe,,,\n", "municipalities.csv:3: code GM0002 stands"}},
      {"municipalities.csv", {head + "GM0001,Aa,Drenthe,,,\nGM0002,Bee,Drenthe,2015-02-30,,\n", "municipalities.csv:3: \"2015-02-30\""}},
      {"municipalities.csv", {head + "GM1,Aa,Drenthe,,,\n", "municipalities.csv:2: code \"GM1\""}},
      {"municipalities.csv",
       {head + "GM0001,Aa,Drenthe,2020-01-01,2019-01-01,GM0002\nGM0002,B,Drenthe,,,\n", "municipalities.csv:2: ends"}},
      {"municipalities.csv",
       {head + "GM0001,Aa,Drenthe,,2014-01-01,GM0002\nGM0002,B,Drenthe,2015-01-01,,\n", "does not exist on 2014-01-01"}},
      {"municipalities.csv",
       {head + "GM0001,Aa,Drenthe,,2020-01-01,\nGM0002,B,Drenthe,,,\n", "municipalities.csv:2: a municipality has successors"}},
      {"municipalities.csv", {"code,name\nGM0001,Aa\n", "missing column province"}},
      {"municipalities.csv", {head + "GM0001,\"Aa,Drenthe,,,\n", "line 2, column 8"}},
      {"population.csv", {"code,date,inhabitants\nGM0003,2015-01-01,1\n", "population.csv:2: municipality \"GM0003\" is not known"}},
      {"population.csv", {"code,date,inhabitants\nGM0001,2015-01-01,-5\n", "population.csv:2: inhabitants \"-5\""}},
      {"population.csv", {"code,date,inhabitants\nGM0001,2015-01-01,5\nGM0001,2015-01-01,6\n", "population.csv:3: counted twice"}},
      {"groups.csv", {"group,code,from,to\nG40,GM0009,,\n", "groups.csv:2: municipality \"GM0009\""}},
      {"aliases.csv", {"alias,codes,ambiguous,kind\nX,GM0002,yes,x\n", "aliases.csv:2: too few codes"}},
      {"aliases.csv", {"alias,codes,ambiguous,kind\nX,GM0002,no,x\nx,GM0001,no,x\n", "aliases.csv:3: \"x\" stands there twice"}},
      {"other_names.csv", {"name,kind,source\nTwente,planet,x\n", "other_names.csv:2: kind \"planet\""}},
      {"typing_forms.csv", {"written,role,means\nGem,noise,\n", "typing_forms.csv:2: what is written must be folded"}},
      {"typing_forms.csv", {"written,role,means\nx,province,Atlantis\n", "typing_forms.csv:2: province \"Atlantis\""}},
      {"typing_forms.csv", {"written,role,means\nx,y,z\n", "typing_forms.csv:2: role \"y\""}},
  };
  for (const auto& [file, broken] : cases) {
    Folder folder;
    folder.Write(file, broken.first);
    const absl::Status status = folder.Load().status();
    EXPECT_EQ(status::Reason(status), "REFERENCE_DATA_BROKEN") << broken.first;
    EXPECT_THAT(std::string(status.message()), HasSubstr(broken.second)) << broken.first;
  }
}

TEST(ReferenceData, IsRefusedWithAllProblemsAtOnce) {
  Folder folder;
  folder.Remove("words.csv");
  folder.Write("groups.csv", "group,code,from,to\nG40,GM0009,,\nG40,GM0002,yesterday,\n");
  const std::string message(folder.Load().status().message());
  EXPECT_THAT(message, HasSubstr("words.csv: cannot be read"));
  EXPECT_THAT(message, HasSubstr("groups.csv:2:"));
  EXPECT_THAT(message, HasSubstr("groups.csv:3:"));
}

TEST(ReferenceData, ListsNoMoreProblemsThanOneCanRead) {
  Folder folder;
  std::string groups = "group,code,from,to\n";
  for (int i = 0; i < 80; ++i) groups += "G40,GM9999,,\n";
  folder.Write("groups.csv", groups);
  const std::string message(folder.Load().status().message());
  EXPECT_THAT(message, HasSubstr("and 65 more"));
  EXPECT_THAT(message, Not(HasSubstr("groups.csv:40:")));
}

TEST(ReferenceData, MayNotGiveTwoMunicipalitiesOneNameAtATime) {
  Folder folder;
  folder.Write("aliases.csv", "alias,codes,ambiguous,kind\nBeetje,GM0001 GM0002,no,x\n");
  auto data = folder.Load();
  ASSERT_TRUE(data.ok()) << data.status();
  const MunicipalityCatalog catalog(data->municipalities);
  const absl::Status status = NameResolver::Make(*data, catalog).status();
  EXPECT_EQ(status::Reason(status), "REFERENCE_DATA_BROKEN");
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"beetje\" means GM0001 and GM0002"));
}

TEST(ReferenceData, OfTheProjectIsSound) {
  EXPECT_EQ(RealData().municipalities.size(), 426u);
  EXPECT_GT(RealData().other_names.size(), 1500u);
}

}  // namespace
}  // namespace peiling::registry

// The registry over gRPC, in process.
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/status/errors.h"
#include "services/registry/registry_module.h"

namespace peiling::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RegistryServiceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto module = MakeModule({});
    ASSERT_TRUE(module.ok()) << module.status();
    module_ = module->release();
    grpc::ServerBuilder builder;
    module_->Register(builder);
    server_ = builder.BuildAndStart().release();
  }
  static void TearDownTestSuite() {
    server_->Shutdown();
    delete server_;
    delete module_;
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::RegistryService::StubInterface::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return status::FromGrpc((stub_.get()->*method)(&context, request, response));
  }

  absl::Status Get(const std::string& name, const std::string& as_of, v1::GetMunicipalityResponse* response) {
    v1::GetMunicipalityRequest request;
    request.set_name(name);
    request.set_as_of(as_of);
    return Call(&v1::RegistryService::StubInterface::GetMunicipality, request, response);
  }

  absl::Status List(const v1::ListMunicipalitiesRequest& request, v1::ListMunicipalitiesResponse* response) {
    return Call(&v1::RegistryService::StubInterface::ListMunicipalities, request, response);
  }

  static std::vector<std::string> Fields(const absl::Status& status) {
    std::vector<std::string> fields;
    for (const auto& [field, description] : status::FieldViolations(status)) fields.push_back(field);
    return fields;
  }

  static server::Module* module_;
  static grpc::Server* server_;
  std::unique_ptr<v1::RegistryService::StubInterface> stub_ = v1::RegistryService::NewStub(server_->InProcessChannel({}));
};

server::Module* RegistryServiceTest::module_ = nullptr;
grpc::Server* RegistryServiceTest::server_ = nullptr;

TEST_F(RegistryServiceTest, GetsAMunicipalityWithItsFacts) {
  v1::GetMunicipalityResponse response;
  ASSERT_TRUE(Get("municipalities/GM0518", "2022-03-24", &response).ok());
  const v1::Municipality& m = response.municipality();
  EXPECT_EQ(m.title(), "'s-Gravenhage");
  EXPECT_THAT(m.aliases(), ::testing::Contains("Den Haag"));
  EXPECT_EQ(m.facts().size_class(), survey::v1::SIZE_CLASS_200K_AND_OVER);
  EXPECT_THAT(m.facts().groups(), ElementsAre("G4"));
}

TEST_F(RegistryServiceTest, GetsAFormerOneWithoutFacts) {
  v1::GetMunicipalityResponse response;
  ASSERT_TRUE(Get("municipalities/GM0457", "", &response).ok());
  EXPECT_FALSE(response.municipality().has_facts());
  EXPECT_THAT(response.municipality().successors(), ElementsAre("GM0363"));
  ASSERT_TRUE(Get("municipalities/GM0457", "2022-03-23", &response).ok());
  EXPECT_TRUE(response.municipality().has_facts());
}

TEST_F(RegistryServiceTest, TellsUnknownFromMalformed) {
  v1::GetMunicipalityResponse response;
  EXPECT_EQ(status::Reason(Get("municipalities/GM9999", "", &response)), "MUNICIPALITY_NOT_FOUND");
  const absl::Status bad = Get("gemeenten/x", "gisteren", &response);
  EXPECT_EQ(status::Reason(bad), "INVALID_REQUEST");
  EXPECT_THAT(Fields(bad), ElementsAre("name", "as_of"));
}

TEST_F(RegistryServiceTest, ListsAllPagesInOrder) {
  v1::ListMunicipalitiesRequest request;
  request.set_as_of("2022-03-24");
  request.set_page_size(100);
  std::vector<std::string> codes;
  int pages = 0;
  do {
    v1::ListMunicipalitiesResponse response;
    ASSERT_TRUE(List(request, &response).ok());
    EXPECT_EQ(response.total_size(), 344);
    for (const auto& m : response.municipalities()) codes.push_back(m.code());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 4);
  EXPECT_EQ(codes.size(), 344u);
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end()));
}

TEST_F(RegistryServiceTest, CombinesFilters) {
  v1::ListMunicipalitiesRequest request;
  request.set_as_of("2022-03-24");
  request.set_province("fryslan");
  request.set_group("G40");
  v1::ListMunicipalitiesResponse response;
  ASSERT_TRUE(List(request, &response).ok());
  ASSERT_EQ(response.municipalities_size(), 1);
  EXPECT_EQ(response.municipalities(0).title(), "Leeuwarden");
  EXPECT_EQ(response.next_page_token(), "");
  request.set_size_class(survey::v1::SIZE_CLASS_UNDER_50K);
  ASSERT_TRUE(List(request, &response).ok());
  EXPECT_THAT(response.municipalities(), IsEmpty());
}

TEST_F(RegistryServiceTest, ListsAllThereEverWereWithoutADay) {
  v1::ListMunicipalitiesResponse response;
  v1::ListMunicipalitiesRequest request;
  request.set_page_size(1000);
  ASSERT_TRUE(List(request, &response).ok());
  EXPECT_EQ(response.municipalities_size(), 426);
  EXPECT_FALSE(response.municipalities(0).has_facts());
}

TEST_F(RegistryServiceTest, RefusesListsThatMakeNoSense) {
  v1::ListMunicipalitiesResponse response;
  v1::ListMunicipalitiesRequest request;
  request.set_size_class(survey::v1::SIZE_CLASS_UNDER_50K);
  request.set_page_size(-1);
  EXPECT_THAT(Fields(List(request, &response)), ::testing::UnorderedElementsAre("page_size", "as_of"));
  request = {};
  request.set_province("Atlantis");
  EXPECT_EQ(status::Reason(List(request, &response)), "PROVINCE_NOT_FOUND");
  request = {};
  request.set_as_of("2022-03-24");
  request.set_group("G8");
  EXPECT_EQ(status::Reason(List(request, &response)), "GROUP_NOT_FOUND");
}

TEST_F(RegistryServiceTest, TracesLineage) {
  v1::TraceLineageRequest request;
  v1::TraceLineageResponse response;
  EXPECT_THAT(Fields(Call(&v1::RegistryService::StubInterface::TraceLineage, request, &response)), ElementsAre("from", "to"));
  request.add_codes("GM0457");
  request.set_from("2022-01-01");
  request.set_to("2022-03-24");
  ASSERT_TRUE(Call(&v1::RegistryService::StubInterface::TraceLineage, request, &response).ok());
  EXPECT_THAT(response.lineages(0).codes(), ElementsAre("GM0363"));
}

TEST_F(RegistryServiceTest, ResolvesOneAndManyAlike) {
  v1::BatchResolveMunicipalitiesRequest batch;
  batch.set_as_of("2022-03-24");
  for (const char* text : {"Apeldorn", "", "Bergen"}) batch.add_texts(text);
  v1::BatchResolveMunicipalitiesResponse answers;
  ASSERT_TRUE(Call(&v1::RegistryService::StubInterface::BatchResolveMunicipalities, batch, &answers).ok());
  ASSERT_EQ(answers.resolutions_size(), 3);
  for (int i = 0; i < 3; ++i) {
    v1::ResolveMunicipalityRequest request;
    request.set_text(batch.texts(i));
    request.set_as_of(batch.as_of());
    v1::ResolveMunicipalityResponse answer;
    ASSERT_TRUE(Call(&v1::RegistryService::StubInterface::ResolveMunicipality, request, &answer).ok());
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(answer.resolution(), answers.resolutions(i)));
  }
}

TEST_F(RegistryServiceTest, BoundsWhatItTakes) {
  v1::BatchResolveMunicipalitiesRequest batch;
  for (int i = 0; i < 1001; ++i) batch.add_texts("Urk");
  batch.set_texts(3, std::string(501, 'x'));
  v1::BatchResolveMunicipalitiesResponse answers;
  EXPECT_THAT(Fields(Call(&v1::RegistryService::StubInterface::BatchResolveMunicipalities, batch, &answers)),
              ElementsAre("texts", "texts[3]"));
  v1::ResolveMunicipalityRequest request;
  v1::ResolveMunicipalityResponse answer;
  std::string text;
  for (int i = 0; i < 500; ++i) text += "é";
  request.set_text(text);
  EXPECT_TRUE(Call(&v1::RegistryService::StubInterface::ResolveMunicipality, request, &answer).ok()) << "characters, not bytes";
}

TEST(RegistryModule, SaysWhatIsWrongWithItsData) {
  Options options;
  options.data = "/nowhere";
  const absl::Status status = MakeModule(options).status();
  EXPECT_EQ(status::Reason(status), "REFERENCE_DATA_BROKEN");
}

}  // namespace
}  // namespace peiling::registry

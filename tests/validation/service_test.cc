// Validation as a client sees it: over gRPC, with a registry that is made up.
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "peiling/registry/v1/registry_mock.grpc.pb.h"
#include "services/common/status/errors.h"
#include "services/validation/validation_service.h"
#include "services/validation/validator.h"
#include "tests/validation/questionnaires.h"

namespace peiling::validation {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::NiceMock;
using ::testing::SizeIs;

const char* const kDay = "2022-03-24";

class Service : public ::testing::Test {
 protected:
  Service() {
    ON_CALL(registry_, ListMunicipalities(_, _, _)).WillByDefault([this](auto*, const auto& request, auto* response) {
      ++lists_;
      EXPECT_EQ(request.as_of(), kDay);
      // Two pages.
      const bool first = request.page_token().empty();
      auto& municipality = *response->add_municipalities();
      municipality.set_code(first ? "GM0184" : "GM0344");
      municipality.mutable_facts()->set_inhabitants(first ? 21'000 : 361'000);
      if (first) response->set_next_page_token("2");
      return grpc::Status::OK;
    });
    ON_CALL(registry_, BatchResolveMunicipalities(_, _, _)).WillByDefault([this](auto*, const auto& request, auto* response) {
      ++resolves_;
      for (const std::string& text : request.texts()) {
        auto& resolution = *response->add_resolutions();
        resolution.set_kind(text == "Urk" || text == "Utrecht" ? registry::v1::RESOLUTION_KIND_EXACT
                                                               : registry::v1::RESOLUTION_KIND_UNKNOWN);
        if (text == "Urk") resolution.add_codes("GM0184");
        if (text == "Utrecht") resolution.add_codes("GM0344");
      }
      return grpc::Status::OK;
    });
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::ValidationService::NewStub(server_->InProcessChannel({}));
  }
  ~Service() override { server_->Shutdown(); }

  // A response that states "small" for a municipality.
  static void Add(v1::ValidateResponsesRequest& request, const std::string& municipality) {
    auto& input = *request.add_responses();
    input.set_submitted(true);
    *input.mutable_answers() = survey::testing::Answers(survey::testing::kFullAnswers);
    input.mutable_answers()->mutable_answers(0)->set_text(municipality);
  }
  static v1::ValidateResponsesRequest Request(const std::vector<std::string>& municipalities) {
    v1::ValidateResponsesRequest request;
    *request.mutable_questionnaire() = survey::testing::Everything();
    request.set_frame_date(kDay);
    for (const std::string& municipality : municipalities) Add(request, municipality);
    return request;
  }
  absl::Status Call(const v1::ValidateResponsesRequest& request, v1::ValidateResponsesResponse& response) {
    grpc::ClientContext context;
    response.Clear();
    return status::FromGrpc(stub_->ValidateResponses(&context, request, &response));
  }

  int lists_ = 0;
  int resolves_ = 0;
  NiceMock<registry::v1::MockRegistryServiceStub> registry_;
  Validator validator_{2, &registry_};
  ValidationService service_{validator_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ValidationService::Stub> stub_;
};

TEST_F(Service, JudgesABatchInItsOrder) {
  v1::ValidateResponsesResponse response;
  ASSERT_TRUE(Call(Request({"Urk", "Utrecht", "test", "Urk"}), response).ok());
  ASSERT_THAT(response.results(), SizeIs(4));
  EXPECT_THAT(response.results(0).issues(), IsEmpty());
  ASSERT_THAT(response.results(1).issues(), SizeIs(1));
  EXPECT_EQ(response.results(1).issues(0).kind(), v1::ISSUE_KIND_SIZE_CLASS_DIFFERS);
  EXPECT_THAT(response.results(1).issues(0).message(), HasSubstr("361.000"));
  EXPECT_THAT(response.results(2).issues(), IsEmpty());
  EXPECT_THAT(response.results(3).issues(), IsEmpty());
  EXPECT_FALSE(response.size_class_unchecked());
}

TEST_F(Service, AsksTheRegistryOnceForABatchAndNotAgainForWhatItKnows) {
  v1::ValidateResponsesResponse response;
  ASSERT_TRUE(Call(Request({"Urk", "Utrecht", "test"}), response).ok());
  EXPECT_EQ(lists_, 2);
  EXPECT_EQ(resolves_, 1);
  ASSERT_TRUE(Call(Request({"test", "Utrecht"}), response).ok());
  EXPECT_EQ(resolves_, 1);
  ASSERT_THAT(response.results(1).issues(), SizeIs(1));
  ASSERT_TRUE(Call(Request({"Zwolle"}), response).ok());
  EXPECT_EQ(resolves_, 2);
  EXPECT_EQ(lists_, 2);
}

TEST_F(Service, LeavesTheRegistryAloneWithoutAFrameDate) {
  auto request = Request({"Utrecht"});
  request.clear_frame_date();
  v1::ValidateResponsesResponse response;
  ASSERT_TRUE(Call(request, response).ok());
  EXPECT_EQ(resolves_, 0);
  EXPECT_THAT(response.results(0).issues(), IsEmpty());
  EXPECT_FALSE(response.size_class_unchecked());
}

TEST_F(Service, JudgesTheRestWhenTheRegistryDoesNotAnswer) {
  const grpc::Status down(grpc::StatusCode::UNAVAILABLE, "no");
  v1::ValidateResponsesResponse response;
  EXPECT_CALL(registry_, BatchResolveMunicipalities(_, _, _)).WillOnce(::testing::Return(down));
  ASSERT_TRUE(Call(Request({"Utrecht"}), response).ok());
  EXPECT_TRUE(response.size_class_unchecked());
  ASSERT_THAT(response.results(), SizeIs(1));
  EXPECT_THAT(response.results(0).issues(), IsEmpty());
  EXPECT_EQ(response.results(0).completeness().answered(), 10);
}

TEST_F(Service, AsksAgainWhenTheRegistryIsBack) {
  const grpc::Status down(grpc::StatusCode::UNAVAILABLE, "no");
  v1::ValidateResponsesResponse response;
  EXPECT_CALL(registry_, ListMunicipalities(_, _, _)).WillOnce(::testing::Return(down));
  ASSERT_TRUE(Call(Request({"Utrecht"}), response).ok());
  EXPECT_TRUE(response.size_class_unchecked());
  ::testing::Mock::VerifyAndClearExpectations(&registry_);
  EXPECT_CALL(registry_, ListMunicipalities(_, _, _)).WillOnce([](auto*, const auto&, auto* out) {
    auto& municipality = *out->add_municipalities();
    municipality.set_code("GM0344");
    municipality.mutable_facts()->set_inhabitants(361'000);
    return grpc::Status::OK;
  });
  ASSERT_TRUE(Call(Request({"Utrecht"}), response).ok());
  EXPECT_FALSE(response.size_class_unchecked());
  EXPECT_THAT(response.results(0).issues(), SizeIs(1));
}

TEST_F(Service, KnowsAQuestionnaireByItsFingerprintOnceItHasSeenIt) {
  auto request = Request({"Urk"});
  const std::string fingerprint = survey::Fingerprint(request.questionnaire());
  auto by_name = request;
  by_name.clear_questionnaire();
  by_name.set_questionnaire_fingerprint(fingerprint);
  v1::ValidateResponsesResponse response;
  const absl::Status unknown = Call(by_name, response);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status::Reason(unknown), "QUESTIONNAIRE_UNKNOWN");
  ASSERT_TRUE(Call(request, response).ok());
  EXPECT_TRUE(Call(by_name, response).ok());
}

TEST_F(Service, NamesEveryWrongField) {
  v1::ValidateResponsesRequest request;
  request.set_frame_date("24 maart");
  v1::ValidateResponsesResponse response;
  absl::Status wrong = Call(request, response);
  EXPECT_EQ(status::Reason(wrong), "INVALID_REQUEST");
  std::vector<std::string> fields;
  for (const auto& [field, description] : status::FieldViolations(wrong)) fields.push_back(field);
  EXPECT_THAT(fields, ::testing::UnorderedElementsAre("questionnaire_fingerprint", "responses", "frame_date"));

  request = Request({"Urk"});
  request.mutable_responses(0)->set_last_section(-1);
  wrong = Call(request, response);
  ASSERT_THAT(status::FieldViolations(wrong), SizeIs(1));
  EXPECT_EQ(status::FieldViolations(wrong)[0].first, "responses[0].last_section");

  request = Request({"Urk"});
  for (int i = 0; i < 1000; ++i) request.add_responses();
  EXPECT_EQ(Call(request, response).code(), absl::StatusCode::kInvalidArgument);

  request = Request({"Urk"});
  request.set_questionnaire_fingerprint("0123");
  EXPECT_EQ(status::FieldViolations(Call(request, response))[0].first, "questionnaire_fingerprint");
}

TEST_F(Service, RefusesAQuestionnaireThatDoesNotHoldTogether) {
  auto request = Request({"Urk"});
  request.mutable_questionnaire()->mutable_sections(1)->set_ask("teams = ja");
  v1::ValidateResponsesResponse response;
  const absl::Status wrong = Call(request, response);
  EXPECT_EQ(status::Reason(wrong), "QUESTIONNAIRE_INVALID");
  EXPECT_EQ(status::FieldViolations(wrong)[0].first, "sections[1].ask");
}

TEST_F(Service, AnswersAStreamInTurnAndRemembersItsQuestionnaire) {
  grpc::ClientContext context;
  auto stream = stub_->StreamValidateResponses(&context);
  v1::ValidateResponsesResponse response;
  ASSERT_TRUE(stream->Write(Request({"Utrecht"})));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_THAT(response.results(0).issues(), SizeIs(1));
  v1::ValidateResponsesRequest next;
  Add(next, "Utrecht");
  Add(next, "Urk");
  ASSERT_TRUE(stream->Write(next));
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_THAT(response.results(), SizeIs(2));
  // Without a frame date no size class is checked.
  EXPECT_THAT(response.results(0).issues(), IsEmpty());
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Service, AStreamMustNameItsQuestionnaireFirst) {
  grpc::ClientContext context;
  auto stream = stub_->StreamValidateResponses(&context);
  v1::ValidateResponsesRequest request;
  Add(request, "Urk");
  stream->Write(request);
  v1::ValidateResponsesResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(Service, ChecksAQuestionnaire) {
  v1::CheckQuestionnaireRequest request;
  v1::CheckQuestionnaireResponse response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->CheckQuestionnaire(&context, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  *request.mutable_questionnaire() = survey::testing::Everything();
  request.mutable_questionnaire()->mutable_sections(1)->set_ask("teams == ja && teams == nee");
  request.mutable_questionnaire()->mutable_sections(2)->set_ask("x == ja");
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->CheckQuestionnaire(&context, request, &response).ok());
  ASSERT_THAT(response.findings(), SizeIs(2));
  EXPECT_EQ(response.findings(0).field(), "sections[1].ask");
  EXPECT_EQ(response.findings(0).severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(response.findings(1).severity(), v1::SEVERITY_ERROR);
  EXPECT_THAT(response.findings(1).message(), HasSubstr("column 1"));
  EXPECT_EQ(response.fingerprint(), survey::Fingerprint(request.questionnaire()));
}

TEST(ValidatorWithoutRegistry, SaysThatSizeClassesWereNotChecked) {
  Validator validator(1, nullptr);
  v1::ValidateResponsesRequest request;
  request.set_frame_date(kDay);
  *request.add_responses()->mutable_answers() = survey::testing::Answers(survey::testing::kFullAnswers);
  v1::ValidateResponsesResponse response;
  const auto plan = *ValidationPlan::Compile(survey::testing::Everything());
  ASSERT_TRUE(validator.Judge(*plan, request, {.make_context = nullptr, .cancelled = [] { return false; }}, response).ok());
  EXPECT_TRUE(response.size_class_unchecked());
}

TEST(ValidatorCancelled, StopsWhenNobodyWaits) {
  Validator validator(1, nullptr);
  v1::ValidateResponsesRequest request;
  for (int i = 0; i < 1000; ++i) request.add_responses();
  v1::ValidateResponsesResponse response;
  const auto plan = *ValidationPlan::Compile(survey::testing::Everything());
  int asked = 0;
  const absl::Status stopped =
      validator.Judge(*plan, request, {.make_context = nullptr, .cancelled = [&] { return ++asked > 2; }}, response);
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(response.results_size(), 128);
}

}  // namespace
}  // namespace peiling::validation

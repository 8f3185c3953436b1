#include "tests/ctl/fake_suite.h"

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"

namespace peiling::ctl::testing {
namespace {

std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

}  // namespace

// One call: reads all, then writes the answer.
class FakeSuite::Call : public grpc::ServerGenericBidiReactor {
 public:
  Call(FakeSuite& suite, std::string method) : suite_(suite), method_(std::move(method)) { StartRead(&read_); }

  void OnReadDone(bool ok) override {
    if (ok) {
      received_.push_back(Text(read_));
      StartRead(&read_);
      return;
    }
    answer_ = suite_.Take(method_, received_);
    WriteNext();
  }

  void OnWriteDone(bool) override { WriteNext(); }

  void OnCancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (idle_) FinishOnce(grpc::Status::CANCELLED);
  }

  void OnDone() override { delete this; }

 private:
  void WriteNext() {
    std::lock_guard lock(mutex_);
    if (cancelled_) return FinishOnce(grpc::Status::CANCELLED);
    if (next_ < answer_.messages.size()) {
      const grpc::Slice slice(answer_.messages[next_++]);
      write_ = grpc::ByteBuffer(&slice, 1);
      return StartWrite(&write_);
    }
    idle_ = true;
    if (!answer_.stays_open) FinishOnce(answer_.status);
  }

  void FinishOnce(const grpc::Status& status) {
    if (!finished_) Finish(status);
    finished_ = true;
  }

  FakeSuite& suite_;
  const std::string method_;
  grpc::ByteBuffer read_;
  grpc::ByteBuffer write_;
  std::vector<std::string> received_;
  Answer answer_;
  size_t next_ = 0;
  std::mutex mutex_;
  bool idle_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
};

class FakeSuite::Service : public grpc::CallbackGenericService {
 public:
  explicit Service(FakeSuite& suite) : suite_(suite) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override {
    return new Call(suite_, context->method());
  }

 private:
  FakeSuite& suite_;
};

FakeSuite::FakeSuite() : service_(std::make_unique<Service>(*this)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(service_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeSuite::~FakeSuite() { server_->Shutdown(std::chrono::system_clock::now()); }

void FakeSuite::Fails(const std::string& method, const absl::Status& status) {
  std::lock_guard lock(mutex_);
  answers_[method].status = status::ToGrpc(status);
}

void FakeSuite::Set(const std::string& method, Answer answer) {
  std::lock_guard lock(mutex_);
  answers_[method] = std::move(answer);
}

FakeSuite::Answer FakeSuite::Take(const std::string& method, const std::vector<std::string>& requests) {
  std::lock_guard lock(mutex_);
  for (const std::string& request : requests) requests_[method].push_back(request);
  const auto answer = answers_.find(method);
  if (answer == answers_.end()) return {.status = {grpc::StatusCode::UNIMPLEMENTED, method}};
  return answer->second;
}

std::string IntakeMethod(const std::string& name) { return "/peiling.intake.v1.IntakeService/" + name; }
std::string RegistryMethod(const std::string& name) { return "/peiling.registry.v1.RegistryService/" + name; }
std::string DedupMethod(const std::string& name) { return "/peiling.dedup.v1.DedupService/" + name; }
std::string AnalyticsMethod(const std::string& name) { return "/peiling.analytics.v1.AnalyticsService/" + name; }
std::string DraftMethod(const std::string& name) { return "/peiling.intake.v1.DraftService/" + name; }
std::string FieldworkMethod(const std::string& name) { return "/peiling.fieldwork.v1." + name; }

SuiteTest::SuiteTest() {
  const std::string wave = R"(name: "surveys/teams/waves/2022" title: "Teams 2022" questionnaire: "surveys/teams/questionnaires/2022"
                              frame_date: "2022-03-24" opened: "2022-04-04" response_count: 167)";
  suite_.Answers<intake::v1::ListWavesResponse>(IntakeMethod("ListWaves"), absl::StrCat("waves {", wave, "}"));
  suite_.Answers<intake::v1::GetWaveResponse>(IntakeMethod("GetWave"), absl::StrCat("wave {", wave, "}"));
  suite_.Answers<intake::v1::ListSurveysResponse>(IntakeMethod("ListSurveys"),
                                                  R"(surveys { name: "surveys/teams" title: "Sociale teams" })");
  suite_.Answers<intake::v1::GetQuestionnaireResponse>(IntakeMethod("GetQuestionnaire"), R"(
    name: "surveys/teams/questionnaires/2022"
    questionnaire {
      version: "2022"
      sections {
        title: "Algemeen"
        questions { code: "Q5" title: "Werkt uw gemeente met wijkteams?" type: QUESTION_TYPE_SINGLE required: true
                    options { code: "ja" label: "Ja" } options { code: "nee" label: "Nee" } }
        questions { code: "Q22" title: "Met wie?" type: QUESTION_TYPE_MATRIX ask: "Q5 == ja"
                    options { code: "vaak" label: "Vaak" } rows { code: "po" label: "Primair onderwijs" } }
        questions { code: "Q63" title: "Naam" type: QUESTION_TYPE_TEXT personal: true }
      }
    })");
}

}  // namespace peiling::ctl::testing

// doctor: what is wrong with a deployment, and the way out.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/doctor_findings.h"
#include "services/ctl/commands/doctor_metrics.h"
#include "services/ctl/commands/doctor_store.h"

namespace peiling::ctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A deployment that is ill may let every call wait.
constexpr milliseconds kTimeout{5000};
constexpr milliseconds kNotableDuration{1000};
constexpr uint64_t kNotableLag = 1000;
// Waves that are looked at; a long history is not.
constexpr int kMostWaves = 20;

struct Options {
  std::vector<std::string> metrics;
  std::vector<std::string> stores;
};

struct Service {
  const char* title;
  const char* name;
};
constexpr std::array<Service, 7> kServices = {{{"access", "peiling.access.v1.AccessService"},
                                               {"registry", "peiling.registry.v1.RegistryService"},
                                               {"validation", "peiling.validation.v1.ValidationService"},
                                               {"intake", "peiling.intake.v1.IntakeService"},
                                               {"dedup", "peiling.dedup.v1.DedupService"},
                                               {"analytics", "peiling.analytics.v1.AnalyticsService"},
                                               {"fieldwork", "peiling.fieldwork.v1.ProgressService"}}};

// Looks through the gateway.
class Examination {
 public:
  Examination(Session& session, Findings& findings)
      : connection_(session.connection()), server_(session.server()), timeout_(session.TimeoutOr(kTimeout)), findings_(findings) {}

  void Run() {
    if (!CheckGateway()) return;
    for (const Service& service : kServices) CheckService(service);
    CheckRegistry();
    CheckWaves();
  }

 private:
  // Whether anything can be asked.
  bool CheckGateway() {
    const auto health = connection_.Call(&Health::Check, grpc::health::v1::HealthCheckRequest(), timeout_);
    if (!health.ok()) {
      findings_.Wrong("gateway", absl::StrCat(server_, " does not answer: ", std::string(health.status().message())),
                      "is it running, and is --server its address? k8s/runbooks/failover.md");
      return false;
    }
    findings_.Well("gateway", absl::StrCat(server_, " answers"));
    return true;
  }

  void CheckService(const Service& service) {
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service.name);
    const auto health = connection_.Call(&Health::Check, request, timeout_);
    if (!health.ok()) {
      findings_.Wrong(service.title, absl::StrCat("its health is not known: ", std::string(health.status().message())),
                      absl::StrCat("is ", server_, " the address of the gateway?"));
    } else if (health->status() != grpc::health::v1::HealthCheckResponse::SERVING) {
      findings_.Wrong(service.title, "it is not ready",
                      "the last line \"not ready\" of its log has the reason; --store and --metrics look further");
    } else {
      findings_.Well(service.title, "ready");
    }
  }

  void CheckRegistry() {
    registry::v1::ResolveMunicipalityRequest request;
    request.set_text("Utrecht");
    request.set_as_of("2022-01-01");
    const auto answer = connection_.Call(&Registry::ResolveMunicipality, request, timeout_);
    if (!answer.ok()) return Failed("registry", answer.status());
    if (answer->resolution().kind() != registry::v1::RESOLUTION_KIND_EXACT) {
      findings_.Wrong("registry", "it does not know Utrecht", "its data is not that of the municipalities: see --data of peiling-registry");
    }
  }

  void CheckWaves() {
    intake::v1::ListWavesRequest request;
    request.set_parent("surveys/-");
    request.set_page_size(kMostWaves);
    const auto waves = connection_.Call(&Intake::ListWaves, request, timeout_);
    if (!waves.ok()) return Failed("intake", waves.status());
    if (waves->waves().empty()) return findings_.Well("waves", "there are none yet");
    CheckSubmission(waves->waves(0).name());
    for (const auto& wave : waves->waves()) CheckFeeds(wave.name());
  }

  // A response without answers is judged and not stored: gateway, intake, validation and store are all needed to say what is missing.
  void CheckSubmission(const std::string& wave) {
    intake::v1::SubmitResponseRequest request;
    request.set_parent(wave);
    request.mutable_response();
    request.set_request_id(RandomRequestId());
    request.set_validate_only(true);
    const auto begin = steady_clock::now();
    const auto answer = connection_.Call(&Intake::SubmitResponse, request, timeout_);
    const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
    if (!answer.ok() && status::Reason(answer.status()) != "RESPONSE_INVALID") return Failed("submission", answer.status());
    const std::string message = absl::StrCat("a trial submission to ", wave, " was judged in ", took.count(), " ms");
    if (took < kNotableDuration) return findings_.Well("submission", message);
    findings_.Warn("submission", message, "deploy/observability/runbooks/errors.md");
  }

  static uint64_t Submissions(const survey::v1::FeedPosition& position) {
    uint64_t all = position.submissions();
    for (const uint64_t further : position.further_submissions()) all += further;
    return all;
  }

  // How far dedup and analytics are behind what intake has.
  void CheckFeeds(const std::string& wave) {
    intake::v1::GetWaveRequest request;
    request.set_name(wave);
    const auto answer = connection_.Call(&Intake::GetWave, request, timeout_);
    if (!answer.ok()) return Failed(wave, answer.status());
    const uint64_t end = answer->wave().last_sequence();

    dedup::v1::GetCleaningReportRequest cleaning;
    cleaning.set_parent(wave);
    const auto cleaned = connection_.Call(&Dedup::GetCleaningReport, cleaning, timeout_);
    if (!cleaned.ok()) {
      Failed(absl::StrCat("dedup of ", wave), cleaned.status());
    } else {
      CheckLag("dedup", wave, end, Submissions(cleaned->position()));
    }

    analytics::v1::GetProgressRequest progress;
    progress.set_parent(wave);
    const auto counted = connection_.Call(&Analytics::GetProgress, progress, timeout_);
    if (!counted.ok()) {
      Failed(absl::StrCat("analytics of ", wave), counted.status());
    } else {
      CheckLag("analytics", wave, end, Submissions(counted->progress().position()));
    }
  }

  void CheckLag(const std::string& follower, const std::string& wave, uint64_t end, uint64_t position) {
    const uint64_t lag = end - std::min(end, position);
    const std::string subject = absl::StrCat(follower, " of ", wave);
    if (lag <= kNotableLag) return findings_.Well(subject, absl::StrCat("has ", position, " of ", end, " events"));
    findings_.Warn(subject, absl::StrCat("is ", lag, " events behind, of ", end),
                   "does it come nearer? deploy/observability/runbooks/feed-lag.md");
  }

  void Failed(const std::string& subject, const absl::Status& error) {
    const std::string reason = status::Reason(error);
    findings_.Wrong(
        subject, absl::StrCat("it cannot answer: ", std::string(error.message()), reason.empty() ? "" : absl::StrCat(" (", reason, ")")),
        absl::IsUnavailable(error) || absl::IsDeadlineExceeded(error) ? "see above what is not ready, and k8s/runbooks/failover.md"
                                                                      : "deploy/observability/runbooks/errors.md");
  }

  Connection& connection_;
  const std::string& server_;
  const milliseconds timeout_;
  Findings& findings_;
};

const char* Word(Finding::State state) {
  return state == Finding::State::kWell ? "well" : state == Finding::State::kWarning ? "warning" : "wrong";
}

Cell Sign(Finding::State state) {
  switch (state) {
    case Finding::State::kWell:
      return {"✓", Style::kGood};
    case Finding::State::kWarning:
      return {"!", Style::kWarning};
    case Finding::State::kWrong:
      break;
  }
  return {"✗", Style::kBad};
}

void Show(const Findings& findings, Output& output) {
  google::protobuf::Struct message;
  auto& list = *(*message.mutable_fields())["findings"].mutable_list_value();
  Table text({{""}, {"WHAT"}, {"HOW IT IS", Align::kLeft, false, true}, {"WHAT TO DO", Align::kLeft, false, true}});
  Table csv({{"STATE"}, {"WHAT"}, {"HOW IT IS"}, {"WHAT TO DO"}});
  for (const Finding& finding : findings.all()) {
    const std::string said = Printable(finding.message);
    auto& fields = *list.add_values()->mutable_struct_value()->mutable_fields();
    fields["state"].set_string_value(Word(finding.state));
    fields["what"].set_string_value(finding.subject);
    fields["how"].set_string_value(said);
    fields["remedy"].set_string_value(finding.remedy);
    text.Add({Sign(finding.state), finding.subject, said, finding.remedy});
    csv.Add({Word(finding.state), finding.subject, said, finding.remedy});
  }
  output.Show(message, text.ToText(output.out_terminal()), csv);
}

absl::StatusOr<ExitCode> Examine(Session& session, const Options& options) {
  Findings findings;
  Examination(session, findings).Run();
  for (const std::string& store : options.stores) CheckStore(store, findings);
  if (!options.metrics.empty()) CheckMetrics(options.metrics, session.TimeoutOr(kTimeout), findings);
  Show(findings, session.output());
  auto worst = Finding::State::kWell;
  for (const Finding& finding : findings.all()) worst = std::max(worst, finding.state);
  // 0, 1 and 2, as programs that watch others want it.
  return static_cast<ExitCode>(worst);
}

}  // namespace

void AddDoctor(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command = line.AddCommand(
      line.root(),
      {.name = "doctor",
       .description = "Look at a deployment and say what is wrong and the way out; exit code 0: well, 1: warnings, 2: wrong",
       .examples = "  peilingctl doctor                                             through the gateway alone\n"
                   "  peilingctl doctor --store 'redis+sentinel://s1,s2,s3/peiling'  and the store itself\n"
                   "  peilingctl doctor --metrics intake:9464 --metrics dedup:9464  and every process\n"
                   "  peilingctl doctor -o json\n"},
      [options](Session& session) { return Examine(session, *options); });
  command.add_option("--store", options->stores, "Address of a store, as its service has it; may be given more than once")
      ->allow_extra_args(false);
  command.add_option("--metrics", options->metrics, "host:port of a process's metrics; may be given more than once")
      ->allow_extra_args(false);
}

}  // namespace peiling::ctl

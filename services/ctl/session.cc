#include "services/ctl/session.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "services/common/deadline/deadline.h"
#include "services/common/files/exposure.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::ctl {
namespace {

constexpr char kSurveyPattern[] = "surveys/*";
constexpr char kWavePattern[] = "surveys/*/waves/*";

std::string SurveyOf(const std::string& wave) { return wave.substr(0, wave.find("/waves/")); }

template <class Items>
std::string ListNames(const Items& items) {
  return absl::StrJoin(items, ", ", [](std::string* out, const auto& item) { out->append(item.name()); });
}

// "sociale-wijkteams" or "surveys/sociale-wijkteams".
absl::StatusOr<std::string> SurveyNamed(const std::string& text) {
  if (names::Match(text, kSurveyPattern)) return text;
  if (names::IsId(text)) return absl::StrCat("surveys/", text);
  return UsageError(absl::StrFormat("--survey \"%s\" is no survey: want an id such as sociale-wijkteams", text));
}

absl::Status NoSuchWave(const std::string& id, const intake::v1::ListWavesResponse& waves) {
  const std::string there = waves.waves().empty() ? "there are none yet" : "there are: " + ListNames(waves.waves());
  return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrFormat("no wave \"%s\"; %s", id, there));
}

}  // namespace

absl::StatusOr<std::chrono::milliseconds> ParseTimeout(const std::string& text) {
  absl::Duration duration;
  double seconds = 0;
  const bool reads = absl::SimpleAtod(text, &seconds) ? (duration = absl::Seconds(seconds), true) : absl::ParseDuration(text, &duration);
  if (!reads || duration < absl::Milliseconds(1) || duration > absl::Hours(24)) {
    return UsageError(absl::StrFormat("--timeout \"%s\": want a time such as 500ms, 30s or 2m, at most 24h", text));
  }
  return absl::ToChronoMilliseconds(duration);
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const Flags& flags, Output& output) {
  std::unique_ptr<Session> session(new Session(flags, output));
  if (!flags.timeout.empty()) {
    const auto timeout = ParseTimeout(flags.timeout);
    if (!timeout.ok()) return timeout.status();
    session->timeout_ = *timeout;
    session->has_timeout_ = true;
  }
  const auto channel = OpenChannel(flags.server, flags.credentials);
  if (!channel.ok()) return channel.status();
  for (const std::string& secret : {flags.credentials.key_file, flags.credentials.token_file, flags.credentials.tls.key}) {
    if (const std::string exposure = files::Exposure(secret); !exposure.empty()) output.Warn(exposure);
  }
  session->connection_ = std::make_unique<Connection>(*channel, session->TimeoutOr(std::chrono::seconds(30)));
  return session;
}

void Session::SetDeadlineIfAsked(grpc::ClientContext& context) const {
  if (has_timeout_) deadline::Set(context, timeout_);
}

absl::StatusOr<std::string> Session::Survey() {
  if (!flags_.survey.empty()) return SurveyNamed(flags_.survey);
  if (!flags_.wave.empty()) {
    const auto wave = WaveName();
    if (!wave.ok()) return wave.status();
    return SurveyOf(*wave);
  }
  const auto surveys = connection_->CallAll(&Intake::ListSurveys, intake::v1::ListSurveysRequest());
  if (!surveys.ok()) return surveys.status();
  if (surveys->surveys_size() == 1) return surveys->surveys(0).name();
  if (surveys->surveys().empty()) return status::Error(absl::StatusCode::kNotFound, "SURVEY_NOT_FOUND", "there are no surveys yet");
  return UsageError(absl::StrCat("which survey? Say --survey ID; there are: ", ListNames(surveys->surveys())));
}

absl::StatusOr<std::string> Session::WaveName() {
  if (!wave_name_.empty()) return wave_name_;
  const std::string& text = flags_.wave;
  if (names::Match(text, kWavePattern)) return wave_name_ = text;
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  if (parts.size() == 2 && names::IsId(parts[0]) && names::IsId(parts[1])) {
    return wave_name_ = absl::StrCat("surveys/", parts[0], "/waves/", parts[1]);
  }
  if (!text.empty() && !names::IsId(text)) {
    return UsageError(
        absl::StrFormat("--wave \"%s\" is no wave: want 2022, sociale-wijkteams/2022 or surveys/sociale-wijkteams/waves/2022", text));
  }
  intake::v1::ListWavesRequest request;
  request.set_parent("surveys/-");
  if (!flags_.survey.empty()) {
    const auto survey = SurveyNamed(flags_.survey);
    if (!survey.ok()) return survey.status();
    request.set_parent(*survey);
  }
  const auto waves = connection_->CallAll(&Intake::ListWaves, request);
  if (!waves.ok()) return waves.status();
  intake::v1::ListWavesResponse fitting;
  for (const auto& wave : waves->waves()) {
    if (text.empty() || names::LastId(wave.name()) == text) *fitting.add_waves() = wave;
  }
  if (fitting.waves_size() == 1) return wave_name_ = fitting.waves(0).name();
  if (fitting.waves().empty()) return NoSuchWave(text, *waves);
  return UsageError(absl::StrCat("which wave? Say --wave (or set PEILING_WAVE); there are: ", ListNames(fitting.waves())));
}

absl::StatusOr<intake::v1::Wave> Session::Wave() {
  const auto name = WaveName();
  if (!name.ok()) return name.status();
  intake::v1::GetWaveRequest request;
  request.set_name(*name);
  const auto response = connection_->Call(&Intake::GetWave, request);
  if (!response.ok()) return response.status();
  return response->wave();
}

absl::StatusOr<survey::v1::Questionnaire> Session::Questionnaire() {
  const auto wave = Wave();
  if (!wave.ok()) return wave.status();
  intake::v1::GetQuestionnaireRequest request;
  request.set_name(wave->questionnaire());
  const auto response = connection_->Call(&Intake::GetQuestionnaire, request);
  if (!response.ok()) return response.status();
  return response->questionnaire();
}

absl::StatusOr<std::string> Session::Below(std::string_view collection, std::string_view id) {
  if (names::Match(id, absl::StrCat(kWavePattern, "/", std::string(collection), "/*"))) return std::string(id);
  if (!names::IsId(id))
    return UsageError(absl::StrFormat("\"%s\" is not the id of one of the %s", std::string(id), std::string(collection)));
  const auto wave = WaveName();
  if (!wave.ok()) return wave.status();
  return absl::StrCat(*wave, "/", std::string(collection), "/", std::string(id));
}

absl::StatusOr<std::string> Session::MunicipalityCode(const std::string& text) {
  if (text.size() == 6 && text.compare(0, 2, "GM") == 0) return text;
  const auto wave = Wave();
  if (!wave.ok()) return wave.status();
  registry::v1::ResolveMunicipalityRequest request;
  request.set_text(text);
  request.set_as_of(wave->frame_date());
  const auto response = connection_->Call(&Registry::ResolveMunicipality, request);
  if (!response.ok()) return response.status();
  const auto& resolution = response->resolution();
  if (resolution.kind() == registry::v1::RESOLUTION_KIND_EXACT && resolution.codes_size() == 1) return resolution.codes(0);
  std::vector<std::string> maybe(resolution.candidates().begin(), resolution.candidates().end());
  maybe.insert(maybe.end(), resolution.codes().begin(), resolution.codes().end());
  return status::Error(absl::StatusCode::kNotFound, "MUNICIPALITY_NOT_FOUND",
                       absl::StrCat("\"", text, "\" is not the name of one municipality on ", wave->frame_date(), ": ",
                                    resolution.explanation(), maybe.empty() ? "" : absl::StrCat(" (", absl::StrJoin(maybe, ", "), "?)")));
}

}  // namespace peiling::ctl

#include "services/dedup/upstream.h"

#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/deadline/deadline.h"
#include "services/common/log/log.h"
#include "services/common/status/errors.h"

namespace peiling::dedup {
namespace {

constexpr std::chrono::seconds kDeadline(5);
constexpr int kFramePage = 1000;

// A call with a deadline of its own.
template <typename Stub, typename Method, typename Request, typename Response>
absl::Status Call(Stub& stub, Method method, const Request& request, Response* response) {
  grpc::ClientContext context;
  deadline::Set(context, kDeadline);
  return status::FromGrpc((stub.*method)(&context, request, response));
}

using Intake = intake::v1::IntakeService::StubInterface;
using Registry = registry::v1::RegistryService::StubInterface;

registry::v1::Resolution Unknown(const std::string& text, const char* explanation) {
  registry::v1::Resolution resolution;
  resolution.set_text(text);
  resolution.set_kind(registry::v1::RESOLUTION_KIND_UNKNOWN);
  resolution.set_explanation(explanation);
  return resolution;
}

}  // namespace

absl::StatusOr<WaveSource> Upstream::FetchSource(const intake::v1::Wave& wave) {
  if (wave.frame_date().empty()) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "NO_FRAME_DATE", absl::StrCat(wave.name(), " has no frame date"),
                         {{"wave", wave.name()}});
  }
  WaveSource source{.wave = wave};
  intake::v1::GetQuestionnaireRequest request;
  request.set_name(wave.questionnaire());
  if (absl::Status got = Call(*intake_, &Intake::GetQuestionnaire, request, &source.questionnaire); !got.ok()) return got;
  auto frame = FetchFrame(wave.frame_date());
  if (!frame.ok()) return frame.status();
  source.frame = *std::move(frame);
  return source;
}

absl::StatusOr<registry::v1::ListMunicipalitiesResponse> Upstream::FetchFrame(const std::string& frame_date) {
  registry::v1::ListMunicipalitiesResponse frame;
  registry::v1::ListMunicipalitiesRequest request;
  request.set_as_of(frame_date);
  request.set_page_size(kFramePage);
  do {
    registry::v1::ListMunicipalitiesResponse page;
    if (absl::Status got = Call(*registry_, &Registry::ListMunicipalities, request, &page); !got.ok()) return got;
    for (const auto& municipality : page.municipalities()) {
      registry::v1::Municipality& kept = *frame.add_municipalities();
      kept.set_code(municipality.code());
      kept.set_title(municipality.title());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return frame;
}

absl::StatusOr<std::vector<registry::v1::Resolution>> Upstream::Resolve(const std::vector<std::string>& texts, const std::string& as_of) {
  std::map<std::string, registry::v1::Resolution> by_text;
  std::vector<std::string> to_ask;
  for (const std::string& text : texts) {
    if (text.empty()) {
      by_text.try_emplace(text, Unknown(text, "Er is niets ingevuld."));
    } else if (by_text.try_emplace(text).second) {
      to_ask.push_back(text);
    }
  }
  if (!to_ask.empty()) {
    auto resolved = ResolveTogether(to_ask, as_of);
    if (absl::IsInvalidArgument(resolved.status())) resolved = ResolveOneByOne(to_ask, as_of);
    if (!resolved.ok()) return resolved.status();
    for (size_t i = 0; i < to_ask.size(); ++i) by_text[to_ask[i]] = std::move((*resolved)[i]);
  }
  std::vector<registry::v1::Resolution> resolutions;
  resolutions.reserve(texts.size());
  for (const std::string& text : texts) resolutions.push_back(by_text.at(text));
  return resolutions;
}

absl::StatusOr<std::vector<registry::v1::Resolution>> Upstream::ResolveTogether(const std::vector<std::string>& texts,
                                                                                const std::string& as_of) {
  registry::v1::BatchResolveMunicipalitiesRequest request;
  request.mutable_texts()->Assign(texts.begin(), texts.end());
  request.set_as_of(as_of);
  registry::v1::BatchResolveMunicipalitiesResponse response;
  if (absl::Status got = Call(*registry_, &Registry::BatchResolveMunicipalities, request, &response); !got.ok()) return got;
  if (static_cast<size_t>(response.resolutions_size()) != texts.size()) {
    return status::Error(absl::StatusCode::kInternal, "RESOLUTIONS_MISSING",
                         absl::StrCat("the registry answered ", response.resolutions_size(), " of ", texts.size(), " texts"));
  }
  return std::vector<registry::v1::Resolution>(response.resolutions().begin(), response.resolutions().end());
}

absl::StatusOr<std::vector<registry::v1::Resolution>> Upstream::ResolveOneByOne(const std::vector<std::string>& texts,
                                                                                const std::string& as_of) {
  std::vector<registry::v1::Resolution> resolutions;
  for (const std::string& text : texts) {
    registry::v1::ResolveMunicipalityRequest request;
    request.set_text(text);
    request.set_as_of(as_of);
    registry::v1::ResolveMunicipalityResponse response;
    absl::Status got = Call(*registry_, &Registry::ResolveMunicipality, request, &response);
    if (absl::IsInvalidArgument(got)) {
      log::Error("the registry refuses a municipality as typed; it counts as unknown",
                 {{"reason", status::Reason(got)}, {"bytes", std::to_string(text.size())}});
      resolutions.push_back(Unknown(text, "Deze tekst kan geen naam van een gemeente zijn."));
      continue;
    }
    if (!got.ok()) return got;
    resolutions.push_back(std::move(*response.mutable_resolution()));
  }
  return resolutions;
}

}  // namespace peiling::dedup

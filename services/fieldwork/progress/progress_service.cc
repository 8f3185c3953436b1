#include "services/fieldwork/progress/progress_service.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "services/common/deadline/deadline.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/progress/calls.h"
#include "services/fieldwork/progress/fieldwork_days.h"
#include "services/fieldwork/progress/standing.h"
#include "services/fieldwork/progress/strata.h"
#include "services/fieldwork/progress/validate.h"

namespace peiling::fieldwork {
namespace {

using grpc::ServerContext;

// How long analytics may take for one answer.
constexpr std::chrono::seconds kPatience(5);

// "surveys/s/waves/" of any of its waves.
std::string SiblingsOf(const std::string& wave) { return wave.substr(0, wave.size() - names::LastId(wave).size()); }

std::string NameInDutch(const intake::v1::Wave& wave) { return wave.title().empty() ? names::LastId(wave.name()) : wave.title(); }

}  // namespace

absl::StatusOr<analytics::v1::Progress> ProgressService::Ask(ServerContext& context, const std::string& wave, const std::string& as_of) {
  analytics::v1::GetProgressRequest request;
  request.set_parent(wave);
  request.set_as_of(as_of);
  const auto call = grpc::ClientContext::FromServerContext(context);
  deadline::Set(*call, std::min(context.deadline(), std::chrono::system_clock::now() + kPatience));
  analytics::v1::GetProgressResponse response;
  const absl::Status asked = status::FromGrpc(analytics_->GetProgress(call.get(), request, &response));
  if (!asked.ok()) return asked;
  return std::move(*response.mutable_progress());
}

std::vector<std::shared_ptr<const WaveDetails>> ProgressService::EarlierThan(const intake::v1::Wave& wave) const {
  const auto opening = OpeningDay(wave);
  std::vector<std::shared_ptr<const WaveDetails>> earlier;
  if (!opening.has_value()) return earlier;
  for (const std::string& name : sources_.book.Waves()) {
    if (SiblingsOf(name) != SiblingsOf(wave.name())) continue;
    auto other = sources_.book.Get(name);
    if (other.ok() && OpeningDay((*other)->wave).has_value() && *OpeningDay((*other)->wave) < *opening)
      earlier.push_back(*std::move(other));
  }
  std::sort(earlier.begin(), earlier.end(), [](const auto& a, const auto& b) { return *OpeningDay(a->wave) > *OpeningDay(b->wave); });
  if (earlier.size() > kMostEarlierWaves) earlier.resize(kMostEarlierWaves);
  return earlier;
}

ResponseSoFar ProgressService::ReadResponse(ServerContext& context, const intake::v1::Wave& wave, int day, Notices& notices) {
  ResponseSoFar response;
  auto now = Ask(context, wave.name(), "");
  if (now.ok()) {
    notices.MergeFrom(now->notices());
    response.now = *std::move(now);
  } else {
    if (!wave.synthetic_notice().empty()) *notices.Add() = wave.synthetic_notice();
    *notices.Add() = "De bruikbare respons is op dit moment niet bekend.";
  }
  for (const auto& other : EarlierThan(wave)) {
    auto same_day = Ask(context, other->wave.name(), absl::FormatCivilTime(DayWithNumber(other->wave, day)));
    auto at_end = same_day.ok() ? Ask(context, other->wave.name(), "") : same_day;
    if (at_end.ok()) {
      response.earlier.push_back({other->wave.name(), *std::move(same_day), *std::move(at_end)});
    } else {
      *notices.Add() = absl::StrCat("De respons van ", NameInDutch(other->wave), " is op dit moment niet bekend.");
    }
  }
  return response;
}

absl::Status ProgressService::SetCallee(const std::string& contact, v1::Call& call) {
  std::vector<v1::Contact> candidates;
  if (!contact.empty()) {
    auto first = contacts_.Get(contact);
    if (!first.ok() && !absl::IsNotFound(first.status())) return first.status();
    if (first.ok()) candidates.push_back(*std::move(first));
  }
  auto others = contacts_.Usable(call.progress().municipality(), calendar::DayOf(clock_()));
  if (!others.ok()) return others.status();
  std::move(others->begin(), others->end(), std::back_inserter(candidates));
  if (candidates.empty()) return absl::OkStatus();
  auto callee = std::find_if(candidates.begin(), candidates.end(), [](const v1::Contact& candidate) { return !candidate.phone().empty(); });
  if (callee == candidates.end()) callee = candidates.begin();
  call.set_full_name(callee->full_name());
  call.set_phone(callee->phone());
  call.set_job_title(callee->job_title());
  return absl::OkStatus();
}

grpc::Status ProgressService::GetFieldworkProgress(ServerContext* context, const v1::GetFieldworkProgressRequest* request,
                                                   v1::GetFieldworkProgressResponse* response) {
  if (absl::Status valid = Validate(*request); !valid.ok()) return status::ToGrpc(valid);
  const auto facts = ReadWaveFacts(sources_, request->parent());
  if (!facts.ok()) return status::ToGrpc(facts.status());
  const intake::v1::Wave& wave = facts->wave->wave;
  const absl::Time now = clock_();
  const int day = FieldworkDay(wave, now);
  const ResponseSoFar so_far = ReadResponse(*context, wave, day, *response->mutable_notices());
  *response->mutable_time() = calendar::ToProto(now);
  response->set_fieldwork_day(day);
  for (auto& line : LinesOf(wave, StrataOf(*facts->wave), StandingOf(*facts), so_far)) *response->add_lines() = std::move(line);
  return grpc::Status::OK;
}

grpc::Status ProgressService::ListMunicipalityProgress(ServerContext*, const v1::ListMunicipalityProgressRequest* request,
                                                       v1::ListMunicipalityProgressResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  const auto facts = ReadWaveFacts(sources_, request->parent());
  if (!facts.ok()) return status::ToGrpc(facts.status());
  for (Standing& standing : StandingOf(*facts)) {
    if (standing.shown.municipality() <= page.after) continue;
    if (request->stage() != v1::FIELDWORK_STAGE_UNSPECIFIED && standing.shown.stage() != request->stage()) continue;
    if (response->municipalities_size() == page.size) {
      response->set_next_page_token(paging::NextPageToken(*request, response->municipalities(page.size - 1).municipality()));
      break;
    }
    *response->add_municipalities() = std::move(standing.shown);
  }
  return grpc::Status::OK;
}

grpc::Status ProgressService::ListCalls(ServerContext* context, const v1::ListCallsRequest* request, v1::ListCallsResponse* response) {
  paging::Page page;
  if (absl::Status valid = Validate(*request, page); !valid.ok()) return status::ToGrpc(valid);
  const auto facts = ReadWaveFacts(sources_, request->parent());
  if (!facts.ok()) return status::ToGrpc(facts.status());
  const intake::v1::Wave& wave = facts->wave->wave;
  const absl::Time now = clock_();
  if (IsOver(wave, now)) return grpc::Status::OK;
  ResponseSoFar so_far;
  if (auto counted = Ask(*context, wave.name(), ""); counted.ok()) so_far.now = *std::move(counted);
  const std::vector<Standing> standings = StandingOf(*facts);
  const std::vector<Stratum> strata = StrataOf(*facts->wave);
  const std::vector<v1::FieldworkLine> lines = LinesOf(wave, strata, standings, so_far);
  const std::vector<PlannedCall> calls = CallsOf(standings, strata, lines, now);
  std::string last;
  // Of the first page empty: before all.
  const std::optional<CallPlace> after = CallPlace::Parse(page.after);
  for (const PlannedCall& planned : calls) {
    if (after.has_value() && !(*after < planned.place)) continue;
    if (response->calls_size() == page.size) {
      response->set_next_page_token(paging::NextPageToken(*request, last));
      break;
    }
    v1::Call& call = *response->add_calls();
    *call.mutable_progress() = standings[planned.municipality].shown;
    call.set_reason(planned.place.reason);
    *call.mutable_stratum() = lines[planned.place.line];
    if (absl::Status set = SetCallee(standings[planned.municipality].contact, call); !set.ok()) return status::ToGrpc(set);
    last = planned.place.ToText();
  }
  return grpc::Status::OK;
}

}  // namespace peiling::fieldwork

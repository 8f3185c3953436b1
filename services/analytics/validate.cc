#include "services/analytics/validate.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/paging/paging.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

constexpr char kWave[] = "surveys/*/waves/*";
constexpr char kSurvey[] = "surveys/*";
// A questionnaire has no more questions than this, so nobody needs to ask for more.
constexpr int kMaxQuestions = 1000;
constexpr int kMaxFilters = 50;

void CheckNotEmpty(const std::string& field, const std::string& value, status::BadRequest& bad) {
  if (value.empty()) bad.Add(field, "\"\", want non-empty");
}

void CheckWaveId(const std::string& field, const std::string& id, status::BadRequest& bad) {
  if (!names::IsId(id)) bad.Add(field, absl::StrCat("\"", id, "\", want the id of a wave such as \"2019\""));
}

void CheckWaitFor(const sv::FeedPosition& position, status::BadRequest& bad) {
  if (position.further_submissions_size() >= names::kMaxPartitions) {
    bad.Add("wait_for.further_submissions", absl::StrCat("want at most ", names::kMaxPartitions - 1));
  }
}

void CheckOption(const std::string& field, const sv::OptionCount& option, status::BadRequest& bad) {
  CheckNotEmpty(field + ".question", option.question(), bad);
  CheckNotEmpty(field + ".option", option.option(), bad);
}

void CheckStratum(const std::string& field, const sv::StratumFilter& stratum, status::BadRequest& bad) {
  switch (stratum.stratum_case()) {
    case sv::StratumFilter::kSizeClass:
      if (!sv::SizeClass_IsValid(stratum.size_class()) || stratum.size_class() == sv::SIZE_CLASS_UNSPECIFIED) {
        bad.Add(field + ".size_class", "want one of the size classes");
      }
      break;
    case sv::StratumFilter::kProvince:
      CheckNotEmpty(field + ".province", stratum.province(), bad);
      break;
    case sv::StratumFilter::kGroup:
      CheckNotEmpty(field + ".group", stratum.group(), bad);
      break;
    case sv::StratumFilter::kTookPartIn:
      CheckWaveId(field + ".took_part_in", stratum.took_part_in(), bad);
      break;
    case sv::StratumFilter::STRATUM_NOT_SET:
      bad.Add(field, "empty, want a size class, province, group or earlier wave");
  }
}

void CheckFilter(const std::string& field, const v1::Filter& filter, status::BadRequest& bad) {
  switch (filter.on_case()) {
    case v1::Filter::kStratum:
      CheckStratum(field + ".stratum", filter.stratum(), bad);
      break;
    case v1::Filter::kOption:
      CheckOption(field + ".option", filter.option(), bad);
      break;
    case v1::Filter::kComplete:
      break;
    case v1::Filter::ON_NOT_SET:
      bad.Add(field, "empty, want a stratum, an option or complete");
  }
}

// Each once, so that an answer is no larger than a table of all questions.
void CheckQuestions(const google::protobuf::RepeatedPtrField<std::string>& questions, status::BadRequest& bad) {
  if (questions.size() > kMaxQuestions) return bad.Add("questions", absl::StrCat("more than ", kMaxQuestions));
  std::set<std::string> seen;
  for (int i = 0; i < questions.size(); ++i) {
    if (!seen.insert(questions[i]).second) bad.Add(absl::StrCat("questions[", i, "]"), absl::StrCat("\"", questions[i], "\" twice"));
  }
}

void CheckBreakdown(const v1::Breakdown& by, status::BadRequest& bad) {
  switch (by.by_case()) {
    case v1::Breakdown::kStratum:
      if (by.stratum() != v1::STRATUM_SIZE_CLASS && by.stratum() != v1::STRATUM_PROVINCE) {
        bad.Add("by.stratum", "want STRATUM_SIZE_CLASS or STRATUM_PROVINCE");
      }
      break;
    case v1::Breakdown::kQuestion:
      CheckNotEmpty("by.question", by.question(), bad);
      break;
    case v1::Breakdown::kGroup:
      CheckNotEmpty("by.group", by.group(), bad);
      break;
    case v1::Breakdown::kTookPartIn:
      CheckWaveId("by.took_part_in", by.took_part_in(), bad);
      break;
    case v1::Breakdown::BY_NOT_SET:
      bad.Add("by", "empty, want a stratum, a question, a group or an earlier wave, or no `by` at all");
  }
}

}  // namespace

absl::Status Validate(const v1::TabulateRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  CheckQuestions(request.questions(), bad);
  if (request.has_by()) CheckBreakdown(request.by(), bad);
  CheckWaitFor(request.wait_for(), bad);
  if (request.filters_size() > kMaxFilters) {
    bad.Add("filters", absl::StrCat("more than ", kMaxFilters));
  } else {
    for (int i = 0; i < request.filters_size(); ++i) CheckFilter(absl::StrCat("filters[", i, "]"), request.filters(i), bad);
  }
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetProgressRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  if (!request.as_of().empty() && !names::IsDate(request.as_of())) {
    bad.Add("as_of", absl::StrCat("\"", request.as_of(), "\", want a day that exists, YYYY-MM-DD"));
  }
  CheckWaitFor(request.wait_for(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::WatchProgressRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::GetTrendRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kSurvey, bad);
  CheckOption("option", request.option(), bad);
  if (!request.base_wave().empty()) CheckWaveId("base_wave", request.base_wave(), bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListTrendsRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kSurvey, bad);
  paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::CompareWithPublishedRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWave, bad);
  CheckWaitFor(request.wait_for(), bad);
  return bad.ToStatus();
}

}  // namespace peiling::analytics

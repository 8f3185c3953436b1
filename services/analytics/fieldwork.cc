#include "services/analytics/fieldwork.h"

#include <algorithm>

#include "services/analytics/figure.h"
#include "services/common/names/resource_names.h"

namespace peiling::analytics {

namespace dv = dedup::v1;
namespace sv = survey::v1;

namespace {

// Of a saved response: tags, lengths and numbers, at most.
constexpr size_t kLongestVarint = 5;
constexpr size_t kResponseOverhead = 32;

// Whether its municipality has something to count, be it this response or a better one.
bool Counts(dv::Disposition disposition) {
  return disposition == dv::DISPOSITION_KEPT || disposition == dv::DISPOSITION_RESTART ||
         disposition == dv::DISPOSITION_COLLEAGUE_DUPLICATE;
}

bool MunicipalityUnknown(dv::Disposition disposition) {
  return disposition == dv::DISPOSITION_MUNICIPALITY_UNKNOWN || disposition == dv::DISPOSITION_AMBIGUOUS;
}

absl::CivilDay DayOf(const google::protobuf::Timestamp& time, const absl::TimeZone& zone) {
  return absl::ToCivilDay(absl::FromUnixSeconds(time.seconds()), zone);
}

const char* StratumName(ClassKind kind) {
  switch (kind) {
    case ClassKind::kSizeClass:
      return "size_class";
    case ClassKind::kProvince:
      return "province";
    case ClassKind::kGroup:
      return "group";
  }
  return "";
}

}  // namespace

// What a day's stand is summed from.
struct Fieldwork::Stand {
  int64_t started = 0;
  int64_t started_unknown = 0;
  // By class.
  std::vector<int64_t> started_of_class;
  Bitmap usable;
  Bitmap submitted;
  // Municipalities whose record is from a response that was never submitted.
  Bitmap kept_unsubmitted;
};

Fieldwork::Fieldwork(std::shared_ptr<const Frame> frame, absl::TimeZone zone) : frame_(std::move(frame)), zone_(zone) {}

void Fieldwork::Put(const dv::Decision& decision) {
  Response response;
  response.disposition = decision.disposition();
  response.started = DayOf(decision.started_at(), zone_);
  if (decision.has_submitted_at()) response.submitted = DayOf(decision.submitted_at(), zone_);
  if (!MunicipalityUnknown(decision.disposition())) {
    for (const auto& code : decision.municipality_codes()) {
      const MunicipalityIndex municipality = frame_->Find(code);
      if (municipality == kNotInFrame) continue;
      const bool kept = std::find(decision.kept_for().begin(), decision.kept_for().end(), code) != decision.kept_for().end();
      response.municipalities.emplace_back(municipality, kept);
    }
  }
  responses_[names::LastId(decision.response())] = std::move(response);
}

void Fieldwork::Save(PartWriter& parts) const {
  for (const auto& [id, response] : responses_) {
    auto& saved = *parts.RoomFor(id.size() + kResponseOverhead + response.municipalities.size() * kLongestVarint).add_responses();
    saved.set_id(id);
    saved.set_disposition(response.disposition);
    saved.set_started_day(static_cast<int32_t>(response.started - absl::CivilDay()));
    if (response.submitted) saved.set_submitted_day(static_cast<int32_t>(*response.submitted - absl::CivilDay()));
    for (const auto& [municipality, kept] : response.municipalities) {
      saved.add_municipalities(2 * static_cast<uint32_t>(municipality) + (kept ? 1 : 0));
    }
  }
}

bool Fieldwork::Load(const snapshot::Part& part) {
  for (const auto& saved : part.responses()) {
    if (!dv::Disposition_IsValid(saved.disposition())) return false;
    Response response;
    response.disposition = static_cast<dv::Disposition>(saved.disposition());
    response.started = absl::CivilDay() + saved.started_day();
    if (saved.has_submitted_day()) response.submitted = absl::CivilDay() + saved.submitted_day();
    for (const uint32_t municipality : saved.municipalities()) {
      if (municipality / 2 >= static_cast<uint32_t>(frame_->size())) return false;
      response.municipalities.emplace_back(static_cast<MunicipalityIndex>(municipality / 2), municipality % 2 != 0);
    }
    if (!responses_.try_emplace(saved.id(), std::move(response)).second) return false;
  }
  return true;
}

void Fieldwork::CountStarted(const Response& response, Stand& stand) const {
  ++stand.started;
  if (MunicipalityUnknown(response.disposition)) ++stand.started_unknown;
  std::vector<int> touched;
  for (const auto& [municipality, kept] : response.municipalities) {
    for (const int municipality_class : frame_->ClassesOf(municipality)) {
      if (std::find(touched.begin(), touched.end(), municipality_class) != touched.end()) continue;
      touched.push_back(municipality_class);
      ++stand.started_of_class[municipality_class];
    }
  }
}

v1::Progress Fieldwork::On(std::optional<absl::CivilDay> day) const {
  const auto by_then = [&](absl::CivilDay event) { return !day || event <= *day; };
  Stand stand;
  stand.started_of_class.resize(frame_->classes().size());
  for (const auto& [name, response] : responses_) {
    if (!by_then(response.started)) continue;
    CountStarted(response, stand);
    if (!Counts(response.disposition)) continue;
    for (const auto& [municipality, kept] : response.municipalities) {
      stand.usable.Set(municipality);
      if (response.submitted && by_then(*response.submitted)) stand.submitted.Set(municipality);
      if (kept && !response.submitted) stand.kept_unsubmitted.Set(municipality);
    }
  }
  Bitmap complete = stand.submitted;
  complete.AndNot(stand.kept_unsubmitted);

  v1::Progress progress;
  if (day) progress.set_as_of(absl::FormatCivilTime(*day));
  progress.set_started_unknown(stand.started_unknown);
  const auto add_line = [&](const char* stratum, const std::string& code, const std::string& label, const Bitmap& among, int64_t started) {
    auto& line = *progress.add_lines();
    line.set_stratum(stratum);
    line.set_code(code);
    line.set_label(label);
    line.set_municipalities(among.Count());
    line.set_started(started);
    line.set_usable(CountAnd(stand.usable, among));
    line.set_complete(CountAnd(complete, among));
    if (const auto percent = Percent({line.usable(), line.municipalities()})) line.set_response_percent(*percent);
  };
  add_line("total", "total", "Totaal", frame_->all(), stand.started);
  for (size_t i = 0; i < frame_->classes().size(); ++i) {
    const auto& of_class = frame_->classes()[i];
    add_line(StratumName(of_class.kind), of_class.code, of_class.label, of_class.municipalities, stand.started_of_class[i]);
  }
  return progress;
}

int64_t Fieldwork::Responses(sv::FieldworkCount count, const Bitmap* among) const {
  const auto is_counted = [&](const Response& response) {
    const bool kept = response.disposition == dv::DISPOSITION_KEPT;
    switch (count) {
      case sv::FIELDWORK_COUNT_STARTED:
        return true;
      case sv::FIELDWORK_COUNT_KEPT:
        return kept;
      case sv::FIELDWORK_COUNT_JOINT_QUESTIONNAIRES:
        return kept && response.municipalities.size() > 1;
      default:
        return false;
    }
  };
  const auto is_among = [&](const Response& response) {
    return among == nullptr || std::any_of(response.municipalities.begin(), response.municipalities.end(),
                                           [&](const auto& about) { return among->Test(about.first); });
  };
  return std::count_if(responses_.begin(), responses_.end(),
                       [&](const auto& entry) { return is_counted(entry.second) && is_among(entry.second); });
}

}  // namespace peiling::analytics

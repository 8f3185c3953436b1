#include "services/analytics/dutch.h"

#include "absl/strings/str_cat.h"
#include "services/analytics/figure.h"
#include "services/common/survey/size_class.h"

namespace peiling::analytics {

namespace sv = survey::v1;

std::string DutchNumber(int64_t number) {
  std::string text = std::to_string(number);
  const int first_digit = number < 0 ? 1 : 0;
  for (int at = static_cast<int>(text.size()) - 3; at > first_digit; at -= 3) text.insert(at, ".");
  return text;
}

std::string DutchShare(int64_t k, int64_t n) {
  const std::string counts = absl::StrCat(DutchNumber(k), " van ", DutchNumber(n));
  const auto percent = Percent({k, n});
  return percent ? absl::StrCat(counts, " (", *percent, " procent)") : counts;
}

std::string FieldworkLabel(sv::FieldworkCount count) {
  switch (count) {
    case sv::FIELDWORK_COUNT_MUNICIPALITIES:
      return "Gemeenten";
    case sv::FIELDWORK_COUNT_STARTED:
      return "Gestarte vragenlijsten";
    case sv::FIELDWORK_COUNT_USABLE:
      return "Bruikbare vragenlijsten";
    case sv::FIELDWORK_COUNT_COMPLETE:
      return "Volledig ingevulde vragenlijsten";
    case sv::FIELDWORK_COUNT_PARTIAL:
      return "Gedeeltelijk ingevulde vragenlijsten";
    case sv::FIELDWORK_COUNT_JOINT_QUESTIONNAIRES:
      return "Vragenlijsten namens meer gemeenten";
    case sv::FIELDWORK_COUNT_KEPT:
      return "Behouden vragenlijsten";
    default:
      return "";
  }
}

std::string StratumLabel(const sv::StratumFilter& filter) {
  const std::string outside = filter.except() ? "Buiten " : "";
  switch (filter.stratum_case()) {
    case sv::StratumFilter::kSizeClass:
      return absl::StrCat(outside, survey::SizeClassLabel(filter.size_class()));
    case sv::StratumFilter::kProvince:
      return absl::StrCat(outside, "Provincie ", filter.province());
    case sv::StratumFilter::kGroup:
      return absl::StrCat(outside, filter.group());
    case sv::StratumFilter::kTookPartIn:
      return absl::StrCat(filter.except() ? "Deed niet mee in " : "Deed ook mee in ", filter.took_part_in());
    case sv::StratumFilter::STRATUM_NOT_SET:
      break;
  }
  return "";
}

}  // namespace peiling::analytics

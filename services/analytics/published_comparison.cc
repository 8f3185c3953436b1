#include "services/analytics/published_comparison.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/analytics/dutch.h"
#include "services/common/status/errors.h"

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

// Counts a report's measures.
class Calculator {
 public:
  Calculator(const WaveIndex& index, const Fieldwork& fieldwork, const Overlaps& overlaps)
      : index_(index), fieldwork_(fieldwork), overlaps_(overlaps) {}

  // A count without a base has n 0.
  absl::StatusOr<Counted> Measure(const sv::Measure& measure) const {
    const auto base = Narrow({index_.All(), index_.frame().all(), true}, measure.strata());
    if (!base.ok()) return base.status();
    const auto among = Narrow(*base, measure.count_strata());
    if (!among.ok()) return among.status();
    const auto k = Count(measure.count(), *among);
    if (!k.ok()) return k.status();
    if (measure.has_base()) {
      const auto n = Count(measure.base(), *base);
      if (!n.ok()) return n.status();
      return Counted{*k, *n};
    }
    if (!measure.count().has_option()) return Counted{*k, 0};
    const auto place = FindOption(index_.questionnaire(), measure.count().option());
    return Counted{*k, CountAnd(Base(index_, *place), base->records)};
  }

  absl::StatusOr<Counted> ShareOfRecords(const sv::StratumFilter& stratum) const {
    const auto records = RecordsOf(index_, stratum, overlaps_);
    if (!records.ok()) return records.status();
    return Counted{records->Count(), index_.records()};
  }

  absl::StatusOr<Counted> ShareOfFrame(const sv::StratumFilter& stratum) const {
    const auto municipalities = MunicipalitiesOf(index_.frame(), stratum, overlaps_);
    if (!municipalities.ok()) return municipalities.status();
    return Counted{municipalities->Count(), index_.frame().size()};
  }

 private:
  // Who is counted.
  struct Among {
    Bitmap records;
    Bitmap municipalities;
    // Not narrowed: also responses nobody knows the municipality of.
    bool everybody;
  };

  absl::StatusOr<Among> Narrow(Among among, const google::protobuf::RepeatedPtrField<sv::StratumFilter>& strata) const {
    for (const auto& stratum : strata) {
      const auto records = RecordsOf(index_, stratum, overlaps_);
      if (!records.ok()) return records.status();
      const auto municipalities = MunicipalitiesOf(index_.frame(), stratum, overlaps_);
      if (!municipalities.ok()) return municipalities.status();
      among.records &= *records;
      among.municipalities &= *municipalities;
      among.everybody = false;
    }
    return among;
  }

  absl::StatusOr<int64_t> Count(const sv::Count& count, const Among& among) const {
    switch (count.of_case()) {
      case sv::Count::kOption: {
        const auto place = FindOption(index_.questionnaire(), count.option());
        if (!place.ok()) return place.status();
        return CountOption(index_, *place, among.records).k;
      }
      case sv::Count::kAlsoInWave: {
        const auto overlap = FindOverlap(overlaps_, count.also_in_wave());
        if (!overlap.ok()) return overlap.status();
        return CountAnd(index_.Of(**overlap), among.records);
      }
      case sv::Count::kFieldwork:
        return CountFieldwork(count.fieldwork(), among);
      case sv::Count::OF_NOT_SET:
        break;
    }
    return status::Error(absl::StatusCode::kFailedPrecondition, "PUBLISHED_REPORT_INVALID",
                         "a published figure does not say what it counts");
  }

  int64_t CountFieldwork(sv::FieldworkCount count, const Among& among) const {
    switch (count) {
      case sv::FIELDWORK_COUNT_MUNICIPALITIES:
        return among.municipalities.Count();
      case sv::FIELDWORK_COUNT_USABLE:
        return among.records.Count();
      case sv::FIELDWORK_COUNT_COMPLETE:
        return CountAnd(index_.Complete(), among.records);
      case sv::FIELDWORK_COUNT_PARTIAL:
        return among.records.Count() - CountAnd(index_.Complete(), among.records);
      default:
        return fieldwork_.Responses(count, among.everybody ? nullptr : &among.municipalities);
    }
  }

  const WaveIndex& index_;
  const Fieldwork& fieldwork_;
  const Overlaps& overlaps_;
};

std::string Label(const survey::CompiledQuestionnaire& questionnaire, const sv::Count& count) {
  switch (count.of_case()) {
    case sv::Count::kOption: {
      const auto place = FindOption(questionnaire, count.option());
      if (!place.ok()) return "";
      const auto& question = *questionnaire.questions()[place->question].question;
      const std::string row = place->row < 0 ? "" : absl::StrCat(question.rows(place->row).label(), ": ");
      return absl::StrCat(question.title(), " ", row, question.options(place->option).label());
    }
    case sv::Count::kAlsoInWave:
      return absl::StrCat("Gemeenten die ook meededen in ", count.also_in_wave());
    default:
      return FieldworkLabel(count.fieldwork());
  }
}

std::string Label(const survey::CompiledQuestionnaire& questionnaire, const sv::Measure& measure) {
  std::string label = Label(questionnaire, measure.count());
  std::vector<std::string> strata;
  for (const auto& stratum : measure.count_strata()) strata.push_back(StratumLabel(stratum));
  for (const auto& stratum : measure.strata()) strata.push_back(StratumLabel(stratum));
  if (!strata.empty()) absl::StrAppend(&label, " (", absl::StrJoin(strata, ", "), ")");
  return label;
}

v1::Verdict Judge(const sv::PublishedFigure& published, Counted counted) {
  const v1::Verdict differs = published.contradiction().empty() ? v1::VERDICT_DIFFERS : v1::VERDICT_CONTRADICTED;
  const bool base_is_right = !published.has_base() || published.base() == counted.n;
  const bool count_is_right = !published.has_count() || published.count() == counted.k;
  if (!base_is_right || !count_is_right) return differs;
  if (!published.has_percent()) return v1::VERDICT_MATCHES;
  const auto percent = Percent(counted);
  if (!percent) return differs;
  if (*percent == published.percent()) return v1::VERDICT_MATCHES;
  const bool impossible = !PercentIsPossible(published.percent(), counted.n);
  return impossible && std::abs(*percent - published.percent()) <= 1 ? v1::VERDICT_SLIP : differs;
}

struct Finding {
  v1::Verdict verdict = v1::VERDICT_DIFFERS;
  std::string text;
};

Finding CheckPercent(int32_t printed, Counted counted) {
  const auto percent = Percent(counted);
  if (percent && *percent == printed) {
    return {v1::VERDICT_MATCHES, absl::StrCat("Klopt: ", DutchShare(counted.k, counted.n), ".")};
  }
  return {v1::VERDICT_DIFFERS, absl::StrCat(DutchShare(counted.k, counted.n), ", niet ", printed, " procent.")};
}

std::string Numbers(int64_t from, int64_t to) {
  if (from == to) return absl::StrCat("het getal ", DutchNumber(from));
  return absl::StrCat("de getallen ", DutchNumber(from), " tot en met ", DutchNumber(to));
}

Finding CheckBands(const sv::BandsClaim& claim) {
  constexpr int64_t kNoBound = std::numeric_limits<int64_t>::max();
  std::vector<std::string> problems;
  for (int i = 1; i < claim.bands_size(); ++i) {
    const auto& lower = claim.bands(i - 1);
    const auto& upper = claim.bands(i);
    const int64_t end = lower.has_to() ? lower.to() : kNoBound;
    const int64_t begin = upper.has_from() ? upper.from() : -kNoBound;
    const std::string bands = absl::StrCat("\"", lower.label(), "\" en \"", upper.label(), "\"");
    if (begin <= end) {
      const int64_t upper_end = upper.has_to() ? upper.to() : kNoBound;
      const int64_t last = std::min(end, upper_end);
      const std::string shared = begin == -kNoBound || last == kNoBound ? "" : absl::StrCat(" bij ", Numbers(begin, last));
      problems.push_back(absl::StrCat(bands, " overlappen", shared, "."));
    } else if (begin > end + 1) {
      problems.push_back(absl::StrCat("Tussen ", bands, " ontbreekt een klasse voor ", Numbers(end + 1, begin - 1), "."));
    }
  }
  if (problems.empty()) return {v1::VERDICT_MATCHES, "Klopt: de klassen sluiten aan, zonder gat en zonder overlap."};
  return {v1::VERDICT_DIFFERS, absl::StrJoin(problems, " ")};
}

Finding CheckOverRepresentation(Counted records, Counted frame) {
  // Shares are compared as whole numbers, crosswise.
  const int64_t difference = records.k * frame.n - frame.k * records.n;
  const std::string numbers = absl::StrCat(DutchShare(records.k, records.n), " van de deelnemende gemeenten, tegenover ",
                                           DutchShare(frame.k, frame.n), " van alle gemeenten");
  if (difference > 0) return {v1::VERDICT_MATCHES, absl::StrCat("Klopt: ", numbers, ".")};
  const char* what = difference == 0 ? "evenredig vertegenwoordigd" : "ondervertegenwoordigd";
  return {v1::VERDICT_DIFFERS, absl::StrCat("Deze gemeenten zijn ", what, ": ", numbers, ".")};
}

absl::StatusOr<Finding> Check(const Calculator& calculator, const sv::PublishedClaim& claim) {
  switch (claim.check_case()) {
    case sv::PublishedClaim::kPercent: {
      if (claim.percent().has_printed()) {
        return CheckPercent(claim.percent().percent(), {claim.percent().printed().count(), claim.percent().printed().base()});
      }
      const auto counted = calculator.Measure(claim.percent().measure());
      if (!counted.ok()) return counted.status();
      return CheckPercent(claim.percent().percent(), *counted);
    }
    case sv::PublishedClaim::kBands:
      return CheckBands(claim.bands());
    case sv::PublishedClaim::kOverRepresented: {
      const auto records = calculator.ShareOfRecords(claim.over_represented().stratum());
      if (!records.ok()) return records.status();
      const auto frame = calculator.ShareOfFrame(claim.over_represented().stratum());
      if (!frame.ok()) return frame.status();
      return CheckOverRepresentation(*records, *frame);
    }
    case sv::PublishedClaim::CHECK_NOT_SET:
      break;
  }
  return Finding{v1::VERDICT_UNSPECIFIED, ""};
}

}  // namespace

bool PercentIsPossible(int32_t percent, int64_t base) {
  if (percent < 0 || percent > 100) return false;
  // From a hundred on, counts lie no more than one percent apart, so every percentage has one.
  if (base >= 100) return true;
  for (int64_t count = 0; count <= base; ++count) {
    if (Percent({count, base}) == percent) return true;
  }
  return false;
}

void ComparePublished(const WaveIndex& index, const Fieldwork& fieldwork, const sv::PublishedReport& report, const Overlaps& overlaps,
                      v1::CompareWithPublishedResponse& response) {
  const Calculator calculator(index, fieldwork, overlaps);
  response.set_source(report.source());
  int matching = 0, slips = 0, contradicted = 0;
  for (const auto& published : report.figures()) {
    auto& figure = *response.add_figures();
    *figure.mutable_published() = published;
    figure.set_label(Label(index.questionnaire(), published.measure()));
    const auto counted = calculator.Measure(published.measure());
    if (!counted.ok()) continue;
    figure.set_k(counted->k);
    figure.set_n(counted->n);
    if (const auto percent = Percent(*counted)) figure.set_percent(*percent);
    figure.set_verdict(Judge(published, *counted));
    matching += figure.verdict() == v1::VERDICT_MATCHES ? 1 : 0;
    slips += figure.verdict() == v1::VERDICT_SLIP ? 1 : 0;
    contradicted += figure.verdict() == v1::VERDICT_CONTRADICTED ? 1 : 0;
  }
  response.set_matching(matching);
  response.set_slips(slips);
  response.set_contradicted(contradicted);
  // What the wave cannot count did not come out as printed either.
  response.set_differing(report.figures_size() - matching - slips - contradicted);
  for (const auto& published : report.claims()) {
    const auto finding = Check(calculator, published);
    auto& claim = *response.add_claims();
    *claim.mutable_published() = published;
    claim.set_verdict(finding.ok() ? finding->verdict : v1::VERDICT_UNSPECIFIED);
    claim.set_finding(finding.ok() ? finding->text : "Niet te berekenen: deze peiling heeft de gegevens niet.");
  }
}

}  // namespace peiling::analytics

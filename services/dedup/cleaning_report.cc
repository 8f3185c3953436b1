#include "services/dedup/cleaning_report.h"

namespace peiling::dedup {
namespace {

void CountDisposition(v1::Disposition disposition, int sign, v1::CleaningReport& report) {
  switch (disposition) {
    case v1::DISPOSITION_KEPT:
      return report.set_kept(report.kept() + sign);
    case v1::DISPOSITION_RESTART:
      return report.set_restarts(report.restarts() + sign);
    case v1::DISPOSITION_COLLEAGUE_DUPLICATE:
      return report.set_colleague_duplicates(report.colleague_duplicates() + sign);
    case v1::DISPOSITION_MUNICIPALITY_UNKNOWN:
      return report.set_municipality_unknown(report.municipality_unknown() + sign);
    case v1::DISPOSITION_AMBIGUOUS:
      return report.set_ambiguous(report.ambiguous() + sign);
    case v1::DISPOSITION_OUT_OF_FRAME:
      return report.set_out_of_frame(report.out_of_frame() + sign);
    case v1::DISPOSITION_WITHDRAWN:
      return report.set_withdrawn(report.withdrawn() + sign);
    case v1::DISPOSITION_TEST:
      return report.set_test(report.test() + sign);
    case v1::DISPOSITION_EXCLUDED:
      return report.set_excluded(report.excluded() + sign);
    case v1::DISPOSITION_EMPTY:
      return report.set_empty(report.empty() + sign);
    default:  // Not a disposition.
      return;
  }
}

}  // namespace

void Count(const v1::Decision& decision, int sign, v1::CleaningReport& report) {
  report.set_started(report.started() + sign);
  CountDisposition(decision.disposition(), sign, report);
  if (decision.equally_complete()) report.set_equally_complete(report.equally_complete() + sign);
  if (decision.disposition() == v1::DISPOSITION_KEPT && decision.municipality_codes_size() > 1) {
    report.set_joint_questionnaires(report.joint_questionnaires() + sign);
  }
}

void Count(const v1::Record& record, int sign, v1::CleaningReport& report) {
  report.set_records(report.records() + sign);
  if (record.complete()) {
    report.set_complete(report.complete() + sign);
  } else {
    report.set_partial(report.partial() + sign);
  }
}

void Count(const v1::Case& survey_case, int sign, v1::CleaningReport& report) {
  if (survey_case.state() == v1::CASE_STATE_WAITING) report.set_waiting_cases(report.waiting_cases() + sign);
}

void Add(const v1::CleaningReport& share, v1::CleaningReport& report) {
  const auto& descriptor = *v1::CleaningReport::descriptor();
  const auto& fields = *v1::CleaningReport::GetReflection();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto* field = descriptor.field(i);
    fields.SetInt64(&report, field, fields.GetInt64(report, field) + fields.GetInt64(share, field));
  }
}

}  // namespace peiling::dedup

// Telling what became of mail that others sent.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/commands/mail.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::MailItemResult;
using fieldwork::v1::MailResult;

constexpr size_t kBatch = 500;

// Takes the answers of a batch over.
template <typename Response>
void TakeResults(const absl::StatusOr<Response>& response, const std::vector<MailReport*>& batch) {
  for (size_t i = 0; i < batch.size() && static_cast<int>(i) < response->results_size(); ++i) {
    batch[i]->result = response->results(static_cast<int>(i));
  }
}

absl::Status TellEvents(Session& session, const std::string& wave, const std::vector<MailReport*>& batch) {
  fieldwork::v1::ReportDeliveryEventsRequest request;
  request.set_parent(wave);
  for (const MailReport* report : batch) *request.add_events() = report->event;
  const auto response = session.connection().Call(&Mail::ReportDeliveryEvents, request);
  if (response.ok()) TakeResults(response, batch);
  return response.status();
}

absl::Status TellOutcomes(Session& session, const std::string& wave, const std::string& lease_id, const std::vector<MailReport*>& batch) {
  fieldwork::v1::CompleteMailRequest request;
  request.set_parent(wave);
  request.set_lease_id(lease_id);
  for (const MailReport* report : batch) *request.add_outcomes() = report->outcome;
  const auto response = session.connection().Call(&Mail::CompleteMail, request);
  if (response.ok()) TakeResults(response, batch);
  return response.status();
}

// In words, for what was not taken.
std::string Problem(const MailItemResult& result) {
  switch (result.result()) {
    case fieldwork::v1::MAIL_RESULT_NOT_FOUND:
      return "there is no such message in this wave";
    case fieldwork::v1::MAIL_RESULT_LEASE_LOST:
      return "its lease has ended";
    case fieldwork::v1::MAIL_RESULT_CANCELLED:
      return absl::StrCat("it was cancelled: ", Word(result.cancel_reason()));
    default:
      return result.problem().empty() ? "it was not answered" : result.problem();
  }
}

std::string MessageOf(const MailReport& report) {
  return names::LastId(report.lease_id.empty() ? report.event.message() : report.outcome.message());
}

std::string WhatOf(const MailReport& report) {
  if (report.lease_id.empty()) return Word(report.event.kind());
  return report.outcome.sent() ? "sent" : "not-sent";
}

}  // namespace

bool MailReport::ok() const {
  const MailResult what = result.result();
  return what == fieldwork::v1::MAIL_RESULT_OK || what == fieldwork::v1::MAIL_RESULT_REPEATED || what == fieldwork::v1::MAIL_RESULT_IGNORED;
}

MailReport UnreadableReport(const std::string& place, std::string_view problem) {
  MailReport report{.place = place};
  report.result.set_result(fieldwork::v1::MAIL_RESULT_INVALID);
  report.result.set_problem(std::string(problem));
  return report;
}

absl::Status TellReports(Session& session, const std::string& wave, std::vector<MailReport>& reports) {
  // By lease; events, which have none, come last.
  std::map<std::string, std::vector<MailReport*>, std::greater<>> by_lease;
  for (MailReport& report : reports) {
    if (report.result.problem().empty()) by_lease[report.lease_id].push_back(&report);
  }
  for (const auto& [lease_id, all] : by_lease) {
    for (size_t begin = 0; begin < all.size(); begin += kBatch) {
      const auto first = all.begin() + static_cast<ptrdiff_t>(begin);
      const std::vector<MailReport*> batch(first, first + static_cast<ptrdiff_t>(std::min(kBatch, all.size() - begin)));
      const absl::Status told = lease_id.empty() ? TellEvents(session, wave, batch) : TellOutcomes(session, wave, lease_id, batch);
      if (!told.ok()) return told;
    }
  }
  return absl::OkStatus();
}

ExitCode ShowReports(Session& session, const std::string& places, const std::vector<MailReport>& reports) {
  fieldwork::v1::ReportDeliveryEventsResponse all;
  Table csv({{places}, {"MESSAGE"}, {"OUTCOME"}, {"RESULT"}, {"PROBLEM"}});
  Table problems({{places}, {"MESSAGE"}, {"PROBLEM", Align::kLeft, true}});
  int64_t taken = 0, known = 0, wrong = 0;
  for (const MailReport& report : reports) {
    *all.add_results() = report.result;
    const std::string problem = report.ok() ? "" : Problem(report.result);
    csv.Add({report.place, MessageOf(report), WhatOf(report), Word(report.result.result()), Printable(problem)});
    const bool repeated = report.result.result() == fieldwork::v1::MAIL_RESULT_REPEATED;
    known += repeated;
    taken += report.ok() && !repeated;
    wrong += !report.ok();
    if (!report.ok()) problems.Add({Printable(report.place), MessageOf(report), Printable(problem)});
  }
  std::string text = wrong > 0 ? problems.ToText(session.output().out_terminal()) + "\n" : "";
  absl::StrAppend(&text, taken, " taken, ", known, " known already, ", wrong, " not taken\n");
  session.output().Show(all, text, csv);
  return wrong > 0 ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace peiling::ctl

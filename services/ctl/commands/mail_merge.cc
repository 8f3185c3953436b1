// mail merge: mail as CSV for a mailing system that takes a mail merge, and what became of it from another.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/struct.pb.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/patience.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/client/smtp.h"
#include "services/ctl/commands/mail.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::CompleteMailRequest;
using fieldwork::v1::LeasedMessage;
using fieldwork::v1::LeaseMailResponse;
using fieldwork::v1::MailOutcome;

constexpr int kMaxLease = 1000;
constexpr int64_t kLeaseSeconds = 3600;
constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";
constexpr auto kOwnerOnly = std::filesystem::perms::owner_all;
constexpr size_t kMaxReportFile = 64 << 20;
constexpr std::string_view kFormula = "=+-@\t\r";

struct MergeOptions {
  std::string folder, report;
  std::string provider = "merge";
  int max = kMaxLease;
  bool excel = false;
  bool assume_sent = false;
};

// A field that a spreadsheet would take for a formula stands behind a "'".
std::string Guarded(const std::string& field) {
  return !field.empty() && kFormula.find(field[0]) != std::string_view::npos ? "'" + field : field;
}

// The columns that every file has, before the merge fields. Addresses stay as they are: with something before it, one would be another.
using Column = std::pair<const char*, std::string (*)(const LeasedMessage&)>;
const std::vector<Column>& Columns() {
  static const auto& columns = *new std::vector<Column>{
      {"message", [](const LeasedMessage& m) { return m.message(); }},
      {"return_token", [](const LeasedMessage& m) { return m.return_token(); }},
      {"kind", [](const LeasedMessage& m) { return Word(m.kind()); }},
      {"step", [](const LeasedMessage& m) { return m.step(); }},
      {"to_address", [](const LeasedMessage& m) { return m.content().to_address(); }},
      {"to_name", [](const LeasedMessage& m) { return Guarded(m.content().to_name()); }},
      {"from_address", [](const LeasedMessage& m) { return m.content().from_address(); }},
      {"from_name", [](const LeasedMessage& m) { return Guarded(m.content().from_name()); }},
      {"reply_to", [](const LeasedMessage& m) { return m.content().reply_to(); }},
      {"language", [](const LeasedMessage& m) { return m.content().language(); }},
      {"subject", [](const LeasedMessage& m) { return Guarded(m.content().subject()); }},
      {"unsubscribe_url", [](const LeasedMessage& m) { return m.content().unsubscribe_url(); }},
  };
  return columns;
}

std::string MergeCsv(const std::string& lease_id, const std::vector<const LeasedMessage*>& messages, bool excel) {
  const char separator = excel ? ';' : ',';
  std::set<std::string> fields;
  for (const LeasedMessage* message : messages) {
    for (const auto& [field, value] : message->content().fields()) fields.insert(field);
  }
  std::string text = excel ? kByteOrderMark : "";
  for (const auto& [name, value] : Columns()) absl::StrAppend(&text, name, std::string(1, separator));
  absl::StrAppend(&text, "lease");
  for (const std::string& field : fields) absl::StrAppend(&text, std::string(1, separator), csv::Quote(field, separator));
  absl::StrAppend(&text, "\r\n");
  for (const LeasedMessage* message : messages) {
    for (const auto& [name, value] : Columns()) {
      absl::StrAppend(&text, csv::Quote(value(*message), separator), std::string(1, separator));
    }
    absl::StrAppend(&text, lease_id);
    for (const std::string& field : fields) {
      const auto value = message->content().fields().find(field);
      const std::string shown = value == message->content().fields().end() ? "" : value->second;
      absl::StrAppend(&text, std::string(1, separator), csv::Quote(Guarded(shown), separator));
    }
    absl::StrAppend(&text, "\r\n");
  }
  return text;
}

// All calls here may be repeated.
template <typename Method, typename Request>
auto Call(Session& session, const Method& method, const Request& request) {
  const auto wait = [](std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
    return true;
  };
  return Patiently([&] { return session.connection().Call(method, request); }, wait);
}

// Writes mail into files, lease after lease.
class Merge {
 public:
  Merge(Session& session, const MergeOptions& options, std::string wave) : session_(session), options_(options), wave_(std::move(wave)) {}

  absl::Status Run() {
    // Before anything is begun that could not be written.
    std::error_code error;
    if (std::filesystem::create_directories(options_.folder, error)) std::filesystem::permissions(options_.folder, kOwnerOnly, error);
    if (::access(options_.folder.c_str(), W_OK | X_OK) != 0) {
      return status::Error(absl::StatusCode::kNotFound, "FILE_NOT_WRITABLE",
                           absl::StrCat("cannot write in ", options_.folder, ": ", std::strerror(errno)));
    }
    for (int left = options_.max; left > 0;) {
      fieldwork::v1::LeaseMailRequest request;
      request.set_parent(wave_);
      request.set_max_messages(std::min(left, kMaxLease));
      request.mutable_lease_duration()->set_seconds(kLeaseSeconds);
      request.set_request_id(RandomRequestId());
      const auto lease = Call(session_, &Mail::LeaseMail, request);
      if (!lease.ok()) return lease.status();
      if (lease->messages().empty()) return absl::OkStatus();
      left -= lease->messages_size();
      if (absl::Status written = WriteLease(*lease); !written.ok()) return written;
    }
    return absl::OkStatus();
  }

  // What was written, and until when it can be told what became of it.
  void Show() const {
    google::protobuf::Struct all;
    Table table({{"FILE"}, {"MAILS", Align::kRight}});
    auto& files = *(*all.mutable_fields())["files"].mutable_list_value();
    for (const auto& [file, mails] : files_) {
      table.Add({file, mails});
      auto& fields = *files.add_values()->mutable_struct_value()->mutable_fields();
      fields["file"].set_string_value(file);
      fields["mails"].set_number_value(static_cast<double>(mails));
    }
    (*all.mutable_fields())["cancelled"].set_number_value(static_cast<double>(cancelled_));
    session_.output().Show(all, files_.empty() ? "Nothing is due.\n" : table.ToText(session_.output().out_terminal()), table);
    if (cancelled_ > 0) session_.output().Note(absl::StrCat(cancelled_, " mails need not go any more, and are in no file"));
    if (files_.empty() || options_.assume_sent) return;
    session_.output().Note(absl::StrCat("tell what was sent by ", Moment(expires_at_),
                                        " with `peilingctl mail merge --report FILE`, or it becomes due again; or use --assume-sent"));
  }

 private:
  absl::Status WriteLease(const LeaseMailResponse& lease) {
    const auto begun = Begin(lease);
    if (!begun.ok()) {
      std::vector<const LeasedMessage*> all;
      for (const LeasedMessage& message : lease.messages()) all.push_back(&message);
      GiveBack(lease, all);
      return begun.status();
    }
    if (files_.empty()) expires_at_ = lease.expires_at();
    // By kind and step.
    std::map<std::string, std::vector<const LeasedMessage*>> by_step;
    for (const LeasedMessage* message : *begun) by_step[absl::StrCat(Word(message->kind()), ".", message->step())].push_back(message);
    absl::Status written;
    std::vector<std::pair<std::string, int64_t>> files;
    for (const auto& [step, messages] : by_step) {
      const std::string path = absl::StrCat(options_.folder, "/", step, ".", lease.lease_id().substr(0, 8), ".csv");
      written.Update(WriteFile(path, MergeCsv(options_.assume_sent ? "" : lease.lease_id(), messages, options_.excel)));
      files.emplace_back(path, static_cast<int64_t>(messages.size()));
    }
    // As one: what is in the files that were written must not go, when the others could not be.
    for (const auto& file : files) {
      if (written.ok()) files_.push_back(file);
      if (!written.ok()) unlink(file.first.c_str());
    }
    if (!written.ok()) GiveBack(lease, *begun);
    if (!written.ok() || !options_.assume_sent) return written;
    const absl::Status told = Tell(lease.lease_id(), *begun, /*sent=*/true);
    if (!told.ok()) {
      session_.output().Warn(
          "the files are written, but it could not be told that they count as sent: `mail merge --report` with an "
          "outcome `accepted` in each row does so");
    }
    return told;
  }

  // So that they are due again at once.
  void GiveBack(const LeaseMailResponse& lease, const std::vector<const LeasedMessage*>& messages) {
    if (Tell(lease.lease_id(), messages, /*sent=*/false).ok()) return;
    session_.output().Warn(absl::StrCat(messages.size(), " mails are in no file and could not be given back; nobody else gets them before ",
                                        Moment(lease.expires_at())));
  }

  // Those that may go.
  absl::StatusOr<std::vector<const LeasedMessage*>> Begin(const LeaseMailResponse& lease) {
    fieldwork::v1::BeginMailRequest request;
    request.set_parent(wave_);
    request.set_lease_id(lease.lease_id());
    for (const LeasedMessage& message : lease.messages()) request.add_messages(message.message());
    const auto response = Call(session_, &Mail::BeginMail, request);
    if (!response.ok()) return response.status();
    std::vector<const LeasedMessage*> begun;
    for (int i = 0; i < std::min(response->results_size(), lease.messages_size()); ++i) {
      const auto result = response->results(i).result();
      cancelled_ += result == fieldwork::v1::MAIL_RESULT_CANCELLED;
      if (result == fieldwork::v1::MAIL_RESULT_OK) begun.push_back(&lease.messages(i));
    }
    return begun;
  }

  static absl::Status WriteFile(const std::string& path, const std::string& text) {
    const auto file = WholeFile::Create(path, 0600);
    if (!file.ok()) return file.status();
    (*file)->out() << text;
    return (*file)->Keep();
  }

  absl::Status Tell(const std::string& lease_id, const std::vector<const LeasedMessage*>& messages, bool sent) {
    CompleteMailRequest request;
    request.set_parent(wave_);
    request.set_lease_id(lease_id);
    for (const LeasedMessage* message : messages) {
      MailOutcome& outcome = *request.add_outcomes();
      outcome.set_message(message->message());
      outcome.set_sent(sent);
      outcome.set_not_tried(!sent);
    }
    if (request.outcomes().empty()) return absl::OkStatus();
    return Call(session_, &Mail::CompleteMail, request).status();
  }

  Session& session_;
  const MergeOptions& options_;
  const std::string wave_;
  std::vector<std::pair<std::string, int64_t>> files_;
  int64_t cancelled_ = 0;
  google::protobuf::Timestamp expires_at_;
};

// A row of a report with its columns by name.
class ReportRow {
 public:
  ReportRow(const csv::Row& header, const csv::Row& row) : row_(row) {
    for (size_t i = 0; i < std::min(header.fields.size(), row.fields.size()); ++i) columns_[header.fields[i]] = i;
  }

  // Empty when there is no such column.
  std::string operator[](const std::string& column) const {
    const auto found = columns_.find(column);
    return found == columns_.end() ? "" : row_.fields[found->second];
  }

 private:
  const csv::Row& row_;
  std::map<std::string, size_t> columns_;
};

// "550", "5.1.1", or both. False when it is something else.
bool ReadCode(const std::string& text, fieldwork::v1::DeliveryEvent& event) {
  for (const auto& word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    int number = 0;
    if (absl::SimpleAtoi(word, &number) && number >= 200 && number <= 599) {
      event.set_smtp_code(number);
    } else if (const std::string code = EnhancedCode({word.data(), word.size()}); code == word && !code.empty()) {
      event.set_enhanced_code(code);
    } else {
      return false;
    }
  }
  return true;
}

// What a row tells; with a problem when it tells nothing.
MailReport ReadRow(const ReportRow& row, const std::string& place, const std::string& wave, const std::string& provider) {
  const std::string id = row["message"], outcome = row["outcome"], time = row["time"];
  const std::string message = id.find('/') == std::string::npos ? absl::StrCat(wave, "/messages/", id) : id;
  if (!names::Match(message, "surveys/*/waves/*/messages/*")) return UnreadableReport(place, "message: is none");
  if (names::WaveOf(message) != wave) return UnreadableReport(place, "message: is of another wave");
  const std::string lease = row["lease"];
  MailReport report{.place = place};
  if (outcome == "not-sent" && lease.empty()) {
    return UnreadableReport(place, "outcome: without a lease it counts as sent; \"rejected\" says that it did not go");
  }
  if (outcome == "not-sent" || (outcome == "sent" && !lease.empty())) {
    report.lease_id = lease;
    report.outcome.set_message(message);
    report.outcome.set_sent(outcome == "sent");
    report.outcome.set_not_tried(outcome != "sent");
    report.outcome.set_provider_message_id(row["provider_message_id"]);
    return report;
  }
  fieldwork::v1::DeliveryEvent& event = report.event;
  const auto kind = ParseWord<fieldwork::v1::DeliveryEventKind>(outcome == "sent" ? "accepted" : outcome);
  if (!kind.ok()) return UnreadableReport(place, absl::StrCat("outcome: ", kind.status().message(), ", sent or not-sent"));
  if (!ReadCode(row["code"], event)) return UnreadableReport(place, "code: want 550, 5.1.1, or both");
  *event.mutable_time() = calendar::ToProto(absl::Now());
  if (!time.empty()) {
    const auto moment = ParseMoment(time, Direction::kAgo);
    if (!moment.ok()) return UnreadableReport(place, absl::StrCat("time: ", moment.status().message()));
    *event.mutable_time() = *moment;
  }
  event.set_message(message);
  event.set_kind(*kind);
  event.set_provider(provider);
  event.set_return_token(row["return_token"]);
  event.set_diagnostic(row["diagnostic"]);
  const std::string event_id = row["event_id"];
  event.set_event_id(event_id.empty() ? DerivedRequestId({message, outcome, time, row["code"]}) : event_id);
  return report;
}

absl::StatusOr<std::vector<csv::Row>> ReadRows(const std::string& path) {
  const auto text = ReadFile(path, kMaxReportFile);
  if (!text.ok()) return text.status();
  const std::string header = text->substr(0, text->find_first_of("\r\n"));
  const bool semicolons = std::count(header.begin(), header.end(), ';') > std::count(header.begin(), header.end(), ',');
  csv::Reader reader({}, semicolons ? ';' : ',');
  std::vector<csv::Row> rows;
  if (absl::Status fed = reader.Feed(*text, rows); !fed.ok()) return fed;
  if (absl::Status ended = reader.Finish(rows); !ended.ok()) return ended;
  const auto has = [&rows](const char* column) {
    return !rows.empty() && std::count(rows[0].fields.begin(), rows[0].fields.end(), column) == 1;
  };
  if (!has("message") || !has("outcome")) {
    return status::Error(absl::StatusCode::kInvalidArgument, "CSV_COLUMNS",
                         absl::StrCat(path, ": want the columns message and outcome, once"));
  }
  return rows;
}

absl::StatusOr<ExitCode> Report(Session& session, const MergeOptions& options, const std::string& wave) {
  const auto rows = ReadRows(options.report);
  if (!rows.ok()) return rows.status();
  std::vector<MailReport> reports;
  for (size_t i = 1; i < rows->size(); ++i) {
    const ReportRow row((*rows)[0], (*rows)[i]);
    // Not known yet.
    if (row["outcome"].empty()) continue;
    reports.push_back(ReadRow(row, absl::StrCat((*rows)[i].line), wave, options.provider));
  }
  if (absl::Status told = TellReports(session, wave, reports); !told.ok()) return told;
  return ShowReports(session, "LINE", reports);
}

absl::StatusOr<ExitCode> RunMerge(Session& session, const MergeOptions& options) {
  if (options.folder.empty() == options.report.empty()) return UsageError("want a folder to write files in, or --report FILE to read one");
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  if (!options.report.empty()) return Report(session, options, *wave);
  Merge merge(session, options, *wave);
  const absl::Status merged = merge.Run();
  // Of what was written all the same.
  merge.Show();
  if (!merged.ok()) return merged;
  return ExitCode::kOk;
}

}  // namespace

void AddMailMerge(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<MergeOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "merge",
       .description = "Write the mail that is due as CSV for another mailing system, and tell what became of it",
       .examples =
           "  peilingctl mail merge mail/                               a file for each step, with an address and links in each row\n"
           "  peilingctl mail merge mail/ --excel --assume-sent         for who hears within a day what was sent\n"
           "  peilingctl mail merge --report uitnodiging.csv            rows with an outcome: sent, not-sent, delivered, hard-bounce, …\n"
           "Columns: services/ctl/README.md. Exit code 1 when a row was not taken.\n"},
      [options](Session& session) { return RunMerge(session, *options); });
  line.CompleteFiles(command.add_option("FOLDER", options->folder, "Where the files go; for their owner's eyes alone"));
  line.CompleteFiles(command.add_option("--report", options->report, "CSV that says what became of mails; - for standard input"));
  command.add_option("--max", options->max, "At most so many mails")->capture_default_str()->check(CLI::Range(1, 100'000));
  command.add_flag("--excel", options->excel, "As a Dutch Excel reads it: with a byte order mark and semicolons");
  command.add_flag("--assume-sent", options->assume_sent,
                   "They count as sent as soon as the files are there, whatever becomes of the files");
  command.add_option("--provider", options->provider, "Who says what became of them: the mailing system")->capture_default_str();
}

}  // namespace peiling::ctl

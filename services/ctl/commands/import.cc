// import: a survey tool's export, row by row reported.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/csv/csv_reader.h"
#include "services/common/feed/position.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/await.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/interrupt.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/progress_bar.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
// Errors shown on the terminal; --report has all findings.
constexpr int kErrorsShown = 20;

struct Options {
  std::string file;
  std::string source;
  std::string report;
  bool dry_run = false;
  bool no_wait = false;
};

using Stream = grpc::ClientReaderWriter<intake::v1::ImportResponsesRequest, intake::v1::ImportResponsesResponse>;

int64_t SizeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
}

// The file, or standard input for "-".
class Source {
 public:
  static absl::StatusOr<std::unique_ptr<Source>> Open(const std::string& path) {
    auto source = std::make_unique<Source>();
    if (path == "-") return source;
    auto file = OpenFile(path);
    if (!file.ok()) return file.status();
    source->file_ = *std::move(file);
    source->in_ = &source->file_;
    source->size_ = SizeOf(path);
    return source;
  }

  int64_t size() const { return size_; }

  // Sends the file in pieces until its end, or until the server wants no more.
  void SendTo(Stream& stream) {
    intake::v1::ImportResponsesRequest request;
    std::string& piece = *request.mutable_content();
    do {
      piece.resize(kPieceBytes);
      in_->read(piece.data(), static_cast<std::streamsize>(piece.size()));
      piece.resize(static_cast<size_t>(in_->gcount()));
    } while (!piece.empty() && stream.Write(request));
    stream.WritesDone();
  }

 private:
  std::ifstream file_;
  std::istream* in_ = &std::cin;
  int64_t size_ = 0;
};

// Takes what was found in rows: the first errors for the terminal, everything for the file.
class RowReport {
 public:
  // NOT_FOUND when the file cannot be written. An empty path: no file.
  static absl::StatusOr<std::unique_ptr<RowReport>> Open(const std::string& path) {
    auto report = std::make_unique<RowReport>();
    if (path.empty()) return report;
    report->file_.open(path, std::ios::binary | std::ios::trunc);
    if (!report->file_) {
      return status::Error(absl::StatusCode::kNotFound, "FILE_NOT_WRITABLE",
                           absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
    }
    report->file_ << "line,response,outcome,severity,question,code,finding,message\n";
    return report;
  }

  void Add(const intake::v1::ImportRow& row) {
    if (!row.message().empty()) AddLine(row, "error", "", "", "refused", row.message());
    for (const auto& issue : row.issues())
      AddLine(row, Word(issue.severity()), issue.question(), issue.code(), Word(issue.kind()), issue.message());
    if (row.message().empty() && row.issues().empty() && file_.is_open()) WriteLine(row, "", "", "", "", "");
  }

  const Table& shown() const { return shown_; }
  int64_t not_shown() const { return findings_ - shown_count_; }

  // Whether the file was written to the end.
  absl::Status Close() {
    if (!file_.is_open()) return absl::OkStatus();
    file_.close();
    if (file_) return absl::OkStatus();
    return status::Error(absl::StatusCode::kResourceExhausted, "FILE_NOT_WRITABLE",
                         "the report could not be written to its end; is the disk full?");
  }

 private:
  void AddLine(const intake::v1::ImportRow& row, const std::string& severity, const std::string& question, const std::string& code,
               const std::string& finding, const std::string& message) {
    WriteLine(row, severity, question, code, finding, message);
    ++findings_;
    if (severity != "error" || shown_count_ == kErrorsShown) return;
    ++shown_count_;
    shown_.Add({row.line(), names::LastId(row.response()), question, message});
  }

  void WriteLine(const intake::v1::ImportRow& row, const std::string& severity, const std::string& question, const std::string& code,
                 const std::string& finding, const std::string& message) {
    if (!file_.is_open()) return;
    file_ << row.line() << ',' << csv::Quote(row.response()) << ',' << Word(row.outcome()) << ',' << severity << ',' << csv::Quote(question)
          << ',' << csv::Quote(code) << ',' << finding << ',' << csv::Quote(message) << '\n';
  }

  std::ofstream file_;
  int64_t findings_ = 0;
  int64_t shown_count_ = 0;
  Table shown_{{{"LINE", Align::kRight}, {"RESPONSE"}, {"QUESTION"}, {"ERROR", Align::kLeft, true}}};
};

struct Result {
  intake::v1::ImportSummary summary;
  bool interrupted = false;
};

// Writes on a thread of its own while it reads, so that neither side waits for the other's full window.
absl::StatusOr<Result> Import(Session& session, const intake::v1::ImportHeader& header, Source& source, const std::string& title,
                              RowReport& report) {
  grpc::ClientContext context;
  session.SetDeadlineIfAsked(context);
  CancelOnInterrupt interrupt(context);
  const auto stream = session.connection().stub<Intake>().ImportResponses(&context);
  Result result;
  {
    intake::v1::ImportResponsesRequest first;
    *first.mutable_header() = header;
    stream->Write(first);
    std::thread writer([&] { source.SendTo(*stream); });
    ProgressBar bar(session.output().err(), session.output().err_terminal(), title, source.size(), "rows");
    intake::v1::ImportResponsesResponse response;
    while (stream->Read(&response)) {
      if (response.has_row()) report.Add(response.row());
      if (response.has_progress()) bar.Update(response.progress().bytes_read(), response.progress().rows());
      if (response.has_summary()) result.summary = response.summary();
    }
    // The call is over: writes that are under way fail at once.
    writer.join();
  }
  const grpc::Status status = stream->Finish();
  result.interrupted = interrupt.interrupted();
  if (!status.ok() && !result.interrupted) return status::FromGrpc(status);
  return result;
}

std::string SummaryText(const intake::v1::ImportSummary& summary, const std::string& wave, bool dry_run) {
  return absl::StrFormat("%s rows %s %s: %s added, %s updated, %s unchanged, %s refused; %s with errors, %s with warnings only\n",
                         WithSeparators(summary.rows()), dry_run ? "checked against" : "into", wave, WithSeparators(summary.added()),
                         WithSeparators(summary.updated()), WithSeparators(summary.unchanged()), WithSeparators(summary.refused()),
                         WithSeparators(summary.with_errors()), WithSeparators(summary.with_warnings()));
}

Table SummaryTable(const intake::v1::ImportSummary& summary) {
  Table table({{"ROWS"}, {"ADDED"}, {"UPDATED"}, {"UNCHANGED"}, {"REFUSED"}, {"WITH ERRORS"}, {"WITH WARNINGS"}, {"SUBMISSIONS"}});
  table.Add({summary.rows(), summary.added(), summary.updated(), summary.unchanged(), summary.refused(), summary.with_errors(),
             summary.with_warnings(), feed::SubmissionsText(summary.position())});
  return table;
}

void ShowRows(Session& session, const RowReport& report, const Options& options) {
  if (!session.output().people()) return;
  if (!report.shown().empty()) session.output().Write(report.shown().ToText(session.output().out_terminal()) + "\n");
  if (report.not_shown() == 0 || !options.report.empty()) return;
  session.output().Note(absl::StrCat(WithSeparators(report.not_shown()), report.shown().empty() ? "" : " more",
                                     report.not_shown() == 1 ? " finding" : " findings", "; --report FILE.csv writes all of them"));
}

absl::StatusOr<ExitCode> RunImport(Session& session, const Options& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  const auto source = Source::Open(options.file);
  if (!source.ok()) return source.status();
  const auto report = RowReport::Open(options.report);
  if (!report.ok()) return report.status();

  intake::v1::ImportHeader header;
  header.set_parent(*wave);
  header.set_source(options.source);
  header.set_dry_run(options.dry_run);
  header.set_content_length((*source)->size());
  const auto result = Import(session, header, **source, options.file, **report);
  const absl::Status closed = (*report)->Close();
  ShowRows(session, **report, options);
  if (!result.ok()) return result.status();
  if (result->interrupted) {
    session.output().Note("interrupted: rows taken in so far are kept; import the file again to go on");
    return ExitCode::kInterrupted;
  }
  if (!closed.ok()) return closed;
  session.output().Show(result->summary, SummaryText(result->summary, *wave, options.dry_run), SummaryTable(result->summary));
  if (!options.dry_run && !options.no_wait) {
    const absl::Status counted = AwaitCounted(session, *wave, result->summary.position(), session.TimeoutOr(kAwaitTimeout));
    if (!counted.ok()) return counted;
  }
  return result->summary.refused() > 0 ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

void AddImport(CommandLine& line) {
  auto options = std::make_shared<Options>();
  CLI::App& command = line.AddCommand(
      line.root(),
      {.name = "import",
       .description = "Take in a survey tool's export; doing it twice adds nothing",
       .examples = "  peilingctl import responses.csv --wave 2022                     take it in, and wait until the tables count it\n"
                   "  peilingctl import responses.csv --wave 2022 --dry-run           check only\n"
                   "  peilingctl import responses.csv --report findings.csv           what was found in each row\n"
                   "  peilingctl import paper.csv --wave 2022 --source paper          a second export of the same wave\n"
                   "Exit code 1 when rows were refused; rows with findings are kept.\n"},
      [options](Session& session) { return RunImport(session, *options); });
  line.CompleteFiles(command.add_option("FILE", options->file, "CSV export, UTF-8; - for standard input")->required());
  command.add_option("--source", options->source, "Put before the export's ids, when a wave has several exports");
  command.add_flag("--dry-run", options->dry_run, "Check only; nothing is stored");
  line.CompleteFiles(command.add_option("--report", options->report, "Write one line for each row and finding to this CSV file"));
  command.add_flag("--no-wait", options->no_wait, "Do not wait until the tables count it");
}

}  // namespace peiling::ctl

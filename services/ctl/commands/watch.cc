// watch progress | submissions | records: what happens, as it happens, until Ctrl-C.
#include <algorithm>
#include <memory>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/interrupt.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/progress.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

struct Options {
  uint64_t after = 0;
  int partition = 0;
  bool once = false;
};

// Reads a stream to its end; `show` returns false to stop. Ctrl-C and stopping are no errors.
template <class Stub, class Request, class Response, class Show>
absl::StatusOr<ExitCode> Follow(Session& session,
                                std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*, const Request&),
                                const Request& request, const Show& show) {
  if (session.output().format() == Format::kCsv)
    return UsageError("-o csv: what is followed has no end; take -o json, one object on each line");
  grpc::ClientContext context;
  session.SetDeadlineIfAsked(context);
  CancelOnInterrupt interrupt(context);
  const auto stream = (session.connection().stub<Stub>().*method)(&context, request);
  Response response;
  bool stopped = false;
  while (!stopped && stream->Read(&response)) stopped = !show(response);
  if (stopped) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (status.ok() || stopped || interrupt.interrupted()) return ExitCode::kOk;
  return status::FromGrpc(status);
}

// A live picture on a terminal, a line for each change elsewhere.
class Picture {
 public:
  explicit Picture(Output& output) : output_(output) {}

  void Show(const analytics::v1::Progress& progress) {
    if (!output_.people() || !output_.out_terminal().interactive) return output_.ShowLine(progress, ProgressLineText(progress));
    const std::string text = ProgressText(progress, output_.out_terminal());
    if (lines_ > 0) output_.Write(absl::StrCat("\x1b[", lines_, "A\x1b[J"));
    output_.Write(text);
    lines_ = std::count(text.begin(), text.end(), '\n');
  }

 private:
  Output& output_;
  int64_t lines_ = 0;
};

absl::StatusOr<ExitCode> WatchProgress(Session& session, const Options& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  analytics::v1::WatchProgressRequest request;
  request.set_parent(*wave);
  Picture picture(session.output());
  return Follow(session, &Analytics::WatchProgress, request, [&](const analytics::v1::WatchProgressResponse& response) {
    picture.Show(response.progress());
    return !options.once;
  });
}

std::string SubmissionLine(const intake::v1::SubmissionEvent& event) {
  const auto& response = event.response();
  return absl::StrCat(event.sequence(), "  ", Moment(response.updated_at()), "  ", names::LastId(response.name()), "  ",
                      Word(response.state()), "  ", response.completeness().answered(), " of ", response.completeness().asked(),
                      " answered");
}

std::string RecordsLine(const dedup::v1::RecordEvent& event) {
  std::vector<std::string> parts = {absl::StrCat(event.sequence())};
  if (!event.records().empty()) {
    parts.push_back("records " + absl::StrJoin(event.records(), " ",
                                               [](std::string* out, const auto& record) { out->append(record.municipality_code()); }));
  }
  if (!event.removed_municipality_codes().empty()) parts.push_back("removed " + absl::StrJoin(event.removed_municipality_codes(), " "));
  for (const auto& decision : event.decisions())
    parts.push_back(absl::StrCat(names::LastId(decision.response()), ": ", Word(decision.disposition())));
  return absl::StrJoin(parts, "  ");
}

// The feeds of submissions and records are alike: changes, and a word when all that stood there was sent.
template <class Stub, class Request, class Response, class Line>
absl::StatusOr<ExitCode> WatchFeed(Session& session, const Options& options,
                                   std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*, const Request&),
                                   const Line& line) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  Request request;
  request.set_parent(*wave);
  request.set_after_sequence(options.after);
  if constexpr (std::is_same_v<Request, intake::v1::WatchSubmissionsRequest>) request.set_partition(options.partition);
  return Follow(session, method, request, [&](const Response& response) {
    if (!response.has_caught_up()) {
      session.output().ShowLine(response, Printable(line(response)));
      return true;
    }
    if (options.once) return false;
    if (session.output().people())
      session.output().Note(absl::StrCat("up to date at ", response.caught_up().sequence(), "; waiting for more (Ctrl-C stops)"));
    return true;
  });
}

}  // namespace

void AddWatch(CommandLine& line) {
  CLI::App& group = line.AddGroup("watch", "Follow what happens, until Ctrl-C");
  const auto add = [&](const std::string& name, const std::string& description, const std::string& examples,
                       absl::StatusOr<ExitCode> (*run)(Session&, const Options&), bool feed) {
    auto options = std::make_shared<Options>();
    CLI::App& command = line.AddCommand(group, {.name = name, .description = description, .examples = examples},
                                        [run, options](Session& session) { return run(session, *options); });
    if (feed) command.add_option("--after", options->after, "Begin after this sequence; by default at the beginning");
    if (name == "submissions") {
      command.add_option("--partition", options->partition, "Of which of the wave's partitions, from 0; each has a feed of its own")
          ->check(CLI::Range(0, names::kMaxPartitions - 1))
          ->capture_default_str();
    }
    command.add_flag("--once", options->once, "Show what there is and stop");
  };
  add("progress", "Follow the fieldwork",
      "  peilingctl watch progress\n  peilingctl watch progress -o json      one JSON object on each line\n", WatchProgress, false);
  add(
      "submissions", "Follow the submission feed: every new and changed response",
      "  peilingctl watch submissions\n  peilingctl watch submissions --after 120 -o json\n  peilingctl watch submissions --once -o json > "
      "feed.jsonl\n",
      [](Session& session, const Options& options) {
        return WatchFeed(session, options, &Intake::WatchSubmissions,
                         [](const intake::v1::WatchSubmissionsResponse& response) { return SubmissionLine(response.submission()); });
      },
      true);
  add(
      "records", "Follow the record feed: records and decisions as they change",
      "  peilingctl watch records\n  peilingctl watch records --once -o json > records.jsonl\n",
      [](Session& session, const Options& options) {
        return WatchFeed(session, options, &Dedup::WatchRecords,
                         [](const dedup::v1::WatchRecordsResponse& response) { return RecordsLine(response.change()); });
      },
      true);
}

}  // namespace peiling::ctl

// store: what a store holds, and backups of it. These commands open the store themselves; no server is asked.
#include "services/common/storage/store.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/status/errors.h"
#include "services/common/storage/backup.h"
#include "services/ctl/client/files.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/progress_bar.h"

namespace peiling::ctl {
namespace {

using storage::v1::StoreSummary;

struct Options {
  std::string store;
  std::string name;
  std::string file;
  bool verify = false;
};

// A bar for every step, one after the other.
class Steps {
 public:
  explicit Steps(Output& output) : output_(output) {}

  storage::Progress progress() {
    return [this](const std::string& step, uint64_t done, uint64_t total) {
      if (step != step_) bar_.reset();
      if (!bar_) bar_.emplace(output_.err(), output_.err_terminal(), step, static_cast<int64_t>(total), "items");
      step_ = step;
      bar_->Update(static_cast<int64_t>(done), static_cast<int64_t>(done));
    };
  }

 private:
  Output& output_;
  std::string step_;
  std::optional<ProgressBar> bar_;
};

absl::StatusOr<std::unique_ptr<storage::Store>> OpenStore(const Options& options) {
  if (options.store.empty() || options.name.empty()) return UsageError("which store? Say --store ADDRESS and --name NAME");
  return storage::OpenStore(options.store, options.name);
}

// A store to read: a file that is not there is a mistake, and must not be made.
absl::StatusOr<std::unique_ptr<storage::Store>> OpenExisting(const Options& options) {
  constexpr char kSqlite[] = "sqlite:";
  const std::string path = absl::StartsWith(options.store, kSqlite) ? options.store.substr(sizeof(kSqlite) - 1) : "";
  std::error_code error;
  if (!path.empty() && !std::filesystem::exists(path, error)) {
    return status::Error(absl::StatusCode::kNotFound, "STORE_NOT_FOUND", absl::StrCat("there is no store ", path));
  }
  return OpenStore(options);
}

void Show(Session& session, const StoreSummary& summary) {
  Table text(
      {{"PARTITION"}, {"DOCUMENTS", Align::kRight}, {"DELETED", Align::kRight}, {"EVENTS", Align::kRight}, {"BYTES", Align::kRight}});
  Table csv({{"PARTITION"}, {"DOCUMENTS"}, {"DELETED DOCUMENTS"}, {"EVENTS"}, {"BYTES"}, {"SHA256"}});
  std::vector<std::string> names;
  const auto number = [](uint64_t value) { return static_cast<int64_t>(value); };
  for (const auto& partition : summary.partitions()) {
    names.push_back(partition.name());
    text.Add({partition.name(), WithSeparators(number(partition.documents())), WithSeparators(number(partition.deleted_documents())),
              WithSeparators(number(partition.events())), WithSeparators(number(partition.bytes()))});
    csv.Add({partition.name(), number(partition.documents()), number(partition.deleted_documents()), number(partition.events()),
             number(partition.bytes()), partition.sha256()});
  }
  session.output().Show(summary, text.ToText(session.output().out_terminal()), csv, names);
}

absl::StatusOr<ExitCode> RunInfo(Session& session, const Options& options) {
  const auto store = OpenExisting(options);
  if (!store.ok()) return store.status();
  Steps steps(session.output());
  const auto summary = storage::Summarize(**store, options.name, steps.progress());
  if (!summary.ok()) return summary.status();
  Show(session, *summary);
  return ExitCode::kOk;
}

absl::StatusOr<StoreSummary> Export(Session& session, const Options& options, std::ostream& out) {
  const auto store = OpenExisting(options);
  if (!store.ok()) return store.status();
  Steps steps(session.output());
  const auto now = google::protobuf::util::TimeUtil::GetCurrentTime();
  return storage::Export(**store, options.name, now, out, steps.progress());
}

absl::StatusOr<ExitCode> RunExport(Session& session, const Options& options) {
  if (options.file == "-") {
    if (session.output().out_terminal().interactive)
      return UsageError("a backup is not for the eyes: name a file, or send it to a program");
    const auto summary = Export(session, options, std::cout);
    if (!summary.ok()) return summary.status();
    return ExitCode::kOk;
  }
  const auto file = WholeFile::Create(options.file);
  if (!file.ok()) return file.status();
  const auto summary = Export(session, options, (*file)->out());
  if (!summary.ok()) return summary.status();
  if (absl::Status kept = (*file)->Keep(); !kept.ok()) return kept;
  Show(session, *summary);
  return ExitCode::kOk;
}

absl::StatusOr<StoreSummary> Verify(Session& session, const Options& options, std::istream& in) {
  Steps steps(session.output());
  auto backup = storage::CheckBackup(in, steps.progress());
  if (!backup.ok() || options.store.empty()) return backup;
  const auto store = OpenExisting(options);
  if (!store.ok()) return store.status();
  const auto have = storage::Summarize(**store, options.name, steps.progress());
  if (!have.ok()) return have.status();
  if (absl::Status same = storage::CompareSummaries(*backup, *have); !same.ok()) return same;
  return backup;
}

absl::StatusOr<StoreSummary> Import(Session& session, const Options& options, std::istream& in) {
  const auto store = OpenStore(options);
  if (!store.ok()) return store.status();
  Steps steps(session.output());
  return storage::Import(in, options.name, **store, steps.progress());
}

absl::StatusOr<ExitCode> RunImport(Session& session, const Options& options) {
  std::ifstream file;
  if (options.file != "-") {
    auto opened = OpenFile(options.file);
    if (!opened.ok()) return opened.status();
    file = *std::move(opened);
  }
  std::istream& in = options.file == "-" ? std::cin : file;
  const auto summary = options.verify ? Verify(session, options, in) : Import(session, options, in);
  if (!summary.ok()) return summary.status();
  Show(session, *summary);
  return ExitCode::kOk;
}

CLI::App& AddStoreCommand(CommandLine& line, CLI::App& group, const CommandSpec& spec, const std::shared_ptr<Options>& options,
                          absl::StatusOr<ExitCode> (*run)(Session&, const Options&)) {
  CLI::App& command = line.AddCommand(group, spec, [options, run](Session& session) { return run(session, *options); });
  line.CompleteWith(
      command.add_option("--store", options->store, "Address of the store, as the service takes it: sqlite:PATH or redis://…"),
      {"sqlite:", "redis://", "rediss://"});
  line.CompleteWith(command.add_option("--name", options->name, "Whose store it is"),
                    {"access", "intake", "dedup", "analytics", "fieldwork"});
  return command;
}

}  // namespace

void AddStore(CommandLine& line) {
  CLI::App& group = line.AddGroup("store", "Back up and restore what a service keeps, and see what it is");

  const auto info = std::make_shared<Options>();
  AddStoreCommand(line, group,
                  {.name = "info",
                   .description = "List the partitions of a store: documents, events, bytes and, with -o csv or json, checksums",
                   .examples = "  peilingctl store info --store sqlite:/var/lib/peiling/intake.db --name intake\n"
                               "  peilingctl store info --store redis://redis:6379 --name dedup -o csv\n"
                               "All of it is read. A file must not be in use: stop its service.\n",
                   .names = true},
                  info, RunInfo);

  const auto out = std::make_shared<Options>();
  CLI::App& write = AddStoreCommand(
      line, group,
      {.name = "export",
       .description = "Write everything a store holds to a backup file",
       .examples =
           "  peilingctl store export --store sqlite:/var/lib/peiling/intake.db --name intake intake.backup\n"
           "  peilingctl store export --store redis://redis:6379 --name intake - | zstd > intake.backup.zst\n"
           "The store is read twice, and the backup is of the moment in between. Exit code 6 when somebody wrote meanwhile: stop the\n"
           "services first, and take the backups of all of them before they start again.\n",
       .names = true},
      out, RunExport);
  line.CompleteFiles(write.add_option("FILE", out->file, "Backup to write; - for standard output")->required());

  const auto in = std::make_shared<Options>();
  CLI::App& read = AddStoreCommand(
      line, group,
      {.name = "import",
       .description = "Put a backup into a store of any kind; doing it twice adds nothing",
       .examples =
           "  peilingctl store import --store redis://redis:6379 --name intake intake.backup\n"
           "  zstd -d < intake.backup.zst | peilingctl store import --store sqlite:intake.db --name intake -\n"
           "  peilingctl store import --verify intake.backup                  is the file whole?\n"
           "  peilingctl store import --verify intake.backup --store redis://redis:6379 --name intake\n"
           "The store is read again and its checksums compared. Exit code 6 when it holds something else or something more, 4 when the\n"
           "backup is cut off or damaged. An import that broke off is run again.\n",
       .names = true},
      in, RunImport);
  line.CompleteFiles(read.add_option("FILE", in->file, "Backup to read; - for standard input")->required());
  read.add_flag("--verify", in->verify, "Store nothing: check the backup and, with --store, whether the store holds just that");
}

}  // namespace peiling::ctl

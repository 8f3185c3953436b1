// mail bounces: tells what mail servers report of the mail that was sent.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/ctl/client/delivery_report.h"
#include "services/ctl/client/mailbox.h"
#include "services/ctl/commands/mail.h"

namespace peiling::ctl {
namespace {

struct BouncesOptions {
  std::vector<std::string> paths;
  bool without_token = false;
  bool dry_run = false;
};

// Where a mail is, and the reports that are of it.
struct Origin {
  std::string path, place;
  size_t begin, end;
};

absl::StatusOr<ExitCode> Bounces(Session& session, const BouncesOptions& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  std::vector<MailReport> reports;
  std::vector<Origin> origins;
  const absl::Time now = absl::Now();
  for (const std::string& path : options.paths) {
    const absl::Status read = ForEachMail(path, kMaxReportBytes, [&](const std::string& place, std::string_view mail) {
      const size_t begin = reports.size();
      auto events = ReadDeliveryReport(mail, {.wave = *wave, .without_token = options.without_token}, now);
      if (!events.ok()) reports.push_back(UnreadableReport(place, {events.status().message().data(), events.status().message().size()}));
      for (size_t i = 0; events.ok() && i < events->size(); ++i) {
        reports.push_back({.place = place, .event = std::move((*events)[i])});
      }
      origins.push_back({path, place, begin, reports.size()});
    });
    if (!read.ok()) return read;
  }
  if (options.dry_run) {
    for (MailReport& report : reports) {
      if (report.result.problem().empty()) report.result.set_result(fieldwork::v1::MAIL_RESULT_OK);
    }
    return ShowReports(session, "MAIL", reports);
  }
  if (absl::Status told = TellReports(session, *wave, reports); !told.ok()) return told;
  for (const Origin& origin : origins) {
    bool all = true;
    for (size_t i = origin.begin; i < origin.end; ++i) all = all && reports[i].ok();
    if (all) MarkSeen(origin.path, origin.place);
  }
  return ShowReports(session, "MAIL", reports);
}

}  // namespace

void AddMailBounces(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<BouncesOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "bounces",
       .description = "Read what mail servers report of mail that was sent (RFC 3464), and tell it",
       .examples =
           "  peilingctl mail bounces /var/mail/bounces                 an mbox\n"
           "  peilingctl mail bounces ~/Maildir --wave 2026             what was taken is marked as seen\n"
           "  peilingctl mail bounces report.eml --dry-run\n"
           "What is told already does no harm. Exit code 1 when a mail could not be read, or was not taken; it is left where it is.\n"},
      [options](Session& session) { return Bounces(session, *options); });
  line.CompleteFiles(command.add_option("MAILBOX", options->paths, "Maildir, mbox, or a file with one mail")->required());
  command.add_flag("--without-token", options->without_token,
                   "Believe reports that do not prove which mail they are about, too; anybody can write such mail");
  command.add_flag("--dry-run", options->dry_run, "Read only; nothing is told");
}

}  // namespace peiling::ctl

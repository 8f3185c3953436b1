// mail run: a mailing system for those who have none. Leases mail, sends it over SMTP, and tells what became of it.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/interrupt.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/client/smtp.h"
#include "services/ctl/commands/mail.h"
#include "services/ctl/output/progress_bar.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::LeasedMessage;
using fieldwork::v1::MailOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kLease = 100;
constexpr seconds kLeaseTime{300};
// Of a lease, left alone at its end: what is begun then could not be told in time.
constexpr seconds kMargin{30};
// Begun together: few, so that whoever submits meanwhile gets no reminder.
constexpr int kBegin = 10;
// Between two looks for mail, and after an error.
constexpr seconds kPause{5};
// How long what was sent is tried to be told. Fieldwork takes it for unsent after a quarter of an hour.
constexpr seconds kPatience{600};
constexpr milliseconds kLeastPause{200};

struct RunOptions {
  SmtpOptions smtp;
  double rate = 10;
  bool follow = false;
};

struct Sums {
  int64_t sent = 0, refused = 0, later = 0, cancelled = 0, uncertain = 0;
};

bool MayBeTriedAgain(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsAborted(status) || absl::IsResourceExhausted(status) || absl::IsDeadlineExceeded(status);
}

// Sends the mail of a wave until there is none, or for ever.
class MailRun {
 public:
  MailRun(Session& session, const RunOptions& options, std::string wave, SmtpSender& sender)
      : session_(session),
        options_(options),
        wave_(std::move(wave)),
        sender_(sender),
        bar_(session.output().err(), session.output().err_terminal(), "mail", 0, "mails") {}

  absl::Status Run() {
    while (!interrupted_.interrupted()) {
      absl::StatusOr<bool> more = SendSome();
      if (!more.ok() && !(options_.follow && MayBeTriedAgain(more.status()))) return more.status();
      if (!more.ok()) session_.output().Warn(DescribeError(more.status(), session_.server()));
      if (more.ok() && !*more && !options_.follow) return absl::OkStatus();
      if (!more.ok() || !*more) Wait(kPause);
    }
    return status::Error(absl::StatusCode::kCancelled, "INTERRUPTED", "interrupted; what was begun has been told");
  }

  const Sums& sums() const { return sums_; }

 private:
  // One lease; false when nothing is due.
  absl::StatusOr<bool> SendSome() {
    // Before anything is begun that could not be sent.
    if (absl::Status there = sender_.Check(); !there.ok()) return there;
    fieldwork::v1::LeaseMailRequest request;
    request.set_parent(wave_);
    request.set_max_messages(LeaseSize());
    request.mutable_lease_duration()->set_seconds(kLeaseTime.count());
    request.set_request_id(RandomRequestId());
    const auto lease = session_.connection().Call(&Mail::LeaseMail, request);
    if (!lease.ok()) return lease.status();
    const auto end = steady_clock::now() + kLeaseTime - kMargin;
    for (int begin = 0; begin < lease->messages_size(); begin += kBegin) {
      // The rest comes back.
      if (interrupted_.interrupted() || steady_clock::now() >= end) break;
      std::vector<const LeasedMessage*> messages;
      for (int i = begin; i < std::min(begin + kBegin, lease->messages_size()); ++i) messages.push_back(&lease->messages(i));
      if (absl::Status sent = SendBatch(lease->lease_id(), messages); !sent.ok()) return sent;
    }
    return !lease->messages().empty();
  }

  absl::Status SendBatch(const std::string& lease_id, const std::vector<const LeasedMessage*>& messages) {
    fieldwork::v1::BeginMailRequest request;
    request.set_parent(wave_);
    request.set_lease_id(lease_id);
    for (const LeasedMessage* message : messages) request.add_messages(message->message());
    const auto begun = session_.connection().Call(&Mail::BeginMail, request);
    if (!begun.ok()) return begun.status();
    fieldwork::v1::CompleteMailRequest complete;
    complete.set_parent(wave_);
    complete.set_lease_id(lease_id);
    absl::Status failed;
    for (int i = 0; i < begun->results_size(); ++i) {
      const auto result = begun->results(i).result();
      sums_.cancelled += result == fieldwork::v1::MAIL_RESULT_CANCELLED;
      if (result != fieldwork::v1::MAIL_RESULT_OK) continue;
      std::optional<MailOutcome> outcome = Unsent(*messages[i]);
      if (failed.ok() && !interrupted_.interrupted()) {
        KeepPace();
        auto sent = sender_.Send(*messages[i]);
        failed = sent.status();
        if (sent.ok()) outcome = *std::move(sent);
      }
      Count(outcome);
      if (outcome) *complete.add_outcomes() = *std::move(outcome);
    }
    if (complete.outcomes().empty()) return failed;
    const absl::Status told = Tell(complete);
    return told.ok() ? failed : told;
  }

  static MailOutcome Unsent(const LeasedMessage& message) {
    MailOutcome outcome;
    outcome.set_message(message.message());
    return outcome;
  }

  absl::Status Tell(const fieldwork::v1::CompleteMailRequest& request) {
    const auto end = steady_clock::now() + kPatience;
    while (true) {
      const absl::Status told = session_.connection().Call(&Mail::CompleteMail, request).status();
      if (told.ok() || !MayBeTriedAgain(told) || steady_clock::now() > end) {
        if (!told.ok()) {
          session_.output().Warn(absl::StrCat(request.outcomes_size(), " results could not be told; what was sent may be sent again"));
        }
        return told;
      }
      std::this_thread::sleep_for(kLeastPause);
    }
  }

  void Count(const std::optional<MailOutcome>& outcome) {
    if (!outcome) {
      ++sums_.uncertain;
    } else if (outcome->sent()) {
      ++sums_.sent;
    } else if (outcome->permanent()) {
      ++sums_.refused;
    } else {
      ++sums_.later;
    }
    if (outcome && session_.output().format() == Format::kJson) session_.output().ShowLine(*outcome, "");
    const int64_t handled = sums_.sent + sums_.refused + sums_.later + sums_.uncertain;
    bar_.Update(handled, handled);
  }

  // As many as can be sent while they are leased.
  int LeaseSize() const {
    const double most = options_.rate * static_cast<double>((kLeaseTime - kMargin).count());
    return options_.rate <= 0 ? kLease : static_cast<int>(std::clamp(most, 1.0, static_cast<double>(kLease)));
  }

  void KeepPace() {
    if (options_.rate <= 0) return;
    std::this_thread::sleep_until(next_);
    const auto between = std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(1 / options_.rate));
    next_ = std::max(steady_clock::now(), next_) + between;
  }

  void Wait(seconds time) {
    const auto end = steady_clock::now() + time;
    while (!interrupted_.interrupted() && steady_clock::now() < end) std::this_thread::sleep_for(kLeastPause);
  }

  Session& session_;
  const RunOptions& options_;
  const std::string wave_;
  SmtpSender& sender_;
  Sums sums_;
  ProgressBar bar_;
  steady_clock::time_point next_ = steady_clock::now();
  // Ctrl-C ends the run between two mails, not a call.
  grpc::ClientContext no_call_;
  CancelOnInterrupt interrupted_{no_call_};
};

Table SumsTable(const Sums& sums) {
  Table table({{"RESULT"}, {"MAILS", Align::kRight}});
  table.Add({"sent", sums.sent});
  table.Add({"refused for good", sums.refused});
  table.Add({"to be tried again", sums.later});
  table.Add({"cancelled", sums.cancelled});
  table.Add({"uncertain", sums.uncertain});
  return table;
}

absl::StatusOr<ExitCode> SendMail(Session& session, const RunOptions& options) {
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  auto sender = SmtpSender::Open(options.smtp);
  if (!sender.ok()) return sender.status();
  Sums sums;
  absl::Status ended;
  {
    MailRun run(session, options, *wave, **sender);
    ended = run.Run();
    sums = run.sums();
  }
  const Table table = SumsTable(sums);
  if (session.output().people()) session.output().Write(table.ToText(session.output().out_terminal()));
  if (session.output().format() == Format::kCsv) session.output().Write(table.ToCsv());
  if (!ended.ok()) return ended;
  return ExitCode::kOk;
}

}  // namespace

void AddMailRun(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "run",
       .description = "Send the mail that is due over SMTP, and tell what became of it",
       .examples = "  peilingctl mail run --smtp smtp://mail.example.nl:587 --smtp-credentials smtp.txt\n"
                   "  peilingctl mail run --smtp smtps://mail.example.nl --envelope-sender bounces@example.nl --verp --follow\n"
                   "  peilingctl mail run --smtp smtp://127.0.0.1:2525 --insecure-smtp --rate 0 -o json\n"},
      [options](Session& session) { return SendMail(session, *options); });
  command.add_option("--smtp", options->smtp.url, "Mail server: smtp://HOST:PORT, which must offer STARTTLS, or smtps://HOST:PORT")
      ->required()
      ->envname("PEILING_SMTP");
  line.CompleteFiles(command
                         .add_option("--smtp-credentials", options->smtp.credentials_file,
                                     "File with two lines, user and password; by default nobody logs in")
                         ->envname("PEILING_SMTP_CREDENTIALS"));
  line.CompleteFiles(
      command.add_option("--smtp-ca", options->smtp.ca_file, "Authorities of the server's certificate; by default the system's"));
  command.add_flag("--insecure-smtp", options->smtp.insecure, "Speak to a server on this machine without TLS");
  command.add_option("--envelope-sender", options->smtp.envelope_sender,
                     "Where what cannot be delivered goes back to; by default to the sender");
  command.add_flag("--verp", options->smtp.verp, "Put the message's id in that address: bounces+ID@example.nl");
  command.add_option("--rate", options->rate, "At most so many mails a second; 0: as many as the server takes")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  command.add_flag("--follow,!--once", options->follow,
                   "Go on, and send what becomes due, until Ctrl-C; by default once, until nothing is due");
}

}  // namespace peiling::ctl

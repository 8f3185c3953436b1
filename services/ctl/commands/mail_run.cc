// mail run: a mailing system for those who have none. Leases mail, sends it over SMTP, and tells what became of it.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/interrupt.h"
#include "services/ctl/client/mail_journal.h"
#include "services/ctl/client/patience.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/client/smtp.h"
#include "services/ctl/commands/mail.h"
#include "services/ctl/output/progress_bar.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::CompleteMailRequest;
using fieldwork::v1::LeasedMessage;
using fieldwork::v1::LeaseMailResponse;
using fieldwork::v1::MailOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Mails leased at a time, at most.
constexpr int kLease = 100;
constexpr seconds kLeastLease{2}, kMostLease{3600};
// Between two looks for mail.
constexpr seconds kPause{5};
// After errors in a row it is longer: at most so many times.
constexpr int kMostPauses = 12;
// How many mails in a row may be refused for good before somebody has to look.
constexpr int kMostRefusals = 5;
// At which refusal of a receiver, all by itself, it counts as that of this mail.
constexpr int kMostAlone = 3;

struct RunOptions {
  SmtpOptions smtp;
  std::string state = DefaultStateFolder();
  std::string lease = "2m";
  // Of `lease`.
  milliseconds lease_time{};
  double rate = 10;
  bool follow = false;
};

struct Sums {
  int64_t sent = 0, refused = 0, later = 0, not_tried = 0, cancelled = 0, uncertain = 0, not_taken = 0;

  int64_t handled() const { return sent + refused + later + cancelled + uncertain; }
};

// Also once somebody has set right what they were warned of.
bool MayPass(const absl::Status& status) { return MayBeTriedAgain(status) || status::Reason(status) == kSmtpRefused; }

absl::Status Interrupted() {
  return status::Error(absl::StatusCode::kCancelled, "INTERRUPTED", "interrupted; what was begun has been told");
}

steady_clock::duration Between(double rate) {
  return rate <= 0 ? steady_clock::duration(0)
                   : std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(1 / rate));
}

// Of a mail that was kept from going.
struct Hindrance {
  // How many others had been sent when it first was.
  int64_t sent_before = 0;
  // How often its receiver was refused while nothing else was due.
  int times_alone = 0;
};

// Sends the mail of a wave until there is none, or for ever.
class MailRun {
 public:
  MailRun(Session& session, const RunOptions& options, std::string wave, SmtpSender& sender, MailJournal& journal)
      : session_(session),
        options_(options),
        wave_(std::move(wave)),
        sender_(sender),
        journal_(journal),
        bar_(session.output().err(), session.output().err_terminal(), "mail",
             options.follow ? 0 : CountOf(session, wave_, fieldwork::v1::MESSAGE_STATE_DUE), "mails") {}

  absl::Status Run() {
    if (journal_.untold()) {
      session_.output().Note("telling first what an earlier run sent and did not tell");
      if (absl::Status told = Tell(*journal_.untold()); !told.ok()) return told;
    }
    for (int errors = 0; !interrupted_.interrupted();) {
      const absl::StatusOr<bool> more = SendSome();
      errors = more.ok() ? 0 : errors + 1;
      if (more.ok() && !*more && !options_.follow) return absl::OkStatus();
      if (more.ok() && *more) continue;
      if (!more.ok()) {
        if (!options_.follow || !MayPass(more.status())) return more.status();
        session_.output().Warn(DescribeError(more.status(), session_.server()));
        troubles_ = 0;
      }
      Wait(kPause * std::clamp(errors, 1, kMostPauses));
    }
    return Interrupted();
  }

  const Sums& sums() const { return sums_; }

  // Mails in a state; 0 when nobody can say.
  static int64_t CountOf(Session& session, const std::string& wave, fieldwork::v1::MessageState state) {
    fieldwork::v1::GetMailStatusRequest request;
    request.set_parent(wave);
    const auto status = session.connection().Call(&Mail::GetMailStatus, request);
    int64_t mails = 0;
    if (!status.ok()) return mails;
    for (const auto& step : status->steps()) {
      for (const auto& count : step.states()) mails += count.state() == state ? count.count() : 0;
    }
    return mails;
  }

 private:
  // Unless interrupted.
  template <typename Try>
  auto Patiently(const Try& attempt) {
    return ctl::Patiently(attempt, [this](milliseconds time) {
      Wait(time);
      return !interrupted_.interrupted();
    });
  }

  // One lease; false when nothing is due.
  absl::StatusOr<bool> SendSome() {
    // Before anything is begun that could not be sent.
    if (absl::Status there = unsure_ ? Patiently([&] { return sender_.Check(); }) : absl::OkStatus(); !there.ok()) return there;
    unsure_ = false;
    fieldwork::v1::LeaseMailRequest request;
    request.set_parent(wave_);
    request.set_max_messages(LeaseSize());
    *request.mutable_lease_duration() = google::protobuf::util::TimeUtil::MillisecondsToDuration(options_.lease_time.count());
    request.set_request_id(RandomRequestId());
    const auto end = steady_clock::now() + options_.lease_time / 2;
    const auto lease = Patiently([&] { return session_.connection().Call(&Mail::LeaseMail, request); });
    if (!lease.ok()) return lease.status();
    alone_ = lease->messages_size() == 1 && request.max_messages() > 1;
    absl::Status sent;
    int taken = 0;
    while (taken < lease->messages_size() && sent.ok() && KeepPace(end)) {
      const LeasedMessage& message = lease->messages(taken);
      const absl::StatusOr<bool> may_go = Begin(lease->lease_id(), message.message());
      sent = may_go.status();
      // One that could not be begun is given back, too.
      if (may_go.ok()) ++taken;
      if (may_go.ok() && *may_go) sent = SendOne(lease->lease_id(), message);
    }
    GiveBack(*lease, taken);
    if (!sent.ok()) return sent;
    return !lease->messages().empty();
  }

  // What was not begun, from the message `first`, is due again at once; when this is not heard, once the lease ends.
  void GiveBack(const LeaseMailResponse& lease, int first) {
    if (first == lease.messages_size()) return;
    CompleteMailRequest request;
    request.set_parent(wave_);
    request.set_lease_id(lease.lease_id());
    for (int i = first; i < lease.messages_size(); ++i) {
      MailOutcome& outcome = *request.add_outcomes();
      outcome.set_message(lease.messages(i).message());
      outcome.set_not_tried(true);
    }
    session_.connection().Call(&Mail::CompleteMail, request).status().IgnoreError();
  }

  // Sends what was begun and tells. An error: nothing more can be sent.
  absl::Status SendOne(const std::string& lease_id, const LeasedMessage& message) {
    next_ = steady_clock::now() + between_;
    Sending sending = sender_.Send(message);
    unsure_ = !sending.trouble.ok();
    absl::Status stop = Judge(sending, message.message());
    if (sending.outcome) {
      stop.Update(Complete(lease_id, *sending.outcome));
    } else {
      ++sums_.uncertain;
    }
    if (stop.ok() && !sending.trouble.ok()) Wait(WaitAfter(troubles_));
    return stop;
  }

  // Keeps what came of a mail, and tells it.
  absl::Status Complete(const std::string& lease_id, const MailOutcome& outcome) {
    CompleteMailRequest completion;
    completion.set_parent(wave_);
    completion.set_lease_id(lease_id);
    *completion.add_outcomes() = outcome;
    const absl::Status kept = journal_.Keep(completion);
    Count(outcome);
    const absl::Status told = Tell(completion);
    return told.ok() ? kept : told;
  }

  // Whether the message may go.
  absl::StatusOr<bool> Begin(const std::string& lease_id, const std::string& message) {
    fieldwork::v1::BeginMailRequest request;
    request.set_parent(wave_);
    request.set_lease_id(lease_id);
    request.add_messages(message);
    const auto begun = Patiently([&] { return session_.connection().Call(&Mail::BeginMail, request); });
    if (!begun.ok()) return begun.status();
    const auto result = begun->results().empty() ? fieldwork::v1::MAIL_RESULT_UNSPECIFIED : begun->results(0).result();
    sums_.cancelled += result == fieldwork::v1::MAIL_RESULT_CANCELLED;
    return result == fieldwork::v1::MAIL_RESULT_OK;
  }

  // What several mails in a row say of the sender. An error: it cannot go on.
  absl::Status Judge(Sending& sending, const std::string& message) {
    if (sending.trouble.ok()) {
      refusals_ = sending.outcome->sent() ? 0 : refusals_ + sending.outcome->permanent();
      if (sending.outcome->sent()) troubles_ = 0;
      return refusals_ < kMostRefusals ? absl::OkStatus() : TooManyRefusals(*sending.outcome);
    }
    if (sending.outcome) {
      Hindrance& hindrance = hindrances_.try_emplace(message, Hindrance{.sent_before = sums_.sent}).first->second;
      // When nothing else is due nobody can tell whether the server refuses all mail or this one alone.
      const bool again_alone = sending.at_receiver && alone_ && ++hindrance.times_alone >= kMostAlone;
      if (again_alone) {
        session_.output().Warn(absl::StrCat(message, ": ", sending.trouble.message(), "; nothing else is due, so it is tried again later"));
      }
      // Others went meanwhile: it is this mail that is not taken.
      if (again_alone || hindrance.sent_before < sums_.sent) sending.outcome->set_not_tried(false);
    }
    return ++troubles_ == kTries || absl::IsInvalidArgument(sending.trouble) ? sending.trouble : absl::OkStatus();
  }

  static absl::Status TooManyRefusals(const MailOutcome& last) {
    return status::Error(
        absl::StatusCode::kFailedPrecondition, "MAIL_REFUSED",
        absl::StrCat(kMostRefusals, " mails in a row were refused for good, the last with: ", last.smtp_code(), " ", last.diagnostic()));
  }

  // Until it is told, or nobody wants to wait any more; then the journal has it.
  absl::Status Tell(const CompleteMailRequest& completion) {
    for (int failures = 1;; ++failures) {
      const auto told = session_.connection().Call(&Mail::CompleteMail, completion);
      if (told.ok()) {
        for (const auto& result : told->results()) LookAt(result, completion.outcomes(0).sent());
        journal_.Forget();
        return absl::OkStatus();
      }
      if (failures == kTries) session_.output().Warn("what was sent last cannot be told for now; trying on");
      if (MayBeTriedAgain(told.status()) && !interrupted_.interrupted()) {
        Wait(WaitAfter(failures));
        continue;
      }
      session_.output().Warn(absl::StrCat("what was sent last is not told; ", journal_.path(), " keeps it for the next run"));
      return told.status();
    }
  }

  void LookAt(const fieldwork::v1::MailItemResult& result, bool sent) {
    const bool lost = result.result() == fieldwork::v1::MAIL_RESULT_LEASE_LOST && sent;
    const bool wrong = result.result() == fieldwork::v1::MAIL_RESULT_NOT_FOUND || result.result() == fieldwork::v1::MAIL_RESULT_INVALID;
    if (!lost && !wrong) return;
    ++sums_.not_taken;
    session_.output().Warn(absl::StrCat(result.message(), ": what became of it was not taken: ", Word(result.result()),
                                        result.problem().empty() ? "" : ", ", result.problem()));
  }

  void Count(const MailOutcome& outcome) {
    if (outcome.sent()) {
      ++sums_.sent;
    } else if (outcome.permanent()) {
      ++sums_.refused;
    } else if (outcome.not_tried()) {
      ++sums_.not_tried;
    } else {
      ++sums_.later;
    }
    if (session_.output().format() == Format::kJson) session_.output().ShowLine(outcome, "");
    bar_.Update(sums_.handled(), sums_.handled());
  }

  // As many as can be sent while they are leased.
  int LeaseSize() const {
    const double most = options_.rate * static_cast<double>(options_.lease_time.count()) / 2000;
    return options_.rate <= 0 ? kLease : static_cast<int>(std::clamp(most, 1.0, static_cast<double>(kLease)));
  }

  // Waits until the next mail may go; false when nothing may any more that has to be sent before `end`.
  bool KeepPace(steady_clock::time_point end) {
    WaitUntil(std::min(next_, end));
    return !interrupted_.interrupted() && steady_clock::now() < end;
  }

  void Wait(milliseconds time) { WaitUntil(steady_clock::now() + time); }

  void WaitUntil(steady_clock::time_point end) {
    while (!interrupted_.interrupted() && steady_clock::now() < end) {
      std::this_thread::sleep_for(std::min<steady_clock::duration>(kLeastWait, end - steady_clock::now()));
    }
  }

  Session& session_;
  const RunOptions& options_;
  const std::string wave_;
  SmtpSender& sender_;
  MailJournal& journal_;
  Sums sums_;
  ProgressBar bar_;
  // Between two mails, at least, and when the next one may go.
  const steady_clock::duration between_ = Between(options_.rate);
  steady_clock::time_point next_ = steady_clock::now();
  // Whether the mail server has yet to say that it is there, at the start and after trouble with it.
  bool unsure_ = true;
  // In a row: mails that the sender's side kept from going, and those that were refused for good.
  int troubles_ = 0;
  int refusals_ = 0;
  // Whether nothing else was due.
  bool alone_ = false;
  // By message.
  std::map<std::string, Hindrance> hindrances_;
  // Ctrl-C ends the run between two mails, not a call.
  grpc::ClientContext no_call_;
  CancelOnInterrupt interrupted_{no_call_};
};

Table SumsTable(const Sums& sums) {
  Table table({{"RESULT"}, {"MAILS", Align::kRight}});
  table.Add({"sent", sums.sent});
  table.Add({"refused for good", sums.refused});
  table.Add({"to be tried again", sums.later});
  table.Add({"not tried", sums.not_tried});
  table.Add({"cancelled", sums.cancelled});
  table.Add({"uncertain", sums.uncertain});
  return table;
}

absl::StatusOr<ExitCode> SendMail(Session& session, RunOptions& options) {
  const auto lease_time = ParseTimeout(options.lease);
  if (!lease_time.ok() || *lease_time < kLeastLease || *lease_time > kMostLease) return UsageError("--lease: want a time from 2s to 1h");
  options.lease_time = *lease_time;
  if (options.state.empty()) return UsageError("--state: want a folder; there is no HOME");
  const auto wave = session.WaveName();
  if (!wave.ok()) return wave.status();
  auto sender = SmtpSender::Open(options.smtp);
  if (!sender.ok()) return sender.status();
  const auto journal = MailJournal::Open(options.state, session.server(), *wave);
  if (!journal.ok()) return journal.status();
  Sums sums;
  absl::Status ended;
  {
    MailRun run(session, options, *wave, **sender, **journal);
    ended = run.Run();
    sums = run.sums();
  }
  const Table table = SumsTable(sums);
  if (session.output().people()) session.output().Write(table.ToText(session.output().out_terminal()));
  if (session.output().format() == Format::kCsv) session.output().Write(table.ToCsv());
  if (!ended.ok()) return ended;
  if (const int64_t leased = MailRun::CountOf(session, *wave, fieldwork::v1::MESSAGE_STATE_LEASED); leased > 0) {
    session.output().Note(absl::StrCat(leased, " mails are leased to somebody else, or to a run that ended early; they come back"));
  }
  return sums.not_taken > 0 ? ExitCode::kNo : ExitCode::kOk;
}

}  // namespace

void AddMailRun(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<RunOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "run",
       .description = "Send the mail that is due over SMTP, and tell what became of it",
       .examples =
           "  peilingctl mail run --smtp smtp://mail.example.nl:587 --smtp-credentials smtp.txt --bounces bounces@example.nl\n"
           "  peilingctl mail run --smtp smtps://mail.example.nl --bounces bounces@example.nl --follow\n"
           "  peilingctl mail run --smtp smtp://127.0.0.1:2525 --insecure-smtp --rate 0 -o json\n"
           "Exit code 5: the mail server was not there; 7: it lets this sender not send; 6: it refused 5 mails in a row for good.\n"},
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
  command.add_option(
      "--bounces", options->smtp.bounces,
      "Where reports of what cannot be delivered go, with the message in it: bounces+MESSAGE=TOKEN@example.nl; by default to the sender");
  command.add_flag("--verp,!--no-verp", options->smtp.verp, "Whether that address has the message in it");
  command.add_option("--rate", options->rate, "At most so many mails a second; 0: as many as the server takes")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  command.add_option("--lease", options->lease, "For how long mails are taken; when this dies, they wait that long for the next run")
      ->capture_default_str();
  command.add_option("--state", options->state, "Folder for what was sent and not told yet; by default that of the user's programs")
      ->envname("PEILING_STATE");
  command.add_flag("--follow,!--once", options->follow,
                   "Go on, and send what becomes due, until Ctrl-C; by default once, until nothing is due");
}

}  // namespace peiling::ctl

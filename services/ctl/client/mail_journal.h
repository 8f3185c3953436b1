// What sending a mail gave, kept on disk until the suite was told: a sender that dies in between tells it when it starts again, and no mail
// that a server took is taken for unsent.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "peiling/fieldwork/v1/mail.pb.h"

namespace peiling::ctl {

// One outcome at a time, since mails are sent one at a time. Not thread-safe.
class MailJournal {
 public:
  // The journal of a wave in a folder, made when it is not there, for its owner's eyes alone. It is this process's until it is closed.
  // NOT_FOUND/FILE_NOT_WRITABLE; FAILED_PRECONDITION/MAIL_RUN_IN_USE when another process has it, MAIL_RUN_UNTOLD when what is in it is for
  // another server, MAIL_RUN_UNREADABLE when it cannot be read.
  static absl::StatusOr<std::unique_ptr<MailJournal>> Open(const std::string& folder, const std::string& server, const std::string& wave);
  ~MailJournal();

  MailJournal(const MailJournal&) = delete;
  MailJournal& operator=(const MailJournal&) = delete;

  // What an earlier process kept and did not tell.
  const std::optional<fieldwork::v1::CompleteMailRequest>& untold() const { return untold_; }
  const std::string& path() const { return path_; }

  // Returns when it is on disk. RESOURCE_EXHAUSTED/FILE_NOT_WRITABLE.
  absl::Status Keep(const fieldwork::v1::CompleteMailRequest& completion);
  // It was told.
  void Forget();

 private:
  MailJournal(std::string path, std::string server, int file) : path_(std::move(path)), server_(std::move(server)), file_(file) {}
  absl::Status Read(const std::string& wave);

  const std::string path_;
  const std::string server_;
  const int file_;
  std::optional<fieldwork::v1::CompleteMailRequest> untold_;
};

// Where programs keep what they need the next time: $XDG_STATE_HOME/peilingctl, or ~/.local/state/peilingctl; "" without a home.
std::string DefaultStateFolder();

}  // namespace peiling::ctl

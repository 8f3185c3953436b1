// A mail server on loopback that says what the test wants and keeps what it gets. Without TLS.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace peiling::ctl::testing {

class FakeSmtp {
 public:
  struct Mail {
    std::string from, to;
    // Headers and body, lines ended by LF.
    std::string text;
  };

  FakeSmtp();
  ~FakeSmtp();

  std::string url() const;

  // What a command ("connect", "MAIL", "RCPT", "DATA", "." for the end of a mail) is answered for receivers with this text in their
  // address; "" hangs up.
  void Answers(const std::string& command, const std::string& receiver, const std::string& reply);
  // After so many NOOPs it ends a connection, as Exim does after 10.
  void TakesNoops(int most);
  std::vector<Mail> mails() const;
  int connections() const;

 private:
  void Run();
  void Serve(int socket);
  bool TooMany(int noops) const;
  std::string ReplyTo(const std::string& command, const std::string& receiver, const std::string& otherwise) const;

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::string> replies_;
  std::vector<Mail> mails_;
  int connections_ = 0;
  int most_noops_ = 10;
  std::thread thread_;
};

}  // namespace peiling::ctl::testing

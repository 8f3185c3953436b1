#include "tests/ctl/fake_smtp.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace peiling::ctl::testing {
namespace {

// One line without its end; nullopt when the other has gone.
std::optional<std::string> ReadLine(int socket) {
  std::string line;
  for (char c = 0; recv(socket, &c, 1, 0) == 1;) {
    if (c == '\n') return line;
    if (c != '\r') line += c;
  }
  return std::nullopt;
}

void Say(int socket, const std::string& reply) {
  const std::string line = reply + "\r\n";
  (void)!send(socket, line.data(), line.size(), MSG_NOSIGNAL);
}

std::string AddressIn(const std::string& line) {
  const size_t begin = line.find('<') + 1;
  return line.substr(begin, line.find('>') - begin);
}

}  // namespace

FakeSmtp::FakeSmtp() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 10) != 0) std::abort();
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread(&FakeSmtp::Run, this);
}

FakeSmtp::~FakeSmtp() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  close(listener_);
}

std::string FakeSmtp::url() const { return absl::StrCat("smtp://127.0.0.1:", port_); }

void FakeSmtp::Answers(const std::string& command, const std::string& receiver, const std::string& reply) {
  const std::lock_guard lock(mutex_);
  replies_[{command, receiver}] = reply;
}

void FakeSmtp::TakesNoops(int most) {
  const std::lock_guard lock(mutex_);
  most_noops_ = most;
}

std::vector<FakeSmtp::Mail> FakeSmtp::mails() const {
  const std::lock_guard lock(mutex_);
  return mails_;
}

int FakeSmtp::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

// One connection at a time, as its clients make them.
void FakeSmtp::Run() {
  for (int socket; (socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    {
      const std::lock_guard lock(mutex_);
      ++connections_;
    }
    Serve(socket);
    close(socket);
  }
}

std::string FakeSmtp::ReplyTo(const std::string& command, const std::string& receiver, const std::string& otherwise) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [what, reply] : replies_) {
    if (what.first == command && absl::StrContains(receiver, what.second)) return reply;
  }
  return otherwise;
}

bool FakeSmtp::TooMany(int noops) const {
  const std::lock_guard lock(mutex_);
  return noops > most_noops_;
}

void FakeSmtp::Serve(int socket) {
  Say(socket, ReplyTo("connect", "", "220 fake"));
  Mail mail;
  int noops = 0;
  while (const auto line = ReadLine(socket)) {
    const std::string command = line->substr(0, line->find(' '));
    std::string reply = "250 2.0.0 ok";
    if (command == "QUIT") return;
    if (command == "NOOP" && TooMany(++noops)) return Say(socket, "554 Too many nonmail commands");
    if (command == "MAIL") mail = {.from = AddressIn(*line)};
    if (command == "RCPT") mail.to = AddressIn(*line);
    if (command == "DATA") reply = "354 go on";
    reply = ReplyTo(command, mail.to, reply);
    if (reply.empty()) return;
    Say(socket, reply);
    if (!absl::StartsWith(reply, "354")) continue;
    for (auto text = ReadLine(socket); text && *text != "."; text = ReadLine(socket)) absl::StrAppend(&mail.text, *text, "\n");
    reply = ReplyTo(".", mail.to, "250 2.0.0 taken");
    if (reply.empty()) return;
    if (reply[0] == '2') {
      const std::lock_guard lock(mutex_);
      mails_.push_back(mail);
    }
    Say(socket, reply);
  }
}

}  // namespace peiling::ctl::testing

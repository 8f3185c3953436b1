#include "tests/contract/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <thread>

namespace peiling::storage {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience(20);
constexpr std::chrono::milliseconds kPause(10);
constexpr int kBusOffset = 10'000;

// The port that was bound, 0 when it could not be; `port` 0 is any.
int Bindable(int port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  socklen_t size = sizeof(address);
  const bool bound = bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(descriptor);
  return bound ? ntohs(address.sin_port) : 0;
}

std::string AsText(const redisReply* reply) {
  if (reply == nullptr) return "(no answer)";
  if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
  if (reply->type != REDIS_REPLY_ARRAY) return reply->str == nullptr ? "(nil)" : std::string(reply->str, reply->len);
  std::string text;
  for (size_t i = 0; i < reply->elements; ++i) text += (i == 0 ? "" : " ") + AsText(reply->element[i]);
  return text;
}

}  // namespace

int FreePort() {
  // Ports that the system gives out of its own accord to connections would be taken by one sooner or later.
  // Programs that run at the same time, with neighbouring ids, are kept apart.
  static int next = 20'000 + getpid() * 97 % 10'000;
  while (true) {
    next = next >= 30'000 ? 20'000 : next + 1;
    if (Bindable(next) != 0 && Bindable(next + kBusOffset) != 0) return next;
  }
}

RedisServer::RedisServer(const std::vector<std::string>& lines, bool sentinel) : port_(FreePort()), sentinel_(sentinel) {
  std::ofstream config(folder_.path() / "redis.conf");
  config << "bind 127.0.0.1\nport " << port_ << "\ndir " << folder_.path().string() << "\nlogfile redis.log\n";
  if (!sentinel) config << "save \"\"\nappendonly yes\nappendfsync always\nrepl-diskless-sync-delay 0\n";
  for (const std::string& line : lines) config << line << "\n";
  config.close();
  Start();
}

RedisServer::~RedisServer() { Kill(); }

void RedisServer::Kill() {
  if (pid_ < 0) return;
  // And the process that rewrites its file, if there is one.
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisServer::Start() {
  const std::string config = (folder_.path() / "redis.conf").string();
  pid_ = fork();
  if (pid_ > 0) setpgid(pid_, pid_);
  if (pid_ == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execlp("redis-server", "redis-server", config.c_str(), sentinel_ ? "--sentinel" : nullptr, nullptr);
    _exit(127);
  }
  Await(*this, {"INFO"}, "uptime_in_seconds");
  Await(*this, {"INFO"}, sentinel_ ? "sentinel_masters:" : "\nloading:0");
}

void RedisServer::Pause() const { kill(pid_, SIGSTOP); }

void RedisServer::Continue() const { kill(pid_, SIGCONT); }

std::string RedisServer::Ask(const std::vector<std::string>& command) const {
  const timeval patience{5, 0};
  const std::unique_ptr<redisContext, void (*)(redisContext*)> context(redisConnectWithTimeout("127.0.0.1", port_, patience), redisFree);
  if (context == nullptr || context->err != 0) return std::string("(no connection) ") + (context == nullptr ? "" : context->errstr);
  redisSetTimeout(context.get(), patience);
  std::vector<const char*> words;
  std::vector<size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  void* reply = redisCommandArgv(context.get(), static_cast<int>(words.size()), words.data(), sizes.data());
  const std::unique_ptr<redisReply, void (*)(void*)> owner(static_cast<redisReply*>(reply), freeReplyObject);
  return AsText(owner.get());
}

void Await(const RedisServer& server, const std::vector<std::string>& command, const std::string& text) {
  const auto end = steady_clock::now() + kPatience;
  std::string answer = server.Ask(command);
  while (answer.find(text) == std::string::npos) {
    ASSERT_LT(steady_clock::now(), end) << "no " << text << " in: " << answer;
    std::this_thread::sleep_for(kPause);
    answer = server.Ask(command);
  }
}

}  // namespace peiling::storage

#include "services/common/storage/redis_connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace peiling::storage {
namespace {

using std::chrono::steady_clock;

constexpr size_t kReceiveBytes = 64 << 10;

// Milliseconds until a deadline for poll, rounded up; 0 when it has passed.
int Remaining(RedisDeadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

absl::Status Unavailable(const RedisEndpoint& endpoint, std::string_view why) {
  return RedisError(absl::StatusCode::kUnavailable, "STORAGE_UNAVAILABLE", endpoint.ToString(), why);
}

// A connected socket that does not block, or -1 with errno.
int ConnectTo(const addrinfo& address, RedisDeadline deadline) {
  const int descriptor = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  int error = connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd wait{descriptor, POLLOUT, 0};
    socklen_t size = sizeof(error);
    error = ETIMEDOUT;
    if (poll(&wait, 1, Remaining(deadline)) == 1) getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0) return descriptor;
  close(descriptor);
  errno = error;
  return -1;
}

}  // namespace

RedisConnection::RedisConnection(RedisEndpoint endpoint, int descriptor)
    : endpoint_(std::move(endpoint)), descriptor_(descriptor), reader_(redisReaderCreate()) {}

RedisConnection::~RedisConnection() { close(descriptor_); }

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::Connect(const RedisAddress& address, const RedisEndpoint& endpoint,
                                                                          RedisDeadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found); error != 0) {
    return Unavailable(endpoint, gai_strerror(error));
  }
  int descriptor = -1;
  for (const addrinfo* candidate = found; candidate != nullptr && descriptor < 0; candidate = candidate->ai_next) {
    descriptor = ConnectTo(*candidate, deadline);
  }
  const int error = errno;
  freeaddrinfo(found);
  if (descriptor < 0) return Unavailable(endpoint, std::string("cannot connect: ") + std::strerror(error));
  std::unique_ptr<RedisConnection> connection(new RedisConnection(endpoint, descriptor));
  if (address.tls) {
    if (absl::Status started = connection->StartTls(address, deadline); !started.ok()) return started;
  }
  return connection;
}

absl::Status RedisConnection::StartTls(const RedisAddress& address, RedisDeadline deadline) {
  auto context = MakeTlsContext(address);
  if (!context.ok()) return context.status();
  auto session = TlsSession::Create(std::move(*context), address.server_name.empty() ? endpoint_.host : address.server_name);
  if (!session.ok()) return session.status();
  tls_ = std::move(*session);
  return Transfer([this] { return tls_->connected(); }, deadline);
}

void RedisConnection::Append(const RedisCommand& command) {
  std::vector<const char*> arguments;
  std::vector<size_t> sizes;
  arguments.reserve(command.size());
  sizes.reserve(command.size());
  for (const std::string_view argument : command) {
    arguments.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(command.size()), arguments.data(), sizes.data());
  if (size < 0) {
    broken_ = true;
    return;
  }
  appended_.append(formatted, static_cast<size_t>(size));
  redisFreeCommand(formatted);
  ++pending_;
}

absl::StatusOr<std::vector<RedisReply>> RedisConnection::Exchange(RedisDeadline deadline) {
  if (broken_) return Broken("the connection was broken before");
  std::string bytes = std::exchange(appended_, {});
  if (tls_ != nullptr) {
    if (absl::Status written = tls_->Write(bytes); !written.ok()) return Broken(std::string(written.message()));
  } else {
    outgoing_ = std::move(bytes);
    sent_ = 0;
  }
  std::vector<RedisReply> replies;
  replies.reserve(pending_);
  const absl::Status transferred = Transfer([&] { return TakeReplies(replies); }, deadline);
  if (!transferred.ok()) return transferred;
  pending_ = 0;
  return replies;
}

bool RedisConnection::usable() const {
  if (broken_) return false;
  // Between exchanges nothing is to come: what can be read is the end, or a stranger's.
  pollfd wait{descriptor_, POLLIN, 0};
  return poll(&wait, 1, 0) == 0;
}

absl::Status RedisConnection::Transfer(const std::function<absl::StatusOr<bool>()>& done, RedisDeadline deadline) {
  while (true) {
    if (tls_ != nullptr && sent_ == outgoing_.size()) {
      outgoing_ = tls_->TakeOutgoing();
      sent_ = 0;
    }
    const bool sending = sent_ < outgoing_.size();
    auto finished = done();
    if (!finished.ok()) return Broken(std::string(finished.status().message()));
    if (*finished && !sending) return absl::OkStatus();
    pollfd wait{descriptor_, static_cast<short>(POLLIN | (sending ? POLLOUT : 0)), 0};
    const int ready = poll(&wait, 1, Remaining(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Broken("no answer in time");
    if ((wait.revents & POLLOUT) != 0) {
      if (absl::Status sent = SendSome(); !sent.ok()) return sent;
    }
    if ((wait.revents & ~POLLOUT) != 0) {
      if (absl::Status received = ReceiveSome(); !received.ok()) return received;
    }
  }
}

absl::Status RedisConnection::SendSome() {
  const ssize_t count = send(descriptor_, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
  if (count >= 0) {
    sent_ += static_cast<size_t>(count);
    return absl::OkStatus();
  }
  return errno == EAGAIN || errno == EINTR ? absl::OkStatus() : Broken(std::strerror(errno));
}

absl::Status RedisConnection::ReceiveSome() {
  char buffer[kReceiveBytes];
  const ssize_t count = recv(descriptor_, buffer, sizeof(buffer), 0);
  if (count == 0) return Broken("the server has closed the connection");
  if (count < 0) return errno == EAGAIN || errno == EINTR ? absl::OkStatus() : Broken(std::strerror(errno));
  std::string_view bytes(buffer, static_cast<size_t>(count));
  std::string plain;
  if (tls_ != nullptr) {
    absl::Status status = tls_->Receive(bytes);
    if (status.ok() && tls_->connected()) status = tls_->Read(plain);
    if (!status.ok()) {
      // Kept as it is: who is not let in should be told why.
      broken_ = true;
      return status;
    }
    bytes = plain;
  }
  if (!bytes.empty()) redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
  return absl::OkStatus();
}

absl::StatusOr<bool> RedisConnection::TakeReplies(std::vector<RedisReply>& replies) {
  while (replies.size() < pending_) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) return Broken(reader_->errstr);
    if (reply == nullptr) return false;
    replies.emplace_back(static_cast<redisReply*>(reply));
  }
  return true;
}

absl::Status RedisConnection::Broken(std::string_view why) {
  broken_ = true;
  return Unavailable(endpoint_, why);
}

}  // namespace peiling::storage

#include "services/common/server/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

#include "prometheus/counter.h"
#include "services/common/server/listen.h"
#include "services/common/server/metrics.h"

namespace peiling::server {
namespace {

constexpr int kRetryMilliseconds = 20;
// Kept for everything but clients, of the descriptors a process may have; less when it may have few.
constexpr int kReserved = 256;

int MostDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return INT_MAX;
  const int most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
  return most - std::min(kReserved, most / 4);
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  // At the same place for IPv6.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

prometheus::Counter& Refused() {
  static auto& refused = prometheus::BuildCounter()
                             .Name("peiling_connections_refused_total")
                             .Help("Connections closed at once because the process is nearly out of file descriptors.")
                             .Register(Metrics())
                             .Add({});
  return refused;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(const std::string& address) {
  const auto socket = Listen(address);
  if (!socket.ok()) return socket.status();
  const int wake = eventfd(0, EFD_CLOEXEC);
  if (wake < 0) {
    close(*socket);
    return absl::ErrnoToStatus(errno, "eventfd");
  }
  return std::unique_ptr<Acceptor>(new Acceptor(*socket, wake, PortOf(*socket)));
}

Acceptor::Acceptor(int socket, int wake, int port) : socket_(socket), wake_(wake), port_(port), most_descriptors_(MostDescriptors()) {}

Acceptor::~Acceptor() {
  Stop();
  close(wake_);
  // Still open when it never started.
  close(socket_);
}

std::unique_ptr<Acceptor::Sink> Acceptor::AddTo(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials) {
  using Experimental = grpc::ServerBuilder::experimental_type;
  return builder.experimental().AddExternalConnectionAcceptor(Experimental::ExternalConnectionType::FROM_FD, std::move(credentials));
}

void Acceptor::Start(std::unique_ptr<Sink> sink) {
  sink_ = std::move(sink);
  Refused();
  thread_ = std::thread([this] { Run(); });
}

void Acceptor::Stop() {
  if (!thread_.joinable()) return;
  constexpr uint64_t kOne = 1;
  (void)!write(wake_, &kOne, sizeof(kOne));
  thread_.join();
  shutdown(socket_, SHUT_RDWR);
}

void Acceptor::Run() {
  std::array<pollfd, 2> polled = {pollfd{.fd = wake_, .events = POLLIN}, pollfd{.fd = socket_, .events = POLLIN}};
  while (true) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled[0].revents != 0) return;
    while (TakeOne()) {
      if (WaitForStop(0)) return;
    }
  }
}

bool Acceptor::TakeOne() {
  const int connection = accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) WaitForStop(kRetryMilliseconds);
    // Everything else is about a connection that has gone, or there is none.
    return false;
  }
  // The system gives out the lowest descriptor that is free.
  if (connection >= most_descriptors_) {
    close(connection);
    Refused().Increment();
    return true;
  }
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Sink::NewConnectionParameters parameters;
  parameters.listener_fd = socket_;
  parameters.fd = connection;
  sink_->HandleNewConnection(&parameters);
  return true;
}

bool Acceptor::WaitForStop(int milliseconds) const {
  pollfd polled{.fd = wake_, .events = POLLIN};
  return poll(&polled, 1, milliseconds) > 0;
}

}  // namespace peiling::server

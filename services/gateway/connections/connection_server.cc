#include "services/gateway/connections/connection_server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "services/common/server/listen.h"
#include "services/common/server/metrics.h"

namespace peiling::gateway {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

std::string PeerOf(const tcp::socket::lowest_layer_type& socket) {
  Error error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return "";
  if (peer.address().is_v4()) return absl::StrCat("ipv4:", peer.address().to_string(), ":", peer.port());
  const auto address = peer.address().to_v6();
  if (address.is_v4_mapped()) {
    return absl::StrCat("ipv4:", asio::ip::make_address_v4(asio::ip::v4_mapped, address).to_string(), ":", peer.port());
  }
  return absl::StrCat("ipv6:[", address.to_string(), "]:", peer.port());
}

// Keeps the thread of its loop running for as long as it is there.
template <typename Stream>
class SocketTransport final : public Transport {
 public:
  SocketTransport(Stream stream, std::string certificate)
      : work_(stream.get_executor()),
        stream_(std::move(stream)),
        timer_(stream_.get_executor()),
        peer_(PeerOf(stream_.lowest_layer())),
        certificate_(std::move(certificate)) {}

  void Read(char* to, size_t size, std::function<void(bool, size_t)> done) override {
    stream_.async_read_some(asio::buffer(to, size), [done = std::move(done)](const Error& error, size_t bytes) { done(!error, bytes); });
  }

  void Write(std::string_view first, std::string_view second, std::function<void(bool)> done) override {
    const std::array<asio::const_buffer, 2> parts = {asio::buffer(first.data(), first.size()), asio::buffer(second.data(), second.size())};
    asio::async_write(stream_, parts, [done = std::move(done)](const Error& error, size_t) { done(!error); });
  }

  void ShutdownSend() override {
    Error ignored;
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void Close() override {
    Error ignored;
    stream_.lowest_layer().close(ignored);
    timer_.cancel();
  }

  void WakeAt(std::chrono::steady_clock::time_point time, std::function<void()> wake) override {
    timer_.expires_at(time);
    timer_.async_wait([wake = std::move(wake)](const Error& error) {
      if (!error) wake();
    });
  }

  void Dispatch(std::function<void()> work) override { asio::dispatch(stream_.get_executor(), std::move(work)); }
  void Post(std::function<void()> work) override { asio::post(stream_.get_executor(), std::move(work)); }

  std::string peer() const override { return peer_; }
  std::string certificate() const override { return certificate_; }

 private:
  // Goes last: without it the loop of the others may be gone.
  const asio::executor_work_guard<asio::any_io_executor> work_;
  Stream stream_;
  asio::steady_timer timer_;
  const std::string peer_;
  const std::string certificate_;
};

// Counts of connections, as metrics.
struct ConnectionMetrics {
  explicit ConnectionMetrics(const std::string& protocol)
      : open(prometheus::BuildGauge()
                 .Name("peiling_gateway_connections")
                 .Help("Connections that are open.")
                 .Register(server::Metrics())
                 .Add({{"protocol", protocol}})),
        idle(TurnedAway(protocol, "made room")),
        full(TurnedAway(protocol, "no room")),
        handshake(TurnedAway(protocol, "TLS")) {}

  static prometheus::Counter& TurnedAway(const std::string& protocol, const char* reason) {
    return prometheus::BuildCounter()
        .Name("peiling_gateway_connections_turned_away_total")
        .Help("Connections ended before they asked anything, by reason.")
        .Register(server::Metrics())
        .Add({{"protocol", protocol}, {"reason", reason}});
  }

  prometheus::Gauge& open;
  prometheus::Counter& idle;
  prometheus::Counter& full;
  prometheus::Counter& handshake;
};

// One thread and its connections.
class Loop {
 public:
  Loop(const ConnectionServerOptions& options, const SessionFactory& make, int max_connections)
      : options_(options),
        make_(make),
        max_connections_(max_connections),
        counts_(options.protocol),
        work_(asio::make_work_guard(context_)) {}

  void Run() {
    thread_ = std::thread([this] { context_.run(); });
  }

  asio::io_context& context() { return context_; }

  // Takes a connection that was accepted on this loop's context.
  void Take(tcp::socket socket) {
    asio::dispatch(context_, [this, socket = std::make_shared<tcp::socket>(std::move(socket))] { Begin(std::move(*socket)); });
  }

  // On the loop's thread: from then on no handler is called with a new request.
  void Close() {
    asio::dispatch(context_, [this] {
      closing_ = true;
      for (const auto& session : Sessions()) session->Close();
      for (const auto& handshake : std::list(handshakes_)) handshake->lowest_layer().close();
    });
  }

  void Abort() {
    asio::dispatch(context_, [this] {
      for (const auto& session : Sessions()) session->Abort();
    });
  }

  // Lets the thread end with its last connection.
  void Release() { work_.reset(); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Connection {
    std::weak_ptr<Session> session;
    // Its place in `waiting_`, while it waits.
    std::list<uint64_t>::iterator place;
    bool waits = false;
  };

  std::vector<std::shared_ptr<Session>> Sessions() {
    std::vector<std::shared_ptr<Session>> sessions;
    for (const auto& [id, connection] : connections_) {
      if (auto session = connection.session.lock()) sessions.push_back(std::move(session));
    }
    return sessions;
  }

  size_t size() const { return connections_.size() + handshakes_.size(); }

  // Makes room for one more; false when there is none.
  bool MakeRoom() {
    if (size() < static_cast<size_t>(max_connections_)) return true;
    // Who does not even begin to speak does not take the place of those who are idle.
    if (waiting_.empty() || handshakes_.size() > static_cast<size_t>(max_connections_) / 8) {
      if (handshakes_.empty()) return false;
      counts_.idle.Increment();
      const auto oldest = handshakes_.front();
      handshakes_.pop_front();
      oldest->lowest_layer().close();
      return true;
    }
    counts_.idle.Increment();
    const std::shared_ptr<Session> oldest = connections_.at(waiting_.front()).session.lock();
    if (oldest != nullptr) oldest->Abort();
    return oldest != nullptr;
  }

  void Begin(tcp::socket socket) {
    Error ignored;
    if (closing_ || !MakeRoom()) {
      counts_.full.Increment();
      socket.close(ignored);
      return;
    }
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    if (options_.tls == nullptr) return Serve(std::make_unique<SocketTransport<tcp::socket>>(std::move(socket), ""));
    Handshake(std::move(socket));
  }

  void Handshake(tcp::socket socket) {
    const std::shared_ptr<SSL_CTX> certificates = options_.tls->Current();
    SSL_CTX_up_ref(certificates.get());
    asio::ssl::context context(certificates.get());
    const auto stream = std::make_shared<TlsStream>(std::move(socket), context);
    const auto timer = std::make_shared<asio::steady_timer>(context_, options_.handshake_time);
    handshakes_.push_back(stream);
    timer->async_wait([stream](const Error& error) {
      Error ignored;
      if (!error) stream->lowest_layer().close(ignored);
    });
    stream->async_handshake(TlsStream::server, [this, stream, timer](const Error& error) {
      timer->cancel();
      handshakes_.remove(stream);
      if (error || closing_) {
        counts_.handshake.Increment();
        return;
      }
      std::string certificate = tls::PeerCertificate(*stream->native_handle());
      Serve(std::make_unique<SocketTransport<TlsStream>>(std::move(*stream), std::move(certificate)));
    });
  }

  void Serve(std::unique_ptr<Transport> transport) {
    const uint64_t id = ++last_id_;
    const auto session = make_(std::move(transport), [this, id](bool over) { OnChanged(id, over); });
    connections_[id].session = session;
    counts_.open.Increment();
    OnChanged(id, false);
    session->Start();
  }

  // Keeps those that wait in the order in which they began to.
  void OnChanged(uint64_t id, bool over) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    if (connection.waits) waiting_.erase(connection.place);
    if (over) {
      connections_.erase(found);
      counts_.open.Decrement();
      return;
    }
    const auto session = connection.session.lock();
    connection.waits = session != nullptr && session->waiting();
    if (connection.waits) connection.place = waiting_.insert(waiting_.end(), id);
  }

  const ConnectionServerOptions& options_;
  const SessionFactory& make_;
  const int max_connections_;
  ConnectionMetrics counts_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  bool closing_ = false;
  uint64_t last_id_ = 0;
  std::unordered_map<uint64_t, Connection> connections_;
  std::list<uint64_t> waiting_;
  std::list<std::shared_ptr<TlsStream>> handshakes_;
  std::thread thread_;
};

// Each connection is a file.
int MaxFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  return static_cast<int>(std::min<rlim_t>(files.rlim_cur, 1 << 20));
}

class Server final : public ConnectionServer {
 public:
  Server(ConnectionServerOptions options, SessionFactory make) : options_(std::move(options)), make_(std::move(make)) {
    const int connections = std::min(options_.max_connections, MaxFiles() / 8 * 3);
    for (int i = 0; i < options_.threads; ++i) {
      loops_.push_back(std::make_unique<Loop>(options_, make_, std::max(1, connections / options_.threads)));
    }
    acceptor_ = std::make_unique<tcp::acceptor>(loops_[0]->context());
    patience_ = std::make_unique<asio::steady_timer>(loops_[0]->context());
  }
  ~Server() override { Stop({}); }

  absl::Status Listen() {
    const absl::StatusOr<int> listening = server::Listen(options_.listen);
    if (!listening.ok()) return listening.status();
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    getsockname(*listening, reinterpret_cast<sockaddr*>(&address), &size);
    acceptor_->assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), *listening);
    port_ = acceptor_->local_endpoint().port();
    Accept();
    for (const auto& loop : loops_) loop->Run();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Close() override {
    if (closed_.exchange(true)) return;
    asio::dispatch(loops_[0]->context(), [this] {
      Error ignored;
      acceptor_->close(ignored);
      patience_->cancel();
    });
    for (const auto& loop : loops_) {
      loop->Close();
      loop->Release();
    }
  }

  void Stop(std::chrono::milliseconds grace) override {
    Close();
    const std::lock_guard lock(stop_mutex_);
    if (std::exchange(stopped_, true)) return;
    std::promise<void> all_joined;
    std::thread impatient([this, grace, joined = all_joined.get_future()] {
      if (joined.wait_for(grace) == std::future_status::ready) return;
      for (const auto& loop : loops_) loop->Abort();
    });
    for (const auto& loop : loops_) loop->Join();
    all_joined.set_value();
    impatient.join();
  }

 private:
  void Accept() {
    Loop& loop = *loops_[next_++ % loops_.size()];
    acceptor_->async_accept(loop.context(), [this, &loop](const Error& error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_->is_open()) return;
      if (!error) {
        loop.Take(std::move(socket));
        return Accept();
      }
      // No files left: they come back.
      patience_->expires_after(std::chrono::milliseconds(50));
      patience_->async_wait([this](const Error& cancelled) {
        if (!cancelled) Accept();
      });
    });
  }

  const ConnectionServerOptions options_;
  const SessionFactory make_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> patience_;
  size_t next_ = 0;
  int port_ = 0;
  std::atomic<bool> closed_{false};
  std::mutex stop_mutex_;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ConnectionServer>> ConnectionServer::Start(const ConnectionServerOptions& options, SessionFactory make) {
  auto server = std::make_unique<Server>(options, std::move(make));
  if (absl::Status listening = server->Listen(); !listening.ok()) return listening;
  return server;
}

}  // namespace peiling::gateway

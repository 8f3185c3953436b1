// What HTTP/JSON costs beside gRPC: the same call with 4 KiB through the same gateway (gateway_setting.h), as gRPC, as a POST with a JSON
// body and as a GET with a query; and the transcoding alone. Client, gateway and service are three processes on the same cores.
//
// Side by side: --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "services/gateway/http/json.h"
#include "services/gateway/http/transcoder.h"
#include "tests/bench/gateway_setting.h"

namespace peiling::gateway {
namespace {

// Where the gateway tells on which port it speaks HTTP.
const std::string& PortFile() {
  static const auto* const path = new std::string(std::filesystem::temp_directory_path() / ("http_bench." + std::to_string(getpid())));
  return *path;
}

GatewaySetting& TheSetting() {
  static auto* const setting = [] {
    Options options = GatewaySetting::Unlimited();
    options.http.listen = "127.0.0.1:0";
    options.http.port_file = PortFile();
    return new GatewaySetting(options);
  }();
  return *setting;
}

int HttpPort() {
  std::string address;
  std::ifstream(PortFile()) >> address;
  return std::stoi(address.substr(address.rfind(':') + 1));
}

// A connection that asks the same again and again, with as little work as can be.
class Connection {
 public:
  explicit Connection(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const int at_once = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Connection() { close(socket_); }

  // Whether the answer is 200.
  bool Ask(const std::string& request) {
    if (!connected_ || send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return false;
    in_.clear();
    size_t wanted = std::string::npos;
    while (in_.size() < wanted) {
      char buffer[8192];
      const ssize_t got = recv(socket_, buffer, sizeof(buffer), 0);
      if (got <= 0) return false;
      in_.append(buffer, static_cast<size_t>(got));
      const size_t end = in_.find("\r\n\r\n");
      constexpr std::string_view kLength = "Content-Length: ";
      if (wanted == std::string::npos && end != std::string::npos)
        wanted = end + 4 + std::stoul(in_.substr(in_.find(kLength) + kLength.size()));
    }
    return in_.starts_with("HTTP/1.1 200 ");
  }

 private:
  const int socket_;
  bool connected_ = false;
  std::string in_;
};

void AskAgain(benchmark::State& state, const std::string& request) {
  Connection connection(HttpPort());
  const double before = TheSetting().cpu_seconds();
  for (auto _ : state) {
    if (!connection.Ask(request)) {
      state.SkipWithError("not answered");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  const double calls = static_cast<double>(state.iterations()) * state.threads();
  state.counters["cpu_us"] = state.thread_index() == 0 ? (TheSetting().cpu_seconds() - before) * 1e6 / calls : 0;
}

std::string Head(const std::string& request_line) {
  return request_line + " HTTP/1.1\r\nHost: bench\r\nAuthorization: " + TheSetting().authorization() + "\r\n";
}

void BM_Grpc(benchmark::State& state) { CallEcho(state, TheSetting(), TheSetting().gateway->port(), TheSetting().authorization()); }

void BM_Post(benchmark::State& state) {
  const std::string body = R"({"texts":[")" + std::string(4096, 'x') + "\"]}";
  AskAgain(state, Head("POST /v1/municipality-resolution") +
                      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
}

void BM_Get(benchmark::State& state) { AskAgain(state, Head("GET /v1/municipality-resolution?text=" + std::string(4096, 'x')) + "\r\n"); }

BENCHMARK(BM_Grpc)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_Post)->Threads(1)->Threads(64)->UseRealTime();
BENCHMARK(BM_Get)->Threads(1)->Threads(64)->UseRealTime();

// A page of 100 municipalities with names and numbers.
registry::v1::ListMunicipalitiesResponse Page() {
  registry::v1::ListMunicipalitiesResponse page;
  for (int i = 0; i < 100; ++i) {
    auto& municipality = *page.add_municipalities();
    municipality.set_name("municipalities/GM" + std::to_string(1000 + i));
    municipality.set_code("GM" + std::to_string(1000 + i));
    municipality.set_title("Gemeente " + std::to_string(i));
    municipality.set_province("Groningen");
    for (int year = 2014; year < 2024; ++year) {
      auto& inhabitants = *municipality.add_inhabitants();
      inhabitants.set_date(std::to_string(year) + "-01-01");
      inhabitants.set_count(12'000 + year);
    }
  }
  return page;
}

void BM_WriteJson(benchmark::State& state) {
  const registry::v1::ListMunicipalitiesResponse page = Page();
  size_t bytes = 0;
  for (auto _ : state) bytes += WriteJson(page).size();
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void BM_ReadJson(benchmark::State& state) {
  const std::string json = WriteJson(Page());
  for (auto _ : state) {
    registry::v1::ListMunicipalitiesResponse page;
    status::BadRequest bad;
    if (!ReadJson(json, page, bad).ok() || !bad.empty()) state.SkipWithError("not read");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(json.size()));
}

BENCHMARK(BM_WriteJson);
BENCHMARK(BM_ReadJson);

}  // namespace
}  // namespace peiling::gateway

int main(int argc, char** argv) {
  peiling::gateway::TheSetting();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove(peiling::gateway::PortFile());
}

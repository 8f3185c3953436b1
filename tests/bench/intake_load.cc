// Durable writes a second: a load client that keeps a number of calls of SubmitResponse, or with --drafts of SaveDraft, under way. Each
// client saves one answer after the other in a draft of its own, which has answers of --bytes altogether.
//
//   intake_load [--drafts]              starts intake and validation in this process, on a file in TMPDIR, and sets the rate beside what
//                                       SQLite alone commits in groups of 64 rows of the same size, measured before
//   intake_load --store=ADDRESS         the same on another store, an empty one
//   intake_load --target=host:port      loads what runs there: intake itself, or the gateway
//
// It applies a survey of its own ("surveys/load"), so do not point it at a poll that matters.
#include <sqlite3.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "peiling/intake/v1/drafts.grpc.pb.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "services/common/server/server.h"
#include "services/common/status/errors.h"
#include "services/intake/intake_module.h"
#include "services/validation/validation_module.h"

namespace peiling::intake {
namespace {

using Clock = std::chrono::steady_clock;

struct Flags {
  std::string target;
  std::string store;
  bool drafts = false;
  int clients = 64;
  int connections = 2;
  double seconds = 5;
  int bytes = 4096;
  int partitions = 1;
};

constexpr int kQuestions = 20;
constexpr char kWave[] = "surveys/load/waves/load";
constexpr char kMunicipalityQuestion[] = "place";

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "intake_load: %s\n", what.c_str());
  std::exit(1);
}

// Time the processor spent on this process.
double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-load-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) Fail("no folder in TMPDIR");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// The bound: rows a second that SQLite commits in groups of 64.
double SqliteAlone(const Folder& folder, double seconds, int bytes) {
  sqlite3* db = nullptr;
  sqlite3_stmt* insert = nullptr;
  sqlite3_open(folder.File("bound.db").c_str(), &db);
  sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB)", nullptr,
               nullptr, nullptr);
  if (sqlite3_prepare_v2(db, "INSERT INTO rows (value) VALUES (?1)", -1, &insert, nullptr) != SQLITE_OK) Fail(sqlite3_errmsg(db));
  const std::string value(bytes, 'x');
  int64_t rows = 0;
  const Clock::time_point start = Clock::now();
  for (; SecondsSince(start) < seconds; rows += 64) {
    sqlite3_exec(db, "BEGIN", nullptr, nullptr, nullptr);
    for (int i = 0; i < 64; ++i) {
      sqlite3_bind_blob(insert, 1, value.data(), bytes, SQLITE_STATIC);
      sqlite3_step(insert);
      sqlite3_reset(insert);
    }
    if (sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) Fail(sqlite3_errmsg(db));
  }
  const double rate = static_cast<double>(rows) / SecondsSince(start);
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return rate;
}

// Twenty open questions and twenty with options.
std::string WaveYaml(int partitions) {
  std::string yaml = absl::StrCat(
      "kind: wave\nsurvey: load\nwave: load\ntitle: Load\nframe_date: 2024-01-01\nopened: 2024-01-01\nlanguage: en\nsynthetic_notice: "
      "invented\npartitions: ",
      partitions,
      "\nsections:\n- title: Load\n  questions:\n  - {code: name, type: text, title: Name, personal: true, role: respondent}\n"
      "  - {code: ",
      kMunicipalityQuestion, ", type: text, title: Municipality, role: municipality}\n");
  for (int i = 0; i < kQuestions; ++i) {
    absl::StrAppend(&yaml, "  - {code: t", i, ", type: text, title: Text}\n  - {code: m", i,
                    ", type: multiple, title: Choice, options: [{code: a, label: A}, {code: b, label: B}, {code: c, label: C}]}\n");
  }
  return yaml;
}

// An invented response of about so many bytes.
v1::SubmitResponseRequest Template(int bytes) {
  v1::SubmitResponseRequest request;
  request.set_parent(kWave);
  survey::v1::Answers& answers = *request.mutable_response()->mutable_answers();
  const auto add = [&answers](const std::string& question) -> survey::v1::Answer& {
    survey::v1::Answer& answer = *answers.add_answers();
    answer.set_question(question);
    return answer;
  };
  add("name").set_text("A respondent");
  add(kMunicipalityQuestion).set_text("Somewhere");
  for (int i = 0; i < kQuestions; ++i) {
    add(absl::StrCat("t", i)).set_text("");
    add(absl::StrCat("m", i)).mutable_selection()->add_codes("a");
    answers.mutable_answers(answers.answers_size() - 1)->mutable_selection()->add_codes("c");
  }
  const int each = std::max(1, (bytes - static_cast<int>(request.ByteSizeLong())) / kQuestions - 3);
  for (survey::v1::Answer& answer : *answers.mutable_answers()) {
    if (answer.has_text() && answer.text().empty()) answer.set_text(std::string(each, 'x'));
  }
  return request;
}

void Apply(v1::IntakeService::Stub& stub, int partitions) {
  v1::ApplyDocumentsRequest request;
  request.add_documents()->set_text("kind: survey\nsurvey: load\ntitle: Load\n");
  request.add_documents()->set_text(WaveYaml(partitions));
  v1::ApplyDocumentsResponse response;
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  const absl::Status status = status::FromGrpc(stub.ApplyDocuments(&context, request, &response));
  if (!status.ok()) Fail(status.ToString());
}

// Waits at most ten seconds.
void SetDeadline(grpc::ClientContext& context) { context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10)); }

// Calls a method that must succeed.
template <typename Stub, typename Method, typename Request, typename Response>
void Call(Stub& stub, Method method, const Request& request, Response& response) {
  grpc::ClientContext context;
  SetDeadline(context);
  const absl::Status status = status::FromGrpc((stub.*method)(&context, request, &response));
  if (!status.ok()) Fail(status.ToString());
}

// What clients do, over and over.
class Work {
 public:
  virtual ~Work() = default;
  virtual const char* method() const = 0;
  // What one is called.
  virtual const char* noun() const = 0;
  // Bytes of a request without its id.
  virtual size_t bytes() const = 0;
  // The next request of a client.
  virtual grpc::ByteBuffer Request(int client, const std::string& request_id) = 0;
  // How many requests the server has done.
  virtual int64_t Stored() = 0;
};

class Submissions final : public Work {
 public:
  Submissions(const Flags& flags, const std::shared_ptr<grpc::Channel>& channel)
      : template_(Template(flags.bytes).SerializeAsString()), intake_(v1::IntakeService::NewStub(channel)) {}

  const char* method() const override { return "/peiling.intake.v1.IntakeService/SubmitResponse"; }
  const char* noun() const override { return "response"; }
  size_t bytes() const override { return template_.size(); }
  grpc::ByteBuffer Request(int, const std::string& request_id) override {
    v1::SubmitResponseRequest id;
    id.set_request_id(request_id);
    // Serialised messages one after the other are one message.
    const grpc::Slice slices[] = {grpc::Slice(template_.data(), template_.size(), grpc::Slice::STATIC_SLICE),
                                  grpc::Slice(id.SerializeAsString())};
    return {slices, std::size(slices)};
  }
  int64_t Stored() override {
    v1::GetWaveRequest request;
    request.set_name(kWave);
    v1::GetWaveResponse response;
    Call(*intake_, &v1::IntakeService::Stub::GetWave, request, response);
    return response.wave().response_count();
  }

 private:
  const std::string template_;
  const std::unique_ptr<v1::IntakeService::Stub> intake_;
};

class Drafts final : public Work {
 public:
  Drafts(const Flags& flags, const std::shared_ptr<grpc::Channel>& channel, const std::string& run)
      : drafts_(v1::DraftService::NewStub(channel)), revisions_(flags.clients) {
    const survey::v1::Answers answers = Template(flags.bytes).response().answers();
    for (int client = 0; client < flags.clients; ++client) {
      v1::CreateDraftRequest create;
      create.set_parent(kWave);
      create.set_response_id(absl::StrCat(run, "-", client));
      create.add_municipalities("GM0363");
      create.set_request_id(absl::StrCat(run, "-create-", client));
      v1::CreateDraftResponse created;
      Call(*drafts_, &v1::DraftService::Stub::CreateDraft, create, created);
      names_.push_back(created.draft().name());
      v1::SaveDraftRequest fill;
      fill.set_name(names_.back());
      fill.set_etag(created.draft().etag());
      fill.set_request_id(absl::StrCat(run, "-fill-", client));
      for (const survey::v1::Answer& answer : answers.answers()) {
        // That one a draft answers by itself.
        if (answer.question() != kMunicipalityQuestion) *fill.add_changes()->mutable_answer() = answer;
      }
      v1::SaveDraftResponse filled;
      Call(*drafts_, &v1::DraftService::Stub::SaveDraft, fill, filled);
      revisions_[client] = kFilled;
    }
  }

  const char* method() const override { return "/peiling.intake.v1.DraftService/SaveDraft"; }
  const char* noun() const override { return "save"; }
  size_t bytes() const override { return Save(0).ByteSizeLong(); }
  grpc::ByteBuffer Request(int client, const std::string& request_id) override {
    v1::SaveDraftRequest save = Save(client);
    save.set_request_id(request_id);
    ++revisions_[client];
    const grpc::Slice slice(save.SerializeAsString());
    return {&slice, 1};
  }
  int64_t Stored() override {
    int64_t stored = 0;
    for (const std::string& name : names_) {
      v1::GetDraftRequest request;
      request.set_name(name);
      v1::GetDraftResponse response;
      Call(*drafts_, &v1::DraftService::Stub::GetDraft, request, response);
      stored += std::stoll(response.draft().etag().substr(1)) - kFilled;
    }
    return stored;
  }

 private:
  // Revision of a draft that was made and filled.
  static constexpr int64_t kFilled = 2;

  v1::SaveDraftRequest Save(int client) const {
    v1::SaveDraftRequest save;
    save.set_name(names_[client]);
    // Nobody else writes in it.
    save.set_etag(absl::StrCat("r", revisions_[client]));
    survey::v1::Answer& answer = *save.add_changes()->mutable_answer();
    answer.set_question(absl::StrCat("t", revisions_[client] % kQuestions));
    answer.set_text(absl::StrCat("What somebody types into a field of a form: ", revisions_[client]));
    return save;
  }

  const std::unique_ptr<v1::DraftService::Stub> drafts_;
  std::vector<std::string> names_;
  std::vector<int64_t> revisions_;
};

// One call under way, over and over. Bytes go out and come in as they are: it is the server that is measured.
struct Client {
  int number = 0;
  std::unique_ptr<grpc::GenericStub> stub;
  grpc::ByteBuffer response;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::Status status;
  Clock::time_point start;
};

class Load {
 public:
  Load(const Flags& flags, const std::string& target) : flags_(flags), clients_(flags.clients) {
    std::vector<std::shared_ptr<grpc::Channel>> channels;
    for (int i = 0; i < flags.connections; ++i) {
      grpc::ChannelArguments arguments;
      // Else they would share one connection.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      channels.push_back(grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
    }
    Apply(*v1::IntakeService::NewStub(channels[0]), flags.partitions);
    if (flags.drafts) {
      work_ = std::make_unique<Drafts>(flags, channels[0], run_);
    } else {
      work_ = std::make_unique<Submissions>(flags, channels[0]);
    }
    for (int i = 0; i < flags.clients; ++i) {
      clients_[i].number = i;
      clients_[i].stub = std::make_unique<grpc::GenericStub>(channels[i % channels.size()]);
    }
  }

  // Returns requests a second.
  double Run() {
    // The first second warms up and does not count.
    const int64_t stored = work_->Stored();
    const Clock::time_point begin = Clock::now() + std::chrono::seconds(1);
    const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(flags_.seconds));
    for (Client& client : clients_) Start(client);
    const double cpu = CpuSeconds();
    void* tag = nullptr;
    bool ok = false;
    for (size_t under_way = clients_.size(); under_way > 0 && queue_.Next(&tag, &ok);) {
      Client& client = *static_cast<Client*>(tag);
      const Clock::time_point now = Clock::now();
      if (now >= begin && now < end) Count(client, now);
      if (now < end) {
        Start(client);
      } else {
        --under_way;
      }
    }
    cpu_ = CpuSeconds() - cpu;
    queue_.Shutdown();
    if (errors_.empty() && work_->Stored() - stored != requests_) Fail("what was answered and what was stored differ");
    return static_cast<double>(latencies_.size()) / flags_.seconds;
  }

  void Print() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto percentile = [this](double part) {
      return latencies_.empty() ? 0 : 1000 * latencies_[static_cast<size_t>(part * static_cast<double>(latencies_.size() - 1))];
    };
    std::printf("%d clients, %zu bytes: %.0f %ss/s, p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n", flags_.clients, work_->bytes(),
                static_cast<double>(latencies_.size()) / flags_.seconds, work_->noun(), percentile(0.5), percentile(0.99), percentile(1));
    std::printf("processor time of this process: %.0f us a %s\n", 1e6 * cpu_ / static_cast<double>(requests_), work_->noun());
    for (const auto& [message, count] : errors_) std::printf("error (%ld times): %s\n", static_cast<long>(count), message.c_str());
  }
  bool failed() const { return !errors_.empty(); }

 private:
  void Start(Client& client) {
    const grpc::ByteBuffer request = work_->Request(client.number, absl::StrCat(run_, "-", ++requests_));
    client.context = std::make_unique<grpc::ClientContext>();
    SetDeadline(*client.context);
    client.start = Clock::now();
    client.reader = client.stub->PrepareUnaryCall(client.context.get(), work_->method(), request, &queue_);
    client.reader->StartCall();
    client.reader->Finish(&client.response, &client.status, &client);
  }

  void Count(const Client& client, Clock::time_point now) {
    if (client.status.ok()) {
      latencies_.push_back(std::chrono::duration<double>(now - client.start).count());
    } else {
      ++errors_[status::FromGrpc(client.status).ToString()];
    }
  }

  const Flags flags_;
  const std::string run_ = absl::StrCat("load-", std::chrono::system_clock::now().time_since_epoch().count());
  int64_t requests_ = 0;
  std::unique_ptr<Work> work_;
  grpc::CompletionQueue queue_;
  std::vector<Client> clients_;
  std::vector<double> latencies_;
  std::map<std::string, int64_t> errors_;
  double cpu_ = 0;
};

std::unique_ptr<server::Server> StartServer(absl::StatusOr<std::unique_ptr<server::Module>> module, const std::string& listen) {
  if (!module.ok()) Fail(std::string(module.status().message()));
  server::Options options;
  options.listen = listen;
  options.insecure = true;
  auto server = server::Server::Start(options, *std::move(module));
  if (!server.ok()) Fail(std::string(server.status().message()));
  return *std::move(server);
}

int RunAlone(const Flags& flags) {
  const Folder folder;
  const double bound = SqliteAlone(folder, std::min(flags.seconds, 3.0), flags.bytes);
  auto validation = StartServer(validation::MakeModule({}, nullptr), "");
  const std::string store = flags.store.empty() ? "sqlite:" + folder.File("intake.db") : flags.store;
  auto intake = StartServer(MakeModule({.store = store}, validation->InProcessChannel()), "127.0.0.1:0");
  Load load(flags, absl::StrCat("127.0.0.1:", intake->port()));
  const double rate = load.Run();
  load.Print();
  std::printf("SQLite alone, groups of 64 rows of %d bytes: %.0f rows/s; intake reaches %.0f%% of it\n", flags.bytes, bound,
              100 * rate / bound);
  intake->Shutdown();
  validation->Shutdown();
  return load.failed() ? 1 : 0;
}

int RunAgainst(const Flags& flags) {
  Load load(flags, flags.target);
  load.Run();
  load.Print();
  return load.failed() ? 1 : 0;
}

}  // namespace
}  // namespace peiling::intake

int main(int argc, char** argv) {
  peiling::intake::Flags flags;
  CLI::App app("Load on SubmitResponse or SaveDraft", "intake_load");
  app.add_option("--target", flags.target, "host:port of intake or the gateway; empty: an intake of its own");
  app.add_option("--store", flags.store, "store of an intake of its own; empty: a file in TMPDIR");
  app.add_flag("--drafts", flags.drafts, "save drafts in place of submitting responses");
  app.add_option("--partitions", flags.partitions, "of the wave")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--clients", flags.clients, "calls under way")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--connections", flags.connections, "connections they share")->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--seconds", flags.seconds, "after one second to warm up")->check(CLI::Range(0.1, 60.0))->capture_default_str();
  app.add_option("--bytes", flags.bytes, "size of a response, or of a draft's answers")
      ->check(CLI::Range(1500, 1 << 20))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return flags.target.empty() ? peiling::intake::RunAlone(flags) : peiling::intake::RunAgainst(flags);
}

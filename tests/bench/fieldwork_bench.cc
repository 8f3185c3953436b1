// The outbox: 100,000 messages are added, leased, begun, completed and reported about, a thousand at a time, in SQLite. Beside it what the
// store does by itself in the same run: as many documents of the same size, written anew a thousand at a time.
// Counters: messages/s, and `of_store`, that as a part of the store's documents a second. The benchmarks build on each other: run all.
// TMPDIR chooses the disk.
#include <benchmark/benchmark.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/fieldwork/mail/outbox.h"

namespace peiling::fieldwork {
namespace {

constexpr int kMessages = 100'000;
constexpr int kBatch = 1000;
constexpr int kDocumentBytes = 350;
constexpr char kWave[] = "surveys/vn/waves/2026";

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string File(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Everything may go, and a mail is what mails are: 4 KiB.
class BenchPolicy : public MailPolicy {
 public:
  absl::StatusOr<std::vector<std::optional<v1::CancelReason>>> Judge(const std::string&, const std::vector<v1::Message>& messages,
                                                                     bool) override {
    return std::vector<std::optional<v1::CancelReason>>(messages.size());
  }
  absl::StatusOr<Mail> Compose(const std::string&, const v1::Message&) override {
    Mail mail{.address_token = std::string(32, 'a')};
    mail.content.set_to_address("info@example.nl");
    mail.content.set_text(std::string(1024, 'x'));
    mail.content.set_html(std::string(3072, 'x'));
    return mail;
  }
  absl::Status Suppress(const std::string&, v1::SuppressionReason, const std::string&) override { return absl::OkStatus(); }
};

// An outbox and what its mailing system has in hand.
struct Setting {
  Folder folder;
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<vault::Vault> vault = *vault::Vault::Make(vault::Vault::NewKey("bench"));
  BenchPolicy policy;
  std::unique_ptr<Outbox> outbox;
  std::vector<v1::LeaseMailResponse> leases;

  Setting() {
    store = *storage::OpenStore("sqlite:" + folder.File("outbox.db"), "bench");
    outbox = std::make_unique<Outbox>(*store, policy, *vault, [] { return absl::FromUnixSeconds(1'774'000'000); });
  }
};

std::unique_ptr<Setting> setting;
double store_rate = 0;

// Counts `messages` over the time a benchmark takes.
class Rate {
 public:
  double Set(benchmark::State& state, double messages) const {
    const double rate = messages / std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    state.counters["messages/s"] = rate;
    if (store_rate > 0) state.counters["of_store"] = rate / store_rate;
    return rate;
  }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void Check(const absl::Status& status, benchmark::State& state) {
  if (!status.ok()) state.SkipWithError(status.ToString().c_str());
}

std::string NameOf(int number) { return absl::StrCat(kWave, "/messages/GM", 1000 + number % 344, ".uitnodiging.", number); }

void StoreAlone(benchmark::State& state) {
  Folder folder;
  auto store = *storage::OpenStore("sqlite:" + folder.File("store.db"), "bench");
  const auto write = [&](char content) {
    for (int begin = 0; begin < kMessages; begin += kBatch) {
      storage::Batch batch{.partition = kWave};
      for (int i = begin; i < begin + kBatch; ++i) {
        batch.writes.push_back({.key = "message/" + NameOf(i), .value = std::string(kDocumentBytes, content)});
      }
      Check(store->Commit(std::move(batch)).status(), state);
    }
  };
  write('a');
  for (auto _ : state) {
    Rate rate;
    write('b');
    store_rate = rate.Set(state, kMessages);
  }
}

void Add(benchmark::State& state) {
  setting = std::make_unique<Setting>();
  std::vector<v1::Message> messages(kMessages);
  for (int i = 0; i < kMessages; ++i) {
    messages[i].set_name(NameOf(i));
    messages[i].set_invitation(absl::StrCat(kWave, "/invitations/GM", 1000 + i % 344));
    messages[i].set_step("uitnodiging");
    messages[i].set_kind(survey::v1::MAIL_KIND_INVITATION);
    messages[i].set_contact(absl::StrCat("municipalities/GM", 1000 + i % 344, "/contacts/", i));
    messages[i].mutable_due_at()->set_seconds(1'773'000'000);
  }
  for (auto _ : state) {
    Rate rate;
    Check(setting->outbox->Add(kWave, messages).status(), state);
    rate.Set(state, kMessages);
  }
}

void Lease(benchmark::State& state) {
  for (auto _ : state) {
    Rate rate;
    int leased = 0;
    for (int number = 0; leased < kMessages; ++number) {
      v1::LeaseMailRequest request;
      request.set_parent(kWave);
      request.set_max_messages(kBatch);
      request.mutable_lease_duration()->set_seconds(3600);
      request.set_request_id(absl::StrCat(number));
      auto lease = setting->outbox->Lease(request, "mailer");
      if (!lease.ok() || lease->messages().empty()) return state.SkipWithError("nothing leased");
      leased += lease->messages_size();
      // What comes after needs names only.
      for (v1::LeasedMessage& message : *lease->mutable_messages()) message.clear_content();
      setting->leases.push_back(*std::move(lease));
    }
    rate.Set(state, leased);
  }
}

void Begin(benchmark::State& state) {
  for (auto _ : state) {
    Rate rate;
    for (const v1::LeaseMailResponse& lease : setting->leases) {
      v1::BeginMailRequest request;
      request.set_parent(kWave);
      request.set_lease_id(lease.lease_id());
      for (const v1::LeasedMessage& message : lease.messages()) request.add_messages(message.message());
      Check(setting->outbox->Begin(request).status(), state);
    }
    rate.Set(state, kMessages);
  }
}

void Complete(benchmark::State& state) {
  for (auto _ : state) {
    Rate rate;
    for (const v1::LeaseMailResponse& lease : setting->leases) {
      v1::CompleteMailRequest request;
      request.set_parent(kWave);
      request.set_lease_id(lease.lease_id());
      for (const v1::LeasedMessage& message : lease.messages()) {
        v1::MailOutcome& outcome = *request.add_outcomes();
        outcome.set_message(message.message());
        outcome.set_sent(true);
        outcome.set_smtp_code(250);
      }
      Check(setting->outbox->Complete(request).status(), state);
    }
    rate.Set(state, kMessages);
  }
}

void Report(benchmark::State& state) {
  for (auto _ : state) {
    Rate rate;
    for (int begin = 0; begin < kMessages; begin += kBatch) {
      v1::ReportDeliveryEventsRequest request;
      request.set_parent(kWave);
      for (int i = begin; i < begin + kBatch; ++i) {
        v1::DeliveryEvent& event = *request.add_events();
        event.set_message(NameOf(i));
        event.set_provider("smtp");
        event.set_event_id(absl::StrCat(i));
        event.set_kind(v1::DELIVERY_EVENT_KIND_DELIVERED);
        event.mutable_time()->set_seconds(1'774'000'000);
        event.set_smtp_code(250);
        event.set_diagnostic("250 2.1.5 Ok");
      }
      Check(setting->outbox->Report(request).status(), state);
    }
    rate.Set(state, kMessages);
  }
}

// How the mail stands, after all of it.
void Counts(benchmark::State& state) {
  for (auto _ : state) {
    const auto steps = setting->outbox->Counts(kWave);
    Check(steps.status(), state);
    if (steps->size() != 1 || steps->front().states_size() != 1 || steps->front().states(0).count() != kMessages ||
        steps->front().states(0).state() != v1::MESSAGE_STATE_DELIVERED) {
      state.SkipWithError("the numbers are wrong");
    }
  }
}

// A mailing system asks again when there is nothing left.
void LeaseNothing(benchmark::State& state) {
  int number = 0;
  for (auto _ : state) {
    v1::LeaseMailRequest request;
    request.set_parent(kWave);
    request.set_request_id(absl::StrCat("nothing ", ++number));
    Check(setting->outbox->Lease(request, "mailer").status(), state);
  }
}

BENCHMARK(StoreAlone)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Add)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Lease)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Begin)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Complete)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Report)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(Counts)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(LeaseNothing)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace peiling::fieldwork

// Intake and registry as far as dedup knows them, in process.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "peiling/intake/v1/intake.grpc.pb.h"
#include "peiling/registry/v1/registry.grpc.pb.h"
#include "services/common/feed/position.h"
#include "services/common/names/partitions.h"
#include "tests/dedup/fixture.h"

namespace peiling::dedup {

// A catalogue with one wave and the submission feeds of its partitions.
class FakeIntake final : public intake::v1::IntakeService::Service {
 public:
  void Submit(const Filled& filled) {
    std::lock_guard lock(mutex_);
    responses_[names::PartitionOf(filled.id, std::max(1, waves_.back().partitions()))].push_back(MakeResponse(filled));
    changed_.notify_all();
  }
  // Every partition's last sequence.
  survey::v1::FeedPosition Position() {
    std::lock_guard lock(mutex_);
    survey::v1::FeedPosition position;
    for (const auto& [partition, responses] : responses_) feed::SetSubmissions(position, partition, responses.size());
    return position;
  }
  // The response of this id cannot be read any more; "": all can.
  void Spoil(const std::string& id) {
    std::lock_guard lock(mutex_);
    spoilt_ = id;
  }
  // The wave from now on.
  void SetWave(const intake::v1::Wave& wave) {
    std::lock_guard lock(mutex_);
    waves_.push_back(wave);
    changed_.notify_all();
  }
  // Ends all watches and refuses new ones.
  void SetDown(bool down) {
    std::lock_guard lock(mutex_);
    down_ = down;
    changed_.notify_all();
  }

  grpc::Status WatchWaves(grpc::ServerContext* context, const intake::v1::WatchWavesRequest*,
                          grpc::ServerWriter<intake::v1::WatchWavesResponse>* writer) override {
    const auto send = [&](size_t i) {
      intake::v1::WatchWavesResponse message;
      message.mutable_wave()->set_sequence(i + 1);
      *message.mutable_wave()->mutable_wave() = waves_[i];
      return writer->Write(message);
    };
    const auto caught_up = [&](size_t) {
      intake::v1::WatchWavesResponse message;
      message.mutable_caught_up();
      writer->Write(message);
    };
    return Watch(context, 0, waves_, send, caught_up);
  }

  grpc::Status WatchSubmissions(grpc::ServerContext* context, const intake::v1::WatchSubmissionsRequest* request,
                                grpc::ServerWriter<intake::v1::WatchSubmissionsResponse>* writer) override {
    const auto& responses = OfPartition(request->partition());
    const auto send = [&](size_t i) {
      if (!spoilt_.empty() && responses[i].name() == ResponseName(spoilt_)) return false;
      intake::v1::WatchSubmissionsResponse message;
      message.mutable_submission()->set_sequence(i + 1);
      *message.mutable_submission()->mutable_response() = responses[i];
      return writer->Write(message);
    };
    const auto caught_up = [&](size_t sequence) {
      intake::v1::WatchSubmissionsResponse message;
      message.mutable_caught_up()->set_sequence(sequence);
      writer->Write(message);
    };
    return Watch(context, request->after_sequence(), responses, send, caught_up);
  }

  grpc::Status GetQuestionnaire(grpc::ServerContext*, const intake::v1::GetQuestionnaireRequest*,
                                intake::v1::GetQuestionnaireResponse* response) override {
    *response = TestSource().questionnaire;
    return grpc::Status::OK;
  }

 private:
  const std::vector<intake::v1::Response>& OfPartition(int partition) {
    std::lock_guard lock(mutex_);
    return responses_[partition];
  }

  template <typename Items, typename Send, typename CaughtUp>
  grpc::Status Watch(grpc::ServerContext* context, size_t at, const Items& items, Send send, CaughtUp caught_up) {
    std::unique_lock lock(mutex_);
    bool told = false;
    while (!context->IsCancelled() && !down_) {
      while (at < items.size()) {
        if (!send(at++)) return grpc::Status(grpc::StatusCode::DATA_LOSS, "an event cannot be read");
      }
      if (!told) caught_up(at);
      told = true;
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down");
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool down_ = false;
  std::vector<intake::v1::Wave> waves_;
  std::map<int, std::vector<intake::v1::Response>> responses_;  // By partition.
  std::string spoilt_;
};

// Resolves as TestResolution; refuses texts of more than 500 characters, as the registry does, and falls over "fatal" until it is mended.
class FakeRegistry final : public registry::v1::RegistryService::Service {
 public:
  void SetDown(bool down) { down_ = down; }
  void Mend() { mended_ = true; }

  grpc::Status ListMunicipalities(grpc::ServerContext*, const registry::v1::ListMunicipalitiesRequest* request,
                                  registry::v1::ListMunicipalitiesResponse* response) override {
    if (down_) return Down();
    // Two pages.
    const auto frame = TestSource().frame;
    for (int i = request->page_token().empty() ? 0 : 4; i < (request->page_token().empty() ? 4 : frame.municipalities_size()); ++i) {
      *response->add_municipalities() = frame.municipalities(i);
    }
    if (request->page_token().empty()) response->set_next_page_token("4");
    return grpc::Status::OK;
  }

  grpc::Status BatchResolveMunicipalities(grpc::ServerContext*, const registry::v1::BatchResolveMunicipalitiesRequest* request,
                                          registry::v1::BatchResolveMunicipalitiesResponse* response) override {
    if (down_) return Down();
    for (const auto& text : request->texts()) {
      if (text.size() > 500) return TooLong();
      if (text == "fatal" && !mended_) return grpc::Status(grpc::StatusCode::INTERNAL, "fell over");
      *response->add_resolutions() = TestResolution(text);
    }
    return grpc::Status::OK;
  }

  grpc::Status ResolveMunicipality(grpc::ServerContext*, const registry::v1::ResolveMunicipalityRequest* request,
                                   registry::v1::ResolveMunicipalityResponse* response) override {
    if (down_) return Down();
    if (request->text().size() > 500) return TooLong();
    *response->mutable_resolution() = TestResolution(request->text());
    return grpc::Status::OK;
  }

 private:
  static grpc::Status Down() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "down"); }
  static grpc::Status TooLong() { return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "too long"); }

  std::atomic<bool> down_ = false;
  std::atomic<bool> mended_ = false;
};

}  // namespace peiling::dedup

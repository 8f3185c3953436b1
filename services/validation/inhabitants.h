// How many inhabitants the municipality has that people name, by the registry.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "peiling/registry/v1/registry.grpc.pb.h"

namespace peiling::validation {

// Makes the context of one call to the registry, with the deadline and cancellation of whoever waits for it.
using MakeContext = std::function<std::unique_ptr<grpc::ClientContext>()>;

// Remembers what the registry said: a text is resolved once, and the municipalities of a date are fetched once. Thread-safe.
class Inhabitants {
 public:
  static constexpr size_t kMaxTexts = 100'000;
  static constexpr size_t kMaxDates = 16;

  explicit Inhabitants(registry::v1::RegistryService::StubInterface& registry) : registry_(registry) {}

  // For each text the inhabitants on `date` of the one municipality it means; nullopt when it means none, several or a former one, or the
  // number is not known. Null texts, empty ones and those too long for a name give nullopt. One call resolves all texts not known yet, of
  // which there may be 1,000. The registry's error when it does not answer.
  absl::StatusOr<std::vector<std::optional<int64_t>>> Find(const std::vector<const std::string*>& texts, const std::string& date,
                                                           const MakeContext& make_context);

 private:
  using ByCode = absl::flat_hash_map<std::string, int64_t>;
  using ByText = absl::flat_hash_map<std::string, std::optional<int64_t>>;

  absl::Status Resolve(const std::vector<std::string>& texts, const std::string& date, const MakeContext& make_context, ByText& found);
  absl::StatusOr<std::shared_ptr<const ByCode>> MunicipalitiesOn(const std::string& date, const MakeContext& make_context);

  registry::v1::RegistryService::StubInterface& registry_;
  std::mutex mutex_;
  // By date and text. Full, it starts anew.
  ByText by_text_;
  absl::flat_hash_map<std::string, std::shared_ptr<const ByCode>> by_date_;
};

}  // namespace peiling::validation

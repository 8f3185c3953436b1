// What the tests of Redis under faults share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/common/status/errors.h"
#include "services/common/storage/store.h"

namespace peiling::storage {

inline constexpr char kWave[] = "surveys/s/waves/w";

inline std::unique_ptr<Store> Opened(const std::string& address) {
  auto store = OpenStore(address, "test");
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? std::move(*store) : nullptr;
}

// A document, of the first event if there is one.
inline absl::Status Put(Store& store, const std::string& key, const std::string& value = "value", std::vector<std::string> events = {}) {
  Write write{.key = key, .value = value, .expected_version = std::nullopt};
  if (!events.empty()) write.event = 0;
  return store.Commit({kWave, {write}, {}, std::move(events)}).status();
}

// Asks until the reason of the answer is this one ("": OK); a failed test when it does not come to that.
inline void AwaitReason(const std::string& reason, const std::function<absl::Status()>& ask) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  absl::Status status = ask();
  while (status::Reason(status) != reason && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    status = ask();
  }
  EXPECT_EQ(status::Reason(status), reason) << status;
}

}  // namespace peiling::storage

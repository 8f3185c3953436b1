// What fuzz targets share: a mutator of texts and the loop around it. A run is bounded in time (PEILING_FUZZ_SECONDS, default 3) and its
// inputs follow from the seed alone, so a failure comes back: the failing input is printed escaped.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace peiling::fuzz {

// How long one target runs.
inline std::chrono::milliseconds Budget() {
  const char* seconds = std::getenv("PEILING_FUZZ_SECONDS");
  return std::chrono::milliseconds(static_cast<int64_t>(1000 * (seconds != nullptr ? std::atof(seconds) : 3.0)));
}

// Makes new texts of old ones: bytes flipped, put in, left out, doubled and swapped, pieces of other texts and words of a dictionary
// spliced in. Not thread-safe.
class Mutator {
 public:
  explicit Mutator(uint64_t seed, std::vector<std::string> dictionary = {}, size_t max_bytes = 4096)
      : random_(seed), dictionary_(std::move(dictionary)), max_bytes_(max_bytes) {}

  // One to five changes of a text of the corpus, which is not empty.
  std::string Next(const std::vector<std::string>& corpus) {
    std::string text = corpus[Below(corpus.size())];
    for (size_t changes = 1 + Below(5); changes > 0; --changes) Change(text, corpus);
    if (text.size() > max_bytes_) text.resize(max_bytes_);
    return text;
  }

  // A number from 0 to bound - 1, for targets that draw more than texts; 0 when bound is 0.
  size_t Below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(random_() % bound); }

 private:
  void Change(std::string& text, const std::vector<std::string>& corpus) {
    const size_t at = Below(text.size() + 1);
    const size_t rest = text.size() - at;
    switch (Below(8)) {
      case 0:
        if (rest > 0) text[at] = static_cast<char>(Below(256));
        break;
      case 1:
        if (rest > 0) text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ (1u << Below(8)));
        break;
      case 2:
        text.insert(at, 1, static_cast<char>(Below(2) == 0 ? 32 + Below(95) : Below(256)));
        break;
      case 3:
        text.erase(at, 1 + Below(std::min<size_t>(rest, 16)));
        break;
      case 4:
        text.insert(at, text.substr(at, 1 + Below(std::min<size_t>(rest, 64))));
        break;
      case 5:
        if (rest > 1) std::swap(text[at], text[at + 1]);
        break;
      case 6:
        if (!dictionary_.empty()) text.insert(at, dictionary_[Below(dictionary_.size())]);
        break;
      default: {
        const std::string& other = corpus[Below(corpus.size())];
        const size_t from = Below(other.size() + 1);
        text.replace(at, Below(rest + 1), other, from, Below(other.size() - from + 1));
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> dictionary_;
  size_t max_bytes_;
};

// Gives `check` the corpus as it is and then mutations of it until the time is over or a check fails (EXPECT_/ASSERT_).
inline void Run(const std::vector<std::string>& corpus, Mutator mutator, const std::function<void(const std::string&)>& check) {
  const auto failed_with = [&](const std::string& input) {
    check(input);
    if (::testing::Test::HasFailure()) ADD_FAILURE() << "input: \"" << absl::CHexEscape(input) << "\"";
    return ::testing::Test::HasFailure();
  };
  for (const std::string& input : corpus) {
    if (failed_with(input)) return;
  }
  const auto end = std::chrono::steady_clock::now() + Budget();
  int64_t inputs = 0;
  for (; std::chrono::steady_clock::now() < end; ++inputs) {
    if (failed_with(mutator.Next(corpus))) return;
  }
  ::testing::Test::RecordProperty("inputs", std::to_string(inputs));
}

}  // namespace peiling::fuzz

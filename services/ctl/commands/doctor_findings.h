// What doctor finds.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace peiling::ctl {

struct Finding {
  enum class State { kWell, kWarning, kWrong };
  State state = State::kWell;
  // What was looked at: "intake", "store 127.0.0.1:6379".
  std::string subject;
  // How it is.
  std::string message;
  // The way out; empty when it is well.
  std::string remedy;
};

class Findings {
 public:
  void Well(std::string subject, std::string message) {
    all_.push_back({Finding::State::kWell, std::move(subject), std::move(message), ""});
  }
  // It works, but somebody should look after it.
  void Warn(std::string subject, std::string message, std::string remedy) {
    all_.push_back({Finding::State::kWarning, std::move(subject), std::move(message), std::move(remedy)});
  }
  // It does not work.
  void Wrong(std::string subject, std::string message, std::string remedy) {
    all_.push_back({Finding::State::kWrong, std::move(subject), std::move(message), std::move(remedy)});
  }

  const std::vector<Finding>& all() const { return all_; }

 private:
  std::vector<Finding> all_;
};

}  // namespace peiling::ctl

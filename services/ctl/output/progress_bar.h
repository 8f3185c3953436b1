// Progress of long work, for people: a bar that is written over on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "services/ctl/output/terminal.h"

namespace peiling::ctl {

class ProgressBar {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  // `total` in any unit, 0 when not known; `items` names what is counted ("rows"). The stream must outlive the bar.
  ProgressBar(
      std::ostream& out, const Terminal& terminal, std::string title, int64_t total, std::string items,
      Clock clock = [] { return std::chrono::steady_clock::now(); });
  // Ends the line.
  ~ProgressBar();

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // `done` of `total`, and the number of items that is.
  void Update(int64_t done, int64_t items);
  // Shows the last update, whatever the pace; called by the destructor too.
  void Finish();

 private:
  std::string Line() const;
  void Show();

  std::ostream& out_;
  const Terminal terminal_;
  const std::string title_;
  const int64_t total_;
  const std::string unit_;
  const Clock clock_;
  const std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point shown_at_;
  int64_t done_ = 0;
  int64_t items_ = 0;
  bool pending_ = false;
  bool on_screen_ = false;
};

// 1234567 as "1,234,567".
std::string WithSeparators(int64_t number);

}  // namespace peiling::ctl

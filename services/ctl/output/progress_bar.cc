#include "services/ctl/output/progress_bar.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace peiling::ctl {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

constexpr milliseconds kRedraw{100};
constexpr milliseconds kPlainLine{2000};
constexpr int kBarWidth = 24;

double Seconds(std::chrono::steady_clock::duration time) { return duration<double>(time).count(); }

std::string Bar(double share) {
  const int full = static_cast<int>(share * kBarWidth);
  std::string bar = "[";
  for (int i = 0; i < kBarWidth; ++i) bar += i < full ? "█" : "░";
  return bar + "]";
}

}  // namespace

std::string WithSeparators(int64_t number) {
  std::string digits = std::to_string(std::abs(number));
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3) digits.insert(i, ",");
  return (number < 0 ? "-" : "") + digits;
}

ProgressBar::ProgressBar(std::ostream& out, const Terminal& terminal, std::string title, int64_t total, std::string items, Clock clock)
    : out_(out),
      terminal_(terminal),
      title_(std::move(title)),
      total_(total),
      unit_(std::move(items)),
      clock_(std::move(clock)),
      start_(clock_()),
      shown_at_(start_) {}

ProgressBar::~ProgressBar() {
  Finish();
  if (on_screen_) out_ << "\n" << std::flush;
}

void ProgressBar::Update(int64_t done, int64_t items) {
  done_ = done;
  items_ = items;
  pending_ = true;
  if (clock_() - shown_at_ >= (terminal_.interactive ? kRedraw : kPlainLine)) Show();
}

void ProgressBar::Finish() {
  if (pending_) Show();
}

std::string ProgressBar::Line() const {
  const double share = total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0) : 0;
  const double elapsed = Seconds(clock_() - start_);
  std::string line = title_;
  if (total_ > 0) absl::StrAppend(&line, "  ", terminal_.interactive ? Bar(share) + " " : "", static_cast<int>(share * 100), "%");
  absl::StrAppend(&line, "  ", WithSeparators(items_), " ", unit_);
  if (elapsed >= 1)
    absl::StrAppend(&line, "  ", WithSeparators(static_cast<int64_t>(static_cast<double>(items_) / elapsed)), " ", unit_, "/s");
  if (elapsed >= 1 && share > 0 && share < 1) {
    const auto left = static_cast<int64_t>(elapsed / share * (1 - share) + 0.5);
    absl::StrAppend(&line, "  ", absl::StrFormat("%d:%02d left", left / 60, left % 60));
  }
  return line;
}

void ProgressBar::Show() {
  shown_at_ = clock_();
  pending_ = false;
  if (!terminal_.interactive) {
    out_ << Line() << "\n" << std::flush;
    return;
  }
  out_ << "\r\x1b[K" << (terminal_.width > 0 ? Shorten(Line(), terminal_.width - 1) : Line()) << std::flush;
  on_screen_ = true;
}

}  // namespace peiling::ctl

#include "services/intake/drafts/draft_etag.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace peiling::intake {
namespace {

// The first, and so many that lie apart from it.
constexpr size_t kMostRuns = 21;

// Takes a number off the front of a text; 0 when there is none.
uint64_t TakeNumber(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool Take(char c, std::string_view& text) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string DraftEtag(uint64_t revision) { return absl::StrCat("r", revision); }

uint64_t RevisionOf(const std::string& etag) {
  const std::optional<KnownRevisions> known = KnownRevisions::Parse(etag);
  return !etag.empty() && known && known->KnowsAll(known->last()) ? known->last() : 0;
}

std::optional<KnownRevisions> KnownRevisions::Parse(std::string_view etag) {
  KnownRevisions known;
  if (etag.empty()) return known;
  std::string_view rest = etag;
  if (!Take('r', rest)) return std::nullopt;
  known.runs_.front().last = TakeNumber(rest);
  while (Take('+', rest)) {
    Run run;
    run.first = run.last = TakeNumber(rest);
    if (Take('-', rest)) run.last = TakeNumber(rest);
    // Apart from the one before, or it would be part of it.
    if (run.first <= known.last() || run.first - known.last() == 1 || run.last < run.first) return std::nullopt;
    known.runs_.push_back(run);
  }
  // What is written otherwise than here was not given out here.
  if (known.runs_.front().last == 0 || known.runs_.size() > kMostRuns || known.Etag() != etag) return std::nullopt;
  return known;
}

bool KnownRevisions::Knows(uint64_t revision) const {
  return std::any_of(runs_.begin(), runs_.end(), [revision](const Run& run) { return run.first <= revision && revision <= run.last; });
}

void KnownRevisions::Add(uint64_t revision) {
  if (revision == runs_.back().last + 1) {
    runs_.back().last = revision;
    return;
  }
  runs_.push_back({.first = revision, .last = revision});
  if (runs_.size() > kMostRuns) runs_.erase(runs_.begin() + 1);
}

std::string KnownRevisions::Etag() const {
  std::string etag = DraftEtag(runs_.front().last);
  for (size_t i = 1; i < runs_.size(); ++i) {
    absl::StrAppend(&etag, "+", runs_[i].first);
    if (runs_[i].last > runs_[i].first) absl::StrAppend(&etag, "-", runs_[i].last);
  }
  return etag;
}

}  // namespace peiling::intake

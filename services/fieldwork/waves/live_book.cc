#include "services/fieldwork/waves/live_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/calendar/amsterdam.h"
#include "services/common/names/partitions.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr char kNotListed[] = "not caught up with intake's waves";

ResponseStand StandFrom(const intake::v1::Response& response) {
  ResponseStand stand{.state = response.state(),
                      .municipalities = {response.municipalities().begin(), response.municipalities().end()},
                      .completeness = response.completeness(),
                      .test = response.test()};
  if (response.has_started_at()) stand.started_at = calendar::FromProto(response.started_at());
  if (response.has_updated_at()) stand.updated_at = calendar::FromProto(response.updated_at());
  if (response.has_submitted_at()) stand.submitted_at = calendar::FromProto(response.submitted_at());
  return stand;
}

absl::Status Loading(const std::string& wave) {
  return status::Error(absl::StatusCode::kUnavailable, "WAVE_LOADING", absl::StrCat(wave, " is being loaded; try again"), {{"wave", wave}});
}

}  // namespace

ResponseStand LiveBook::Page::StandOf(const std::string& id, const ResponseStand& stand) const {
  ResponseStand shown = stand;
  if (shown.municipalities.empty()) {
    if (const auto found = decided.find(id); found != decided.end()) shown.municipalities = found->second;
  }
  return shown;
}

LiveBook::Page* LiveBook::Find(const std::string& wave) {
  const auto found = pages_.find(wave);
  return found == pages_.end() ? nullptr : &found->second;
}

const LiveBook::Page* LiveBook::Find(const std::string& wave) const {
  const auto found = pages_.find(wave);
  return found == pages_.end() ? nullptr : &found->second;
}

void LiveBook::Changed(Page& page) {
  page.version = ++changes_;
  changed_.notify_all();
}

void LiveBook::Open(const intake::v1::Wave& wave) {
  std::lock_guard lock(mutex_);
  Page page{.details = std::make_shared<WaveDetails>(WaveDetails{wave, nullptr}), .behind = {kRecordFeed}};
  for (int partition = 0; partition < std::max(1, wave.partitions()); ++partition) page.behind.insert(partition);
  Changed(pages_[wave.name()] = std::move(page));
}

void LiveBook::SetWave(const intake::v1::Wave& wave) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave.name());
  if (page == nullptr) return;
  page->details = std::make_shared<WaveDetails>(WaveDetails{wave, page->details->frame});
  Changed(*page);
}

void LiveBook::SetFrame(const std::string& wave, std::shared_ptr<const Frame> frame) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave);
  if (page == nullptr) return;
  page->details = std::make_shared<WaveDetails>(WaveDetails{page->details->wave, std::move(frame)});
  Changed(*page);
}

void LiveBook::TakeIn(const std::string& wave, const std::vector<intake::v1::Response>& responses) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave);
  if (page == nullptr || responses.empty()) return;
  for (const auto& response : responses) page->responses[names::LastId(response.name())] = StandFrom(response);
  Changed(*page);
}

void LiveBook::TakeIn(const std::string& wave, const std::vector<dedup::v1::RecordEvent>& events) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave);
  if (page == nullptr || events.empty()) return;
  for (const auto& event : events) {
    for (const auto& record : event.records()) page->records[record.municipality_code()] = record.complete();
    for (const auto& code : event.removed_municipality_codes()) page->records.erase(code);
    for (const auto& decision : event.decisions()) {
      page->decided[names::LastId(decision.response())] = {decision.municipality_codes().begin(), decision.municipality_codes().end()};
    }
  }
  Changed(*page);
}

void LiveBook::SetCaughtUp(const std::string& wave, int feed) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave);
  if (page != nullptr && page->behind.erase(feed) > 0) Changed(*page);
}

void LiveBook::StartOver(const std::string& wave, int feed) {
  std::lock_guard lock(mutex_);
  Page* const page = Find(wave);
  if (page == nullptr) return;
  page->behind.insert(feed);
  if (feed == kRecordFeed) {
    page->records.clear();
    page->decided.clear();
  } else {
    const int partitions = std::max(1, page->details->wave.partitions());
    absl::erase_if(page->responses, [&](const auto& response) { return names::PartitionOf(response.first, partitions) == feed; });
  }
  Changed(*page);
}

void LiveBook::SetListed() {
  std::lock_guard lock(mutex_);
  listed_ = true;
}

void LiveBook::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::string LiveBook::Unready() const {
  std::lock_guard lock(mutex_);
  return listed_ ? "" : kNotListed;
}

std::string LiveBook::Behind() const {
  std::lock_guard lock(mutex_);
  if (!listed_) return kNotListed;
  for (const auto& [name, page] : pages_) {
    if (page.loading()) return absl::StrCat("not caught up with ", name);
  }
  return "";
}

std::vector<std::string> LiveBook::Waves() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, page] : pages_) {
    if (!page.loading()) names.push_back(name);
  }
  return names;
}

absl::Status LiveBook::NoPage(const std::string& wave) const {
  // Until all waves have been heard of, who knows.
  if (!listed_) return Loading(wave);
  return status::Error(absl::StatusCode::kNotFound, "WAVE_NOT_FOUND", absl::StrCat("there is no ", wave), {{"wave", wave}});
}

absl::StatusOr<std::shared_ptr<const WaveDetails>> LiveBook::Details(const std::string& wave) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  if (page == nullptr) return NoPage(wave);
  return page->details;
}

absl::StatusOr<std::shared_ptr<const WaveDetails>> LiveBook::Get(const std::string& wave) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  if (page == nullptr) return NoPage(wave);
  if (page->loading()) return Loading(wave);
  return page->details;
}

std::optional<ResponseStand> LiveBook::Response(const std::string& wave, const std::string& response_id) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  if (page == nullptr) return std::nullopt;
  const auto found = page->responses.find(response_id);
  if (found == page->responses.end()) return std::nullopt;
  return page->StandOf(response_id, found->second);
}

void LiveBook::ForEachResponse(const std::string& wave,
                               const std::function<void(const std::string& response_id, const ResponseStand&)>& visit) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  if (page == nullptr) return;
  for (const auto& [id, stand] : page->responses) visit(id, page->StandOf(id, stand));
}

bool LiveBook::HasSubmittedRecord(const std::string& wave, const std::string& municipality) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  if (page == nullptr) return false;
  const auto found = page->records.find(municipality);
  return found != page->records.end() && found->second;
}

uint64_t LiveBook::Version(const std::string& wave) const {
  std::lock_guard lock(mutex_);
  const Page* const page = Find(wave);
  return page == nullptr ? 0 : page->version;
}

uint64_t LiveBook::AwaitChange(uint64_t since, absl::Duration timeout) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [&] { return closed_ || changes_ > since; });
  return changes_;
}

}  // namespace peiling::fieldwork

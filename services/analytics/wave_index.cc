#include "services/analytics/wave_index.h"

#include <algorithm>
#include <utility>

namespace peiling::analytics {

namespace sv = survey::v1;

namespace {

// Tags, lengths and numbers around an item of a part, at most.
constexpr size_t kItemOverhead = 32;
constexpr size_t kWordsPerPiece = 32 << 10;

}  // namespace

WaveIndex::WaveIndex(std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire, std::shared_ptr<const Frame> frame)
    : questionnaire_(std::move(questionnaire)), frame_(std::move(frame)) {
  auto next = static_cast<uint32_t>(kFirstClass + frame_->classes().size());
  for (const auto& compiled : questionnaire_->questions()) {
    Layout layout;
    layout.first = next;
    layout.rows = static_cast<uint32_t>(compiled.question->rows_size());
    layout.options = static_cast<uint32_t>(compiled.question->options_size());
    next += kFirstChoice + (layout.rows == 0 ? layout.options : layout.rows * (1 + layout.options));
    layout_.push_back(layout);
  }
  bitmaps_.resize(next);
}

PreparedRecord WaveIndex::Prepare(const dedup::v1::Record& record, survey::Assessment& scratch) const {
  PreparedRecord prepared;
  prepared.municipality_code = record.municipality_code();
  prepared.municipality = frame_->Find(record.municipality_code());
  auto& bitmaps = prepared.bitmaps;
  bitmaps.push_back(kAll);
  if (record.complete()) bitmaps.push_back(kComplete);
  if (prepared.municipality != kNotInFrame) {
    for (const int municipality_class : frame_->ClassesOf(prepared.municipality)) bitmaps.push_back(kFirstClass + municipality_class);
  }
  questionnaire_->Assess(record.answers(), record.complete(), record.last_section(), scratch);
  for (int question = 0; question < static_cast<int>(layout_.size()); ++question) {
    const auto state = scratch.states[question];
    const auto* answer = scratch.answers[question];
    bitmaps.push_back(StateAt(question, state));
    if (state == sv::QUESTION_STATE_NOT_ASKED && answer != nullptr) bitmaps.push_back(layout_[question].first + kKeptAside);
    if (state == sv::QUESTION_STATE_ANSWERED) AddChoices(question, *answer, bitmaps);
  }
  return prepared;
}

// Codes the questionnaire does not know are passed over: validation reports them, a table has no line for them.
void WaveIndex::AddChoices(int question, const sv::Answer& answer, std::vector<uint32_t>& bitmaps) const {
  const auto& compiled = questionnaire_->questions()[question];
  int hint = 0;
  for (const auto& code : answer.selection().codes()) {
    const int option = compiled.OptionOf(code, hint);
    if (option < 0) continue;
    bitmaps.push_back(OptionAt(question, option));
    hint = option + 1;
  }
  hint = 0;
  for (const auto& cell : answer.grid().cells()) {
    const int row = compiled.RowOf(cell.row(), hint);
    const int option = compiled.OptionOf(cell.option());
    if (row < 0 || option < 0) continue;
    bitmaps.push_back(RowAt(question, row));
    bitmaps.push_back(CellAt(question, row, option));
    hint = row + 1;
  }
}

void WaveIndex::Put(const PreparedRecord& record) {
  const uint32_t slot = TakeSlot(record);
  for (const uint32_t bitmap : record.bitmaps) bitmaps_[bitmap].Set(slot);
}

uint32_t WaveIndex::TakeSlot(const PreparedRecord& record) {
  const auto [found, is_new] = slots_.try_emplace(record.municipality_code, 0);
  if (!is_new) {
    ClearSlot(found->second);
    return found->second;
  }
  if (free_slots_.empty()) {
    found->second = static_cast<uint32_t>(municipality_of_.size());
    municipality_of_.push_back(record.municipality);
  } else {
    found->second = free_slots_.back();
    free_slots_.pop_back();
    municipality_of_[found->second] = record.municipality;
  }
  return found->second;
}

bool WaveIndex::Remove(const std::string& municipality_code) {
  const auto found = slots_.find(municipality_code);
  if (found == slots_.end()) return false;
  ClearSlot(found->second);
  free_slots_.push_back(found->second);
  slots_.erase(found);
  return true;
}

void WaveIndex::ClearSlot(uint32_t slot) {
  for (auto& bitmap : bitmaps_) bitmap.Clear(slot);
}

void WaveIndex::Save(PartWriter& parts) const {
  static const std::string kFree;
  std::vector<const std::string*> codes(municipality_of_.size(), &kFree);
  for (const auto& [code, slot] : slots_) codes[slot] = &code;
  for (const std::string* code : codes) parts.RoomFor(code->size() + kItemOverhead).add_municipality_codes(*code);
  for (size_t i = 0; i < bitmaps_.size(); ++i) {
    const auto& words = bitmaps_[i].words();
    for (size_t first = 0; first < words.size(); first += kWordsPerPiece) {
      const size_t count = std::min(kWordsPerPiece, words.size() - first);
      auto& piece = *parts.RoomFor(count * sizeof(uint64_t) + kItemOverhead).add_bitmaps();
      piece.set_bitmap(static_cast<uint32_t>(i));
      piece.set_first_word(static_cast<uint32_t>(first));
      piece.mutable_words()->Add(words.begin() + static_cast<ptrdiff_t>(first), words.begin() + static_cast<ptrdiff_t>(first + count));
    }
  }
}

bool WaveIndex::Load(const snapshot::Part& part) {
  for (const auto& code : part.municipality_codes()) {
    const auto slot = static_cast<uint32_t>(municipality_of_.size());
    municipality_of_.push_back(frame_->Find(code));
    if (code.empty()) {
      free_slots_.push_back(slot);
    } else if (!slots_.try_emplace(code, slot).second) {
      return false;
    }
  }
  const size_t words = (municipality_of_.size() + 63) / 64;
  for (const auto& piece : part.bitmaps()) {
    const auto count = static_cast<size_t>(piece.words_size());
    if (piece.bitmap() >= bitmaps_.size() || piece.first_word() > words || count > words - piece.first_word()) return false;
    bitmaps_[piece.bitmap()].SetWords(piece.first_word(), piece.words().data(), count);
  }
  return true;
}

bool WaveIndex::HoldsTogether() const {
  const bool all_used = std::all_of(slots_.begin(), slots_.end(), [this](const auto& entry) { return All().Test(entry.second); });
  return all_used && All().Count() == records() &&
         std::all_of(bitmaps_.begin(), bitmaps_.end(), [this](const Bitmap& bitmap) { return CountAnd(bitmap, All()) == bitmap.Count(); });
}

size_t WaveIndex::bytes() const {
  size_t words = 0;
  for (const auto& bitmap : bitmaps_) words += bitmap.words().size();
  return words * sizeof(uint64_t);
}

Bitmap WaveIndex::Of(const Bitmap& municipalities) const {
  Bitmap slots;
  All().ForEach([&](size_t slot) {
    const MunicipalityIndex municipality = municipality_of_[slot];
    if (municipality != kNotInFrame && municipalities.Test(municipality)) slots.Set(slot);
  });
  return slots;
}

Bitmap WaveIndex::Municipalities() const {
  Bitmap municipalities;
  All().ForEach([&](size_t slot) {
    if (municipality_of_[slot] != kNotInFrame) municipalities.Set(municipality_of_[slot]);
  });
  return municipalities;
}

}  // namespace peiling::analytics

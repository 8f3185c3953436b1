// The records of a wave as bitmaps: what every table is counted from.
//
// One slot a record, one bit a slot for every question's states and for every option (of a matrix: every row and option). Memory is
// therefore bits_per_record() / 8 bytes a record: the 2022 questionnaire of "Sociale (wijk)teams" (64 questions, 868 bitmaps with the
// strata of its frame) takes 109 bytes a record, 109 MB for a million, beside some 60 bytes for the municipality's code and slot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/survey/v1/answers.pb.h"
#include "services/analytics/bitmap.h"
#include "services/analytics/frame.h"
#include "services/analytics/snapshot.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::analytics {

// A record turned into the bits it sets, so that the work is done before anybody is kept waiting.
struct PreparedRecord {
  std::string municipality_code;
  MunicipalityIndex municipality = kNotInFrame;
  // Positions of the bitmaps that hold it.
  std::vector<uint32_t> bitmaps;
};

// Reading is thread-safe; Put and Remove want the index to themselves. Prepare may run beside readers.
class WaveIndex {
 public:
  WaveIndex(std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire, std::shared_ptr<const Frame> frame);

  // `scratch` spares allocations from one record to the next.
  PreparedRecord Prepare(const dedup::v1::Record& record, survey::Assessment& scratch) const;
  // Takes a record in; one of the same municipality is replaced. Putting it twice changes nothing.
  void Put(const PreparedRecord& record);
  // Takes the record of a municipality out; false when there is none.
  bool Remove(const std::string& municipality_code);

  // Writes all of it down, slots first.
  void Save(PartWriter& parts) const;
  // Takes over what another index of the same questionnaire and frame has written, part by part, before anything was put. False when it
  // cannot be of such an index; then this one is of no use.
  bool Load(const snapshot::Part& part);
  // Whether what was loaded is whole: bitmaps hold records, and nothing else.
  bool HoldsTogether() const;

  const survey::CompiledQuestionnaire& questionnaire() const { return *questionnaire_; }
  const Frame& frame() const { return *frame_; }
  int64_t records() const { return static_cast<int64_t>(slots_.size()); }
  bool Has(const std::string& municipality_code) const { return slots_.contains(municipality_code); }
  size_t bits_per_record() const { return bitmaps_.size(); }
  // Of the bitmaps, in memory.
  size_t bytes() const;

  // Sets of slots. Questions, options and rows by their positions in the questionnaire.
  const Bitmap& All() const { return bitmaps_[kAll]; }
  // From submitted responses.
  const Bitmap& Complete() const { return bitmaps_[kComplete]; }
  // By position in Frame::classes().
  const Bitmap& OfClass(int municipality_class) const { return bitmaps_[kFirstClass + municipality_class]; }
  // Slots of some municipalities, by MunicipalityIndex.
  Bitmap Of(const Bitmap& municipalities) const;
  // Municipalities of the frame with a record, by MunicipalityIndex.
  Bitmap Municipalities() const;
  // By what became of the question.
  const Bitmap& State(int question, survey::v1::QuestionState state) const { return bitmaps_[StateAt(question, state)]; }
  // Not asked, yet there is an answer.
  const Bitmap& KeptAside(int question) const { return bitmaps_[layout_[question].first + kKeptAside]; }
  // Single and multiple: chose the option.
  const Bitmap& Option(int question, int option) const { return bitmaps_[OptionAt(question, option)]; }
  // Matrix: answered the row.
  const Bitmap& Row(int question, int row) const { return bitmaps_[RowAt(question, row)]; }
  // Matrix: chose the option in the row.
  const Bitmap& Cell(int question, int row, int option) const { return bitmaps_[CellAt(question, row, option)]; }

 private:
  static constexpr uint32_t kAll = 0;
  static constexpr uint32_t kComplete = 1;
  static constexpr uint32_t kFirstClass = 2;
  // A question's bitmaps: four states, kept aside, then its rows and its options or cells.
  static constexpr uint32_t kKeptAside = 4;
  static constexpr uint32_t kFirstChoice = 5;

  struct Layout {
    uint32_t first = 0;
    uint32_t rows = 0;
    uint32_t options = 0;
  };

  uint32_t StateAt(int question, survey::v1::QuestionState state) const {
    return layout_[question].first + static_cast<uint32_t>(state) - survey::v1::QUESTION_STATE_ANSWERED;
  }
  uint32_t OptionAt(int question, int option) const { return layout_[question].first + kFirstChoice + option; }
  uint32_t RowAt(int question, int row) const { return layout_[question].first + kFirstChoice + row; }
  uint32_t CellAt(int question, int row, int option) const {
    const Layout& layout = layout_[question];
    return layout.first + kFirstChoice + layout.rows + row * layout.options + option;
  }
  void AddChoices(int question, const survey::v1::Answer& answer, std::vector<uint32_t>& bitmaps) const;
  uint32_t TakeSlot(const PreparedRecord& record);
  void ClearSlot(uint32_t slot);

  const std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire_;
  const std::shared_ptr<const Frame> frame_;
  std::vector<Layout> layout_;
  std::vector<Bitmap> bitmaps_;
  absl::flat_hash_map<std::string, uint32_t> slots_;
  // By slot.
  std::vector<MunicipalityIndex> municipality_of_;
  std::vector<uint32_t> free_slots_;
};

}  // namespace peiling::analytics

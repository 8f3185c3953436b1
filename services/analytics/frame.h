// The frame of a wave: the municipalities that exist on its frame date, and the classes they fall into.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/analytics/bitmap.h"

namespace peiling::analytics {

// A number for a municipality within its frame.
using MunicipalityIndex = int;
inline constexpr MunicipalityIndex kNotInFrame = -1;

enum class ClassKind { kSizeClass, kProvince, kGroup };

// A class of municipalities: a size class, a province, a group.
struct MunicipalityClass {
  ClassKind kind;
  // "UNDER_50K", "Utrecht", "G40".
  std::string code;
  // Dutch.
  std::string label;
  // Over MunicipalityIndex.
  Bitmap municipalities;
};

// Immutable, so thread-safe.
class Frame {
 public:
  // `municipalities` with facts on the frame date; groups are those on `groups_date` (YYYY-MM-DD).
  Frame(const std::vector<registry::v1::Municipality>& municipalities, const std::string& groups_date);

  int size() const { return static_cast<int>(codes_.size()); }
  // kNotInFrame when there is none of this code.
  MunicipalityIndex Find(const std::string& code) const;
  const std::string& code(MunicipalityIndex municipality) const { return codes_[municipality]; }
  // All municipalities.
  const Bitmap& all() const { return all_; }

  // The same for frames of the same municipalities, in the same order and classes, and for no others (SHA-256).
  const std::string& fingerprint() const { return fingerprint_; }

  // Size classes (all four; unknown when somebody's is), provinces by name, groups by name (G4 before G40).
  const std::vector<MunicipalityClass>& classes() const { return classes_; }
  // Positions in classes() of a municipality's own.
  const std::vector<int>& ClassesOf(MunicipalityIndex municipality) const { return classes_of_[municipality]; }
  // Position in classes(); -1 when there is none.
  int FindClass(ClassKind kind, const std::string& code) const;

 private:
  std::string Fingerprint() const;
  void AddToClass(MunicipalityIndex municipality, ClassKind kind, const std::string& code);

  std::vector<std::string> codes_;
  absl::flat_hash_map<std::string, MunicipalityIndex> by_code_;
  Bitmap all_;
  std::vector<MunicipalityClass> classes_;
  std::vector<std::vector<int>> classes_of_;
  std::string fingerprint_;
};

}  // namespace peiling::analytics

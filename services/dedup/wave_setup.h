// What dedup must know of a wave before it can decide anything: its questions and the municipalities of its frame.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "services/common/survey/compiled_questionnaire.h"

namespace peiling::dedup {

// The same as contract messages, as they are fetched and stored. Two of them are equal when their bytes are.
struct WaveSource {
  // Name, questionnaire, its fingerprint, the frame date and the number of partitions (at least 1); the rest of a wave does not concern
  // dedup and is left out.
  intake::v1::Wave wave;
  intake::v1::GetQuestionnaireResponse questionnaire;
  // The frame: code and title of every municipality of the frame date, by code.
  registry::v1::ListMunicipalitiesResponse frame;
};

// Ready for work. Immutable.
struct WaveSetup {
  // Keys and versions of stored documents.
  using Versions = std::vector<std::pair<std::string, uint64_t>>;

  // INVALID_ARGUMENT/QUESTIONNAIRE_INVALID when the questions do not compile.
  static absl::StatusOr<std::shared_ptr<const WaveSetup>> Make(const WaveSource& source, std::string policy = "", Versions versions = {});

  bool InFrame(const std::string& code) const { return titles.contains(code); }
  // Official name, or the code when it is not in the frame.
  const std::string& Title(const std::string& code) const;
  // "Aalsmeer", "Aalsmeer en Amstelveen", "Drechterland, Enkhuizen en Stede Broec"; `word` is what joins the last two.
  std::string Titles(const std::vector<std::string>& codes, const std::string& word = "en") const;
  // What a response gives as its municipality; empty when it gives nothing, the questionnaire does not ask, or it is known beforehand.
  std::string MunicipalityText(const intake::v1::Response& response) const;

  // "surveys/s/waves/w"
  std::string wave;
  // YYYY-MM-DD
  std::string frame_date;
  // Of the wave; at least 1.
  int partitions = 1;
  // Official names by code.
  std::map<std::string, std::string> titles;
  std::shared_ptr<const survey::CompiledQuestionnaire> questionnaire;
  // Version of the policy that decides, and the documents all of this is stored in.
  std::string policy;
  Versions versions;
};

}  // namespace peiling::dedup

// How a wave lies in the store: one partition named as the wave, one contract message a document. The partition's feed is the record feed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "services/common/storage/store.h"

namespace peiling::dedup::documents {

// What the wave was last decided with; see WaveSource.
inline constexpr char kWave[] = "setup/wave";
inline constexpr char kQuestionnaire[] = "setup/questionnaire";
inline constexpr char kFrame[] = "setup/frame";
// kPolicyVersion.
inline constexpr char kPolicy[] = "setup/policy";
// survey.v1.FeedPosition: what is taken in, and the record event that came of it. Written by every step, so its version orders them.
inline constexpr char kPosition[] = "position";
// CleaningReport, kept up to date by every step.
inline constexpr char kReport[] = "report";

// intake.v1.Response as it last came, by response id.
inline constexpr char kResponses[] = "response/";
// registry.v1.Resolution of its text, by response id.
inline constexpr char kResolutions[] = "resolution/";
// Ids of the cases it belongs to, one a line, by response id.
inline constexpr char kMemberships[] = "membership/";
// Decision, by response id.
inline constexpr char kDecisions[] = "decision/";
// Case whose decisions hold the names of the responses alone, by case id.
inline constexpr char kCases[] = "case/";
// Record, by municipality code.
inline constexpr char kRecords[] = "record/";
// Ruling, by number; see RulingKey.
inline constexpr char kRulings[] = "ruling/";

// "decision/101" of kDecisions and "surveys/…/responses/101".
std::string KeyOf(const char* prefix, std::string_view name);
// Sorts as the number does.
std::string RulingKey(int64_t number);

// The same bytes for the same content.
std::string Serialize(const google::protobuf::Message& message);
// DATA_LOSS/STORAGE_CORRUPT when the value is no such message.
absl::Status Parse(const std::string& key, const std::string& value, google::protobuf::Message& message);

// The document as a message, or nullopt when there is none.
template <typename Message>
absl::StatusOr<std::optional<Message>> Read(storage::Store& store, const std::string& partition, const std::string& key) {
  auto document = store.Get(partition, key);
  if (!document.ok()) return document.status();
  if (!document->has_value()) return std::optional<Message>();
  Message message;
  if (absl::Status parsed = Parse(key, (*document)->value, message); !parsed.ok()) return parsed;
  return std::optional<Message>(std::move(message));
}

}  // namespace peiling::dedup::documents

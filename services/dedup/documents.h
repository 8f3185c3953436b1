// How a wave lies in the store: one partition named as the wave, one contract message a document. The partition's feed is the record feed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "services/common/storage/store.h"

namespace peiling::dedup::documents {

// What the wave is decided with; see WaveSource. Every step is on condition that these are as its ledger knows them.
inline constexpr char kWave[] = "setup/wave";
inline constexpr char kQuestionnaire[] = "setup/questionnaire";
inline constexpr char kFrame[] = "setup/frame";
// kPolicyVersion.
inline constexpr char kPolicy[] = "setup/policy";
// Versions of the four above with which everything has been decided; others: that is yet to be done. See WaveLedger::Prepare.
inline constexpr char kDecided[] = "setup/decided";

// By partition of the wave, from 0; see PartitionKey. Rulings and new setups count as steps of partition 0.
// survey.v1.FeedPosition: `submissions` of this partition are taken in. Written by every step with the last of its record events, so that
// the greatest Document::sequence among them is the end of the record feed.
inline constexpr char kPositions[] = "position/";
// CleaningReport: what the partition's steps changed. Their sum is the report; a single one may be negative.
inline constexpr char kReports[] = "report/";
// google.rpc.Status: an event of the submission feed that could not be taken in, and why; the event itself in its details. See SetAsideKey.
inline constexpr char kSetAside[] = "poisoned/";

// The Ruling that was last made or taken back: whoever finds another one here than before has not read all rulings.
inline constexpr char kLastRuling[] = "last-ruling";
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

// Adds the keys of everything kept of one response, by its id.
void AddKeysOfResponse(const std::string& id, std::vector<std::string>& keys);
// "decision/101" of kDecisions and "surveys/…/responses/101".
std::string KeyOf(const char* prefix, std::string_view name);
// Sorts as the number does.
std::string RulingKey(int64_t number);
// "position/3"
std::string PartitionKey(const char* prefix, int partition);
// "poisoned/3/"
std::string SetAsidePrefix(int partition);
// "poisoned/3/00000000000000000017"; sorts as the sequence does.
std::string SetAsideKey(int partition, uint64_t sequence);

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

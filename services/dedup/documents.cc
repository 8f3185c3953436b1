#include "services/dedup/documents.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::dedup::documents {

void AddKeysOfResponse(const std::string& id, std::vector<std::string>& keys) {
  for (const char* prefix : {kResponses, kResolutions, kMemberships, kDecisions}) keys.push_back(absl::StrCat(prefix, id));
}

std::string KeyOf(const char* prefix, std::string_view name) { return absl::StrCat(prefix, names::LastId(name)); }

std::string RulingKey(int64_t number) { return absl::StrFormat("%s%010d", kRulings, number); }

std::string PartitionKey(const char* prefix, int partition) { return absl::StrCat(prefix, partition); }

std::string SetAsidePrefix(int partition) { return absl::StrCat(kSetAside, partition, "/"); }

std::string SetAsideKey(int partition, uint64_t sequence) { return absl::StrFormat("%s%020d", SetAsidePrefix(partition), sequence); }

absl::Status Parse(const std::string& key, const std::string& value, google::protobuf::Message& message) {
  if (message.ParseFromString(value)) return absl::OkStatus();
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", key, " is not a ", message.GetTypeName()),
                       {{"key", key}});
}

}  // namespace peiling::dedup::documents

#include "services/dedup/documents.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::dedup::documents {

std::string KeyOf(const char* prefix, std::string_view name) { return absl::StrCat(prefix, names::LastId(name)); }

std::string RulingKey(int64_t number) { return absl::StrFormat("%s%010d", kRulings, number); }

absl::Status Parse(const std::string& key, const std::string& value, google::protobuf::Message& message) {
  if (message.ParseFromString(value)) return absl::OkStatus();
  return status::Error(absl::StatusCode::kDataLoss, "STORAGE_CORRUPT", absl::StrCat("document ", key, " is not a ", message.GetTypeName()),
                       {{"key", key}});
}

}  // namespace peiling::dedup::documents

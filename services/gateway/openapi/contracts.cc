#include "services/gateway/openapi/contracts.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"

namespace peiling::gateway {

namespace pb = google::protobuf;

absl::StatusOr<Contracts> Contracts::Read(const std::string& path) {
  pb::FileDescriptorSet set;
  std::ifstream file(path, std::ios::binary);
  if (!set.ParseFromIstream(&file) || set.file().empty()) return absl::InvalidArgumentError(absl::StrCat(path, " holds no descriptors"));
  Contracts contracts;
  for (const pb::FileDescriptorProto& one : set.file()) {
    const pb::FileDescriptor* built = contracts.pool_->BuildFile(one);
    if (built == nullptr) return absl::InvalidArgumentError(absl::StrCat(path, ": ", one.name(), " cannot be built"));
    contracts.files_.push_back(built);
  }
  return contracts;
}

std::vector<const pb::ServiceDescriptor*> Contracts::services() const {
  std::vector<const pb::ServiceDescriptor*> services;
  for (const pb::FileDescriptor* file : files_) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  return services;
}

}  // namespace peiling::gateway

// Contracts as protoc hands them on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace peiling::gateway {

// The files of a FileDescriptorSet, with their comments. Immutable.
class Contracts {
 public:
  // `path`: written by protoc --include_imports --include_source_info --descriptor_set_out. INVALID_ARGUMENT when it is something else.
  static absl::StatusOr<Contracts> Read(const std::string& path);

  // Of all files, in their order. They live as long as this.
  std::vector<const google::protobuf::ServiceDescriptor*> services() const;
  const std::vector<const google::protobuf::FileDescriptor*>& files() const { return files_; }

 private:
  std::unique_ptr<google::protobuf::DescriptorPool> pool_ = std::make_unique<google::protobuf::DescriptorPool>();
  std::vector<const google::protobuf::FileDescriptor*> files_;
};

}  // namespace peiling::gateway

// A text field of a message, read from the message's bytes without parsing the rest of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/support/byte_buffer.h"

namespace peiling::gateway {

// Immutable, so thread-safe; the descriptors must outlive it.
class ResourceField {
 public:
  // No field.
  ResourceField() = default;
  // `path` as contracts write it, "parent" or "header.parent"; "": no field. FAILED_PRECONDITION/CONTRACT_INVALID when there is no such
  // field or it is no single text.
  static absl::StatusOr<ResourceField> Compile(const google::protobuf::Descriptor& message, const std::string& path);

  bool empty() const { return path_.empty(); }
  // What a parser would find in it; "" when it is absent. nullopt when the message does not parse. Does not look at what other fields hold,
  // so a message that is read here may still not parse. One copy of the text, nothing else is taken from the heap.
  std::optional<std::string> Read(const grpc::ByteBuffer& message) const;

 private:
  std::vector<const google::protobuf::FieldDescriptor*> path_;
};

}  // namespace peiling::gateway

#include "services/gateway/resource_field.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "services/common/status/errors.h"
#include "services/common/text/fold.h"

namespace peiling::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormat;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

uint32_t TagOf(const FieldDescriptor& field) { return WireFormat::MakeTag(&field); }

// Whether a field with this tag takes the place of `field`: another one of its oneof.
bool Displaces(uint32_t tag, const FieldDescriptor& field) {
  const auto* const oneof = field.real_containing_oneof();
  for (int i = 0; oneof != nullptr && i < oneof->field_count(); ++i) {
    if (oneof->field(i) != &field && TagOf(*oneof->field(i)) == tag) return true;
  }
  return false;
}

// Reads a message up to the stream's limit. The last occurrence of a field wins, and messages that occur twice are one, as protobuf has it
// (https://protobuf.dev/programming-guides/encoding/#last-one-wins). `found` keeps what an earlier occurrence said.
bool Scan(CodedInputStream& in, const FieldDescriptor* const* field, const FieldDescriptor* const* end, std::string& found) {
  while (in.BytesUntilLimit() > 0) {
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return false;
    if (tag != TagOf(**field)) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      if (Displaces(tag, **field)) found.clear();
      continue;
    }
    int size = 0;
    if (!in.ReadVarintSizeAsInt(&size) || size > in.BytesUntilLimit()) return false;
    if (field + 1 == end) {
      if (!in.ReadString(&found, size) || !text::IsValidUtf8(found)) return false;
      continue;
    }
    const auto outer = in.PushLimit(size);
    if (!Scan(in, field + 1, end, found)) return false;
    in.PopLimit(outer);
  }
  return true;
}

absl::Status Invalid(const google::protobuf::Descriptor& message, const std::string& path) {
  return status::Error(absl::StatusCode::kFailedPrecondition, "CONTRACT_INVALID",
                       absl::StrCat(message.full_name(), " has no field \"", path, "\" that is one text"));
}

}  // namespace

absl::StatusOr<ResourceField> ResourceField::Compile(const google::protobuf::Descriptor& message, const std::string& path) {
  ResourceField compiled;
  if (path.empty()) return compiled;
  const google::protobuf::Descriptor* within = &message;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(path, '.', absl::AllowEmpty()))) {
    const FieldDescriptor* const field = within == nullptr ? nullptr : within->FindFieldByName(name);
    if (field == nullptr || field->is_repeated()) return Invalid(message, path);
    compiled.path_.push_back(field);
    within = field->message_type();
  }
  if (compiled.path_.back()->type() != FieldDescriptor::TYPE_STRING) return Invalid(message, path);
  return compiled;
}

std::optional<std::string> ResourceField::Read(const grpc::ByteBuffer& message) const {
  std::string found;
  if (empty() || message.Length() == 0) return found;
  // Takes a buffer that it does not change.
  grpc::ProtoBufferReader reader(const_cast<grpc::ByteBuffer*>(&message));
  CodedInputStream in(&reader);
  in.PushLimit(static_cast<int>(message.Length()));
  if (!Scan(in, path_.data(), path_.data() + path_.size(), found)) return std::nullopt;
  return found;
}

}  // namespace peiling::gateway

// Messages as bytes to compare and to hash by.
#pragma once

#include <string>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/message.h"

namespace peiling::proto {

// The same bytes for the same content, as long as this build of protobuf reads and writes it (its deterministic serialisation).
inline std::string CanonicalBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    // The streams write what they hold back when they go.
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace peiling::proto

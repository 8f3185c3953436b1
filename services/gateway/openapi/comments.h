// What the contracts say about themselves, for readers of the HTTP interface.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/descriptor.h"

namespace peiling::gateway {

// The comments before messages, fields, methods …, as Markdown: lines joined to paragraphs, notes to the linter of the contracts left out,
// and names of fields as JSON has them ("wait_for" → "waitFor") except in double quotes. The descriptors must have source info. Immutable.
class Comments {
 public:
  // Knows the fields of all messages of the services' files and of what those import.
  explicit Comments(const std::vector<const google::protobuf::ServiceDescriptor*>& services);

  // "" when there is none.
  template <typename Descriptor>
  std::string Of(const Descriptor& described) const {
    google::protobuf::SourceLocation location;
    return described.GetSourceLocation(&location) ? Prose(location.leading_comments) : "";
  }
  // The one at the top of the file.
  std::string OfFile(const google::protobuf::FileDescriptor& file) const;

 private:
  std::string Prose(std::string_view comment) const;
  std::string WithJsonNames(std::string_view text) const;

  // Of all fields, by their names in the contracts.
  std::map<std::string, std::string, std::less<>> json_names_;
};

// Of a comment, without its full stop: "One wave. NOT_FOUND/WAVE_NOT_FOUND." → "One wave".
std::string FirstSentence(std::string_view text);

}  // namespace peiling::gateway

#include "services/gateway/openapi/comments.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.pb.h"

namespace peiling::gateway {
namespace {

namespace pb = google::protobuf;

using JsonNames = std::map<std::string, std::string, std::less<>>;

void AddFields(const pb::Descriptor& message, JsonNames& names) {
  for (int i = 0; i < message.field_count(); ++i) names.emplace(message.field(i)->name(), message.field(i)->json_name());
  for (int i = 0; i < message.nested_type_count(); ++i) AddFields(*message.nested_type(i), names);
}

void AddFields(const pb::FileDescriptor& file, std::set<const pb::FileDescriptor*>& seen, JsonNames& names) {
  if (!seen.insert(&file).second) return;
  for (int i = 0; i < file.message_type_count(); ++i) AddFields(*file.message_type(i), names);
  for (int i = 0; i < file.dependency_count(); ++i) AddFields(*file.dependency(i), seen, names);
}

bool IsNamePart(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

Comments::Comments(const std::vector<const pb::ServiceDescriptor*>& services) {
  std::set<const pb::FileDescriptor*> seen;
  for (const auto* service : services) AddFields(*service->file(), seen, json_names_);
}

std::string Comments::OfFile(const pb::FileDescriptor& file) const {
  pb::SourceLocation location;
  return file.GetSourceLocation({pb::FileDescriptorProto::kSyntaxFieldNumber}, &location) ? Prose(location.leading_comments) : "";
}

std::string Comments::Prose(std::string_view comment) const {
  std::string result;
  bool new_paragraph = false;
  for (absl::string_view line : absl::StrSplit(absl::string_view(comment.data(), comment.size()), '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::StartsWith(line, "buf:lint:")) continue;
    if (line.empty()) {
      new_paragraph = !result.empty();
      continue;
    }
    if (!result.empty()) result += new_paragraph ? "\n\n" : " ";
    new_paragraph = false;
    absl::StrAppend(&result, line);
  }
  return WithJsonNames(result);
}

std::string Comments::WithJsonNames(std::string_view text) const {
  std::string result;
  bool quoted = false;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && IsNamePart(text[end])) ++end;
    const auto word = text.substr(begin, end - begin);
    const auto field = quoted ? json_names_.end() : json_names_.find(word);
    result += field == json_names_.end() ? word : field->second;
    if (end < text.size()) {
      quoted ^= text[end] == '"';
      result.push_back(text[end++]);
    }
    begin = end;
  }
  return result;
}

std::string FirstSentence(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const bool ends = i + 1 == text.size() || text[i + 1] == ' ' || text[i + 1] == '\n';
    if ((text[i] == '.' || text[i] == ':') && ends) return std::string(text.substr(0, i));
  }
  return std::string(text);
}

}  // namespace peiling::gateway

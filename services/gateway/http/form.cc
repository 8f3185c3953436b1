#include "services/gateway/http/form.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/common/text/fold.h"
#include "services/gateway/http/json.h"
#include "services/gateway/http/percent.h"
#include "services/gateway/http/scalar.h"

namespace peiling::gateway {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxBytes = 64 << 10;
constexpr size_t kMaxFields = 100;
// RFC 2046, 5.1.1.
constexpr size_t kLongestBoundary = 70;
constexpr std::string_view kLineEnd = "\r\n";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string_view Strip(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// The value of a header with parameters: "form-data; name=\"x\"". Names in lower case.
struct HeaderValue {
  std::string value;
  FormFields parameters;

  // Null when it is not there.
  const std::string* Find(std::string_view name) const {
    const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const auto& parameter) { return parameter.first == name; });
    return found == parameters.end() ? nullptr : &found->second;
  }
};

// Takes the value of a parameter, quoted or not, off the front of `rest`; false when a quote is not closed.
bool TakeParameter(std::string_view& rest, std::string& value) {
  if (!rest.starts_with('"')) {
    const size_t end = std::min(rest.find(';'), rest.size());
    value = Strip(rest.substr(0, end));
    rest.remove_prefix(end);
    return true;
  }
  for (size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest = Strip(rest.substr(i + 1));
      return true;
    }
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    value.push_back(rest[i]);
  }
  return false;
}

std::optional<HeaderValue> ParseHeaderValue(std::string_view text) {
  HeaderValue header;
  const size_t end = std::min(text.find(';'), text.size());
  header.value = absl::AsciiStrToLower(View(Strip(text.substr(0, end))));
  std::string_view rest = text.substr(end);
  while (!rest.empty()) {
    if (!rest.starts_with(';')) return std::nullopt;
    rest = Strip(rest.substr(1));
    if (rest.empty()) break;
    const size_t equals = rest.find('=');
    if (equals == rest.npos) return std::nullopt;
    auto& [name, value] = header.parameters.emplace_back();
    name = absl::AsciiStrToLower(View(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    if (!TakeParameter(rest, value)) return std::nullopt;
  }
  return header;
}

bool IsBoundary(std::string_view text) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kLongestBoundary && !text.ends_with(' ') && std::all_of(text.begin(), text.end(), allowed);
}

absl::Status Malformed(std::string_view what) {
  return status::Error(absl::StatusCode::kInvalidArgument, "BODY_MALFORMED",
                       absl::StrCat("the body is no form that can be read here: ", View(what)));
}

// One part of a multipart form: its headers, and after an empty line its value.
absl::Status ReadPart(std::string_view part, FormFields& fields) {
  std::optional<std::string> name;
  while (!part.starts_with(kLineEnd)) {
    const size_t end = part.find(kLineEnd);
    if (end == part.npos) return Malformed("a part has no empty line after its headers");
    const std::string_view line = part.substr(0, end);
    part.remove_prefix(end + kLineEnd.size());
    const size_t colon = line.find(':');
    if (colon == line.npos) return Malformed("a line of a part's headers has no colon");
    if (!absl::EqualsIgnoreCase(View(line.substr(0, colon)), "Content-Disposition")) continue;
    const auto disposition = ParseHeaderValue(line.substr(colon + 1));
    const std::string* const found = disposition ? disposition->Find("name") : nullptr;
    if (found == nullptr || disposition->value != "form-data" || name) return Malformed("want one name for each part");
    if (disposition->Find("filename") != nullptr) return Malformed("no file is wanted here");
    name = *found;
  }
  if (!name) return Malformed("want one name for each part");
  part.remove_prefix(kLineEnd.size());
  fields.emplace_back(*std::move(name), part);
  return absl::OkStatus();
}

absl::Status SplitMultipart(const std::string& boundary, std::string_view body, FormFields& fields) {
  // A delimiter has a line end before it, which the first may be without.
  const std::string whole = absl::StrCat(View(kLineEnd), View(body));
  const std::string delimiter = absl::StrCat(View(kLineEnd), "--", boundary);
  size_t at = whole.find(delimiter);
  while (at != whole.npos) {
    std::string_view rest = std::string_view(whole).substr(at + delimiter.size());
    if (rest.starts_with("--")) return absl::OkStatus();
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with(kLineEnd)) return Malformed("something follows a boundary");
    const size_t begin = whole.size() - rest.size() + kLineEnd.size();
    at = whole.find(delimiter, begin);
    if (at == whole.npos) break;
    if (fields.size() == kMaxFields) return Malformed("too many fields");
    if (absl::Status read = ReadPart(std::string_view(whole).substr(begin, at - begin), fields); !read.ok()) return read;
  }
  return Malformed("it ends before its last boundary");
}

absl::Status Split(const FormEncoding& encoding, std::string_view body, FormFields& fields) {
  if (body.size() > kMaxBytes) return Malformed("too large");
  if (!encoding.boundary.empty()) return SplitMultipart(encoding.boundary, body, fields);
  if (static_cast<size_t>(std::count(body.begin(), body.end(), '&')) >= kMaxFields) return Malformed("too many fields");
  return SplitUrlEncoded(body, fields) ? absl::OkStatus() : Malformed("want percent-encoded UTF-8");
}

}  // namespace

std::optional<FormEncoding> FormEncodingOf(std::string_view content_type) {
  const auto header = ParseHeaderValue(content_type);
  if (!header) return std::nullopt;
  const std::string* const charset = header->Find("charset");
  if (charset != nullptr && !absl::EqualsIgnoreCase(*charset, "utf-8")) return std::nullopt;
  if (header->value == kFormType) return FormEncoding();
  const std::string* const boundary = header->Find("boundary");
  if (header->value != kMultipartType || boundary == nullptr || !IsBoundary(*boundary)) return std::nullopt;
  return FormEncoding{*boundary};
}

bool SplitUrlEncoded(std::string_view text, FormFields& fields) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    const size_t equals = std::min(one.find('='), one.size());
    auto& [name, value] = fields.emplace_back();
    if (!PercentDecode(one.substr(0, equals), true, name) || !text::IsValidUtf8(name)) return false;
    if (!PercentDecode(one.substr(std::min(equals + 1, one.size())), true, value) || !text::IsValidUtf8(value)) return false;
  }
  return true;
}

absl::Status ReadForm(const FormEncoding& encoding, std::string_view body, Message& message, status::BadRequest& bad) {
  FormFields fields;
  if (absl::Status split = Split(encoding, body, fields); !split.ok()) return split;
  std::vector<const FieldDescriptor*> seen;
  for (const auto& [name, value] : fields) {
    if (!text::IsValidUtf8(name) || !text::IsValidUtf8(value)) return Malformed("want UTF-8");
    const std::string pointer = absl::StrCat("#/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
    const FieldDescriptor* const field = FieldCalled(*message.GetDescriptor(), name);
    if (field == nullptr) {
      bad.Add(pointer, "is not known here");
    } else if (!field->is_repeated() && std::find(seen.begin(), seen.end(), field) != seen.end()) {
      bad.Add(pointer, "stands there twice");
    } else if (!SetScalar(message, *field, value)) {
      bad.Add(pointer, WantedScalar(*field));
    }
    seen.push_back(field);
  }
  return absl::OkStatus();
}

}  // namespace peiling::gateway

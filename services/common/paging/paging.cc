#include "services/common/paging/paging.h"

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "services/common/proto/canonical_bytes.h"

namespace peiling::paging {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kDigestBytes = 8;

const FieldDescriptor& PageSizeField(const Message& request) { return *request.GetDescriptor()->FindFieldByName("page_size"); }
const FieldDescriptor& PageTokenField(const Message& request) { return *request.GetDescriptor()->FindFieldByName("page_token"); }

// Eight bytes that stand for the list asked for: the request without size and token. FNV-1a, because replicas and releases must agree on
// it.
std::string Digest(const Message& request) {
  const std::unique_ptr<Message> list(request.New());
  list->CopyFrom(request);
  list->GetReflection()->ClearField(list.get(), &PageSizeField(request));
  list->GetReflection()->ClearField(list.get(), &PageTokenField(request));
  const std::string bytes = proto::CanonicalBytes(*list);
  uint64_t hash = 0xcbf29ce484222325;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  std::string digest(kDigestBytes, '\0');
  for (size_t i = 0; i < kDigestBytes; ++i) digest[i] = static_cast<char>(hash >> (8 * i));
  return digest;
}

}  // namespace

Page ReadPage(const Message& request, status::BadRequest& bad) {
  Page page;
  const auto& reflection = *request.GetReflection();
  const int32_t size = reflection.GetInt32(request, &PageSizeField(request));
  if (size < 0) bad.Add("page_size", absl::StrCat(size, ", want 0 (", kDefaultPageSize, ") to ", kMaxPageSize));
  if (size > 0) page.size = std::min(size, kMaxPageSize);

  const std::string token = reflection.GetString(request, &PageTokenField(request));
  if (token.empty()) return page;
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(token, &bytes) || bytes.size() <= kDigestBytes) {
    bad.Add("page_token", "not a token, want next_page_token of the page before");
  } else if (bytes.compare(0, kDigestBytes, Digest(request)) != 0) {
    bad.Add("page_token", "a token of another list, want the other fields as in the request that gave it");
  } else {
    page.after = bytes.substr(kDigestBytes);
  }
  return page;
}

std::string NextPageToken(const Message& request, std::string_view last_key) {
  return absl::WebSafeBase64Escape(absl::StrCat(Digest(request), std::string(last_key)));
}

}  // namespace peiling::paging

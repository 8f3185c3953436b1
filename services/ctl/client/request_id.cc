#include "services/ctl/client/request_id.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace peiling::ctl {

std::string RandomRequestId() {
  std::string bytes(16, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) != 1) {
    std::random_device device;
    for (char& byte : bytes) byte = static_cast<char>(device());
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);  // version 4, RFC 4122
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  const std::string hex = absl::BytesToHexString(bytes);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-", hex.substr(20));
}

std::string DerivedRequestId(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) absl::StrAppend(&text, part.size(), ":", part, ",");  // lengths keep parts apart
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(std::string(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace peiling::ctl

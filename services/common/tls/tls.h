// Certificates, keys and certificate authorities in files (PEM).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::tls {

// What one side of connections shows and believes.
struct Files {
  // The own certificate with those between it and its authority, and its key; both or neither.
  std::string certificate;
  std::string key;
  // Authorities whose certificates are believed.
  std::string ca;

  bool operator==(const Files&) const = default;
};

// What was in the files.
struct Material {
  std::string certificate;
  std::string key;
  std::string ca;

  bool operator==(const Material&) const = default;
};

// Reads files of which some may not be set. FAILED_PRECONDITION, each naming the file: TLS_FILE_MISSING for a certificate without a key or
// the other way round; TLS_FILE_UNREADABLE; TLS_FILE_MALFORMED when it holds no certificate or key in PEM, or a key under a password;
// TLS_KEY_MISMATCH when the key is not the certificate's; TLS_CERTIFICATE_EXPIRED when the certificate is not valid at this time.
absl::StatusOr<Material> Load(const Files& files);
// Whether they can be used now. Warns of a key that others can read.
absl::Status Check(const Files& files);

// The names a certificate (the first in the PEM text) is for: subject alternative names of kind DNS and URI, in its order. Empty for what
// is no certificate.
std::vector<std::string> Names(std::string_view pem);

}  // namespace peiling::tls

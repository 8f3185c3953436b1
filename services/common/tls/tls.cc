#include "services/common/tls/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/common/files/exposure.h"
#include "services/common/status/errors.h"
#include "services/common/tls/openssl.h"

namespace peiling::tls {
namespace {

// Far more than any of these files; less than would hurt.
constexpr std::streamsize kMostBytes = 4 << 20;
// Certificates in one text: a chain, or the authorities of a country.
constexpr size_t kMostCertificates = 1000;

absl::Status Unusable(std::string_view reason, const std::string& file, std::string_view why) {
  return status::Error(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat("cannot use ", file, ": ", std::string(why)),
                       {{"file", file}});
}

absl::StatusOr<std::string> Read(const std::string& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text(kMostBytes, '\0');
  if (in) in.read(text.data(), kMostBytes);
  if (!in.eof()) return Unusable("TLS_FILE_UNREADABLE", file, in ? "is too large" : std::strerror(errno));
  text.resize(in.gcount());
  return text;
}

Owned<BIO> Reader(std::string_view text) { return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Keys under a password are not read: nobody is there to ask.
int NoPassword(char*, int, int, void*) { return -1; }

absl::Status CheckValidity(const X509& certificate, const std::string& file) {
  if (X509_cmp_current_time(X509_get0_notAfter(&certificate)) < 0) {
    return Unusable("TLS_CERTIFICATE_EXPIRED", file, "the certificate has expired");
  }
  if (X509_cmp_current_time(X509_get0_notBefore(&certificate)) > 0) {
    return Unusable("TLS_CERTIFICATE_EXPIRED", file, "the certificate is not valid yet");
  }
  return absl::OkStatus();
}

absl::Status CheckPair(const Files& files, const Material& material) {
  const auto chain = ReadCertificates(material.certificate);
  if (chain.empty()) return Unusable("TLS_FILE_MALFORMED", files.certificate, "holds no certificate in PEM");
  const auto key = ReadKey(material.key);
  if (key == nullptr) return Unusable("TLS_FILE_MALFORMED", files.key, "holds no private key in PEM without a password");
  const bool match = X509_check_private_key(chain.front().get(), key.get()) == 1;
  ERR_clear_error();
  if (!match) return Unusable("TLS_KEY_MISMATCH", files.key, absl::StrCat("is not the key of the certificate in ", files.certificate));
  return CheckValidity(*chain.front(), files.certificate);
}

}  // namespace

std::vector<Owned<X509>> ReadCertificates(std::string_view pem) {
  std::vector<Owned<X509>> certificates;
  const auto reader = Reader(pem);
  while (certificates.size() < kMostCertificates) {
    Owned<X509> next(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  // Else it broke off within one: the file is half written.
  if (error != 0 && ERR_GET_REASON(error) != PEM_R_NO_START_LINE) certificates.clear();
  return certificates;
}

Owned<EVP_PKEY> ReadKey(std::string_view pem) {
  Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(Reader(pem).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  return key;
}

absl::StatusOr<Material> Load(const Files& files) {
  if (files.key.empty() != files.certificate.empty()) {
    const bool alone = files.key.empty();
    return Unusable("TLS_FILE_MISSING", alone ? files.certificate : files.key,
                    alone ? "its key is not given" : "its certificate is not given");
  }
  Material material;
  for (const auto& [file, text] :
       {std::pair(&files.certificate, &material.certificate), std::pair(&files.key, &material.key), std::pair(&files.ca, &material.ca)}) {
    if (file->empty()) continue;
    auto read = Read(*file);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  if (!files.certificate.empty()) {
    if (absl::Status pair = CheckPair(files, material); !pair.ok()) return pair;
  }
  if (!files.ca.empty() && ReadCertificates(material.ca).empty()) {
    return Unusable("TLS_FILE_MALFORMED", files.ca, "holds no certificate in PEM");
  }
  return material;
}

absl::Status Check(const Files& files) {
  files::WarnWhenExposed(files.key);
  return Load(files).status();
}

std::vector<std::string> Names(std::string_view pem) {
  std::vector<std::string> found;
  const Owned<X509> certificate(PEM_read_bio_X509(Reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) return found;
  const Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME& name = *sk_GENERAL_NAME_value(names.get(), i);
    if (name.type != GEN_DNS && name.type != GEN_URI) continue;
    const ASN1_STRING* text = name.type == GEN_DNS ? name.d.dNSName : name.d.uniformResourceIdentifier;
    found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), ASN1_STRING_length(text));
  }
  return found;
}

}  // namespace peiling::tls

#include "tests/common/tls/authority.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace peiling::tls {
namespace {

std::string Text(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string text(bytes, size);
  BIO_free(bio);
  return text;
}

std::string ToPem(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  return Text(bio);
}

std::string ToPem(EVP_PKEY* key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  return Text(bio);
}

void AddExtension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Without a signature and an issuer.
X509* NewCertificate(EVP_PKEY* key, const std::string& name, std::chrono::seconds begin, std::chrono::seconds end) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), std::random_device()());
  X509_gmtime_adj(X509_getm_notBefore(certificate), begin.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate), end.count());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()),
                             -1, -1, 0);
  X509_set_pubkey(certificate, key);
  return certificate;
}

std::string AlternativeNames(const Authority::Leaf& leaf) {
  std::vector<std::string> names;
  for (const std::string& name : leaf.dns) names.push_back("DNS:" + name);
  for (const std::string& name : leaf.uris) names.push_back("URI:" + name);
  if (leaf.server) names.insert(names.end(), {"DNS:localhost", "IP:127.0.0.1"});
  return absl::StrJoin(names, ",");
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(NewCertificate(key_.get(), name, std::chrono::hours(-24), std::chrono::hours(24))) {
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  AddExtension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_.get(), certificate_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  X509_sign(certificate_.get(), key_.get(), EVP_sha256());
}

std::string Authority::pem() const { return ToPem(certificate_.get()); }

Material Authority::Issue(const Leaf& leaf) const {
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Free> certificate(NewCertificate(key.get(), "leaf", leaf.begin, leaf.end));
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  AddExtension(certificate.get(), certificate_.get(), NID_basic_constraints, "CA:FALSE");
  const std::string names = AlternativeNames(leaf);
  if (!names.empty()) AddExtension(certificate.get(), certificate_.get(), NID_subject_alt_name, names);
  const std::string uses =
      absl::StrCat(leaf.client ? "clientAuth" : "", leaf.client && leaf.server ? "," : "", leaf.server ? "serverAuth" : "");
  if (!uses.empty()) AddExtension(certificate.get(), certificate_.get(), NID_ext_key_usage, uses);
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  return {.certificate = ToPem(certificate.get()), .key = ToPem(key.get()), .ca = pem()};
}

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "peiling-tls-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

std::string Folder::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path part = path_ / (name + ".part");
  std::ofstream(part) << text;
  std::filesystem::rename(part, path_ / name);
  return path_ / name;
}

Files Folder::Write(const std::string& name, const Material& material) const {
  const auto write = [&](const char* end, const std::string& text) { return text.empty() ? "" : Write(name + end, text); };
  return {.certificate = write(".pem", material.certificate), .key = write(".key", material.key), .ca = write(".ca", material.ca)};
}

}  // namespace peiling::tls

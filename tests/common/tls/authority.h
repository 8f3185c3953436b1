// An authority for tests that makes certificates.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "services/common/tls/tls.h"

namespace peiling::tls {

class Authority {
 public:
  struct Leaf {
    std::vector<std::string> dns;
    std::vector<std::string> uris;
    bool client = true;
    // Then it is good for localhost, too.
    bool server = true;
    // When it is valid, from now.
    std::chrono::seconds begin = std::chrono::hours(-1);
    std::chrono::seconds end = std::chrono::hours(1);
  };

  // Makes its own certificate and key.
  explicit Authority(const std::string& name = "Test authority");

  // Its own certificate in PEM.
  std::string pem() const;
  // A certificate with its key, and this authority as the one to believe.
  Material Issue(const Leaf& leaf) const;

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };

  std::unique_ptr<EVP_PKEY, Free> key_;
  std::unique_ptr<X509, Free> certificate_;
};

// A directory of its own, gone at the end, with files that are replaced at once.
class Folder {
 public:
  Folder();
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // Returns the file's path.
  std::string Write(const std::string& name, const std::string& text) const;
  // As NAME.pem, NAME.key and NAME.ca, of which those are named that hold something.
  Files Write(const std::string& name, const Material& material) const;
  void Remove(const std::string& name) const { std::filesystem::remove(path_ / name); }

 private:
  std::filesystem::path path_;
};

}  // namespace peiling::tls

// What client certificates are worth. TLS has checked them before: this is about names.
#pragma once

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/gateway/identity/access_file.h"
#include "services/gateway/identity/digest.h"
#include "services/gateway/identity/verdict.h"

namespace peiling::gateway {

// Thread-safe.
class Certificates {
 public:
  explicit Certificates(const AccessRules& rules, Clock clock = std::chrono::system_clock::now);

  // The identity of the first of the rules that has a name of the certificate (PEM). One that has expired since the connection began holds
  // no longer.
  Verdict Check(std::string_view pem);
  // Of a certificate that held: whether it would hold now, by its end and its name.
  bool StillHolds(const access::v1::Identity& caller) const;
  // Whether it is that of a proxy.
  bool IsProxy(std::string_view pem);

 private:
  struct Known {
    Verdict verdict;
    bool proxy = false;
    std::chrono::system_clock::time_point begin;
    std::chrono::system_clock::time_point end;
  };

  std::shared_ptr<const Known> Look(std::string_view pem);
  Known Read(std::string_view pem) const;

  const std::vector<CertificateRules> rules_;
  const std::set<std::string> proxies_;
  const Clock clock_;
  // Reading one takes longer than a whole call.
  RecentCredentials<std::shared_ptr<const Known>> known_;
};

}  // namespace peiling::gateway

// Whose tokens and certificates are believed, and what they are worth: a file of the operator's.
//
//   issuers:            # of OIDC access tokens
//     - issuer: https://login.example.nl/realms/vng      # must equal `iss`
//       audience: peiling                                 # must be in `aud`
//       jwks: https://login.example.nl/realms/vng/certs   # or file:/etc/peiling/jwks.json
//       name: vng                # what its subjects are called: "tokens/vng/…"; default: the issuer's host
//       roles-claim: realm_access.roles                   # default "roles"; an array of texts, or texts with spaces between
//       grants:                                           # value of the claim: what it is worth
//         peiling-onderzoeker: {role: researcher, resources: [surveys/sociale-wijkteams]}
//   certificates:       # of systems
//     - name: mail.spotler.nl    # a DNS name or URI among the certificate's subject alternative names
//       title: Spotler
//       grants: [{role: mailer}]
//   proxies: [peiling-nginx]     # names of certificates that are believed about the client in front of them
//
// A proxy must check a client's certificate before it hands it on (nginx: ssl_verify_client on or optional, never optional_no_ca): of what
// it hands on the names alone are looked at here.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/access/v1/identity.pb.h"

namespace peiling::gateway {

using Grants = google::protobuf::RepeatedPtrField<access::v1::Grant>;

struct IssuerRules {
  std::string issuer;
  std::string name;
  std::string audience;
  std::string jwks;
  std::string roles_claim = "roles";
  std::map<std::string, access::v1::Grant> grants;
};

struct CertificateRules {
  std::string name;
  std::string title;
  Grants grants;
};

struct AccessRules {
  std::vector<IssuerRules> issuers;
  std::vector<CertificateRules> certificates;
  std::set<std::string> proxies;
};

// INVALID_ARGUMENT/ACCESS_FILE_INVALID with everything that is wrong, each as "filename:line:column".
absl::StatusOr<AccessRules> ParseAccessRules(std::string_view filename, std::string_view text);

// The file, read again when it changes. Thread-safe.
class AccessFile {
 public:
  // FAILED_PRECONDITION/ACCESS_FILE_UNREADABLE, or what ParseAccessRules says. At most 1 MiB.
  static absl::StatusOr<std::unique_ptr<AccessFile>> Open(const std::string& path);
  ~AccessFile();  // Stops.

  // As it was opened.
  const AccessRules& rules() const { return rules_; }
  // Looks at the file once a second, and calls `changed` with what it then says. A file that is wrong is logged once and passed over.
  void Start(std::function<void(AccessRules)> changed);
  // May be called twice, not by `changed`.
  void Stop();

 private:
  AccessFile(const std::string& path, std::string text, AccessRules rules);
  void Run(const std::function<void(AccessRules)>& changed);
  void Look(const std::function<void(AccessRules)>& changed);

  const std::string path_;
  const AccessRules rules_;
  // What was read last, or why it could not be.
  std::string seen_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peiling::gateway

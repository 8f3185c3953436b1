// Sending something to an address somebody else gave. It must not become a way into this network: the address that a name stands for is
// looked at when the connection is made.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace peiling::fieldwork {

// Networks that may be sent to although they are not public: "127.0.0.1/32", "10.1.0.0/16", "fd00::/8".
class AllowedNetworks {
 public:
  // INVALID_ARGUMENT names the text that is no network.
  static absl::StatusOr<AllowedNetworks> Parse(const std::vector<std::string>& texts);
  // Whether something may be sent to this address, as text: it is public, or in one of the networks.
  bool Contains(const std::string& address) const;

 private:
  struct Network {
    // 4 or 16 bytes.
    std::string prefix;
    int bits;
  };
  static bool Lies(const std::string& address, const Network& network);

  std::vector<Network> networks_;
};

// What is wrong with a URL; empty when it may be sent to: https, a host, no user, password or fragment, at most 2,000 characters. http is
// right for a host that is itself an address of an allowed network.
std::string UrlProblem(const std::string& url, const AllowedNetworks& allowed);

struct PostLimits {
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds timeout{15'000};
  // Authorities that are believed, PEM; empty: the system's.
  std::string ca;
};

// HTTP status of the answer; redirects are not followed, and of the body nothing is kept. UNAVAILABLE for people when none came,
// PERMISSION_DENIED when the name stands for an address that is not allowed. Blocks. Thread-safe.
absl::StatusOr<int> Post(const std::string& url, const std::vector<std::pair<std::string, std::string>>& headers, const std::string& body,
                         const AllowedNetworks& allowed, const PostLimits& limits);

}  // namespace peiling::fieldwork

// Where mail leads people.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace peiling::fieldwork {

// Stands in the address of links where the token of an invitation comes.
inline constexpr std::string_view kTokenPlace = "{token}";

struct PublicLinks {
  // What reaches the gateway's HTTP listener from outside, without a slash at the end: links to unsubscribe begin with it.
  std::string public_url;
  // Of invitations, with kTokenPlace behind its '#'.
  std::string link;
};

// Both as they were configured; without `link` it is <public_url>/deelnemen#{token}. INVALID_ARGUMENT/LINK_INVALID when one is no absolute
// address over HTTPS (to this machine itself also over HTTP) or has a user in it; when public_url has a query or fragment; when the token
// is not once in the link's fragment, which alone stays with the browser: no server, proxy or log on the way sees it.
absl::StatusOr<PublicLinks> MakePublicLinks(std::string public_url, std::string link);

}  // namespace peiling::fieldwork

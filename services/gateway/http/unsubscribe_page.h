// What somebody sees who opens the link to unsubscribe in a browser. Opening it changes nothing (RFC 8058, 3.1: scanners of mail follow
// links, too); a page with a button does, by the same POST that mail programs send.
#pragma once

#include <string_view>

#include "services/gateway/http/http_message.h"
#include "services/gateway/http/http_rule.h"

namespace peiling::gateway {

inline constexpr char kHtmlType[] = "text/html";

// Whether this is the route that unsubscribes.
bool IsUnsubscription(const HttpRoute& route);

// Asks whether that is what they want.
HttpResponse UnsubscribePage();
// Says that it was done, or that it was not, with the status of the error.
HttpResponse UnsubscribedPage();
HttpResponse NotUnsubscribedPage(int status);

}  // namespace peiling::gateway

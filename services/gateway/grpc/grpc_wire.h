// How gRPC says things in the headers of HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpcpp/support/status.h"

namespace peiling::gateway {

// In the order in which they came. The values of those that are binary (IsBinary) are as metadata has them, not as HTTP/2 does.
using Headers = std::vector<std::pair<std::string, std::string>>;

// "100m": one to eight digits and a unit (H, M, S, m, u, n); nullopt for anything else.
std::optional<std::chrono::nanoseconds> ParseTimeout(std::string_view text);

// Whether a header's value is base64 of any bytes, by its name.
bool IsBinary(std::string_view name);
// Both ways. Of several values, parted by commas, decoding makes as many entries; nullopt for what is not base64.
std::string EncodeBinary(std::string_view bytes);
std::optional<std::vector<std::string>> DecodeBinary(std::string_view text);

// What ends a call, as HTTP/2 has it: grpc-status, grpc-message (percent-encoded) and grpc-status-details-bin.
Headers TrailersOf(const grpc::Status& status);

}  // namespace peiling::gateway

// Resource names (AIP-122): "surveys/{survey}/waves/{wave}/…".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/status/errors.h"

namespace peiling::names {

// The ids in a name that follows a pattern such as "surveys/*/waves/*/responses/*"; nullopt when it does not. An id is 1 to 100 letters,
// digits,
// '-', '_', '.', '~' and does not begin with '.'.
std::optional<std::vector<std::string>> Match(std::string_view name, std::string_view pattern);

// The same for a request's field; what is wrong is added to `bad` ("\"x\", want surveys/*/waves/*").
std::vector<std::string> Require(std::string_view field, std::string_view name, std::string_view pattern, status::BadRequest& bad);

// Whether a text can be an id in a name.
bool IsId(std::string_view text);

// "surveys/s/waves/w" of any name below a wave; "" when it is not below one.
std::string WaveOf(std::string_view name);
// The last id of a name.
std::string LastId(std::string_view name);

// Whether a text is a day, YYYY-MM-DD, that exists.
bool IsDate(std::string_view text);

}  // namespace peiling::names

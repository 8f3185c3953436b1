// Rulings as researchers keep them: a CSV file.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "peiling/dedup/v1/dedup.pb.h"

namespace peiling::ctl {

// Columns response_id, municipality_code, reason. One code assigns the response, several with spaces between them split it. Names are
// completed with `wave`. NOT_FOUND/FILE_NOT_FOUND, INVALID_ARGUMENT/CSV_MALFORMED or CSV_COLUMNS, INVALID_ARGUMENT/RULINGS_INVALID with
// every wrong row as "file:line".
absl::StatusOr<std::vector<dedup::v1::Ruling>> ReadRulings(const std::string& path, const std::string& wave);

}  // namespace peiling::ctl

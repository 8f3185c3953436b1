// Mail that was delivered into files: a Maildir, an mbox, or files with one mail each.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace peiling::ctl {

// Gives each mail of a Maildir that was not marked as seen, each of an mbox, or the file as one, with where it is: "new/17.M3.host",
// "bounces.mbox:120" (its line), "report.eml". Larger ones than `max_bytes` are cut off there, one byte behind. NOT_FOUND/FILE_NOT_FOUND.
absl::Status ForEachMail(const std::string& path, size_t max_bytes,
                         const std::function<void(const std::string& place, std::string_view mail)>& visit);

// Marks a mail of a Maildir as seen, so that it is not given again; of others there is nothing to mark.
void MarkSeen(const std::string& path, const std::string& place);

}  // namespace peiling::ctl

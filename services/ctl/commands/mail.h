// Sending the mail of a wave: `mail run`.
#pragma once

#include "services/ctl/command_line.h"

namespace peiling::ctl {

void AddMailRun(CommandLine& line, CLI::App& group);

}  // namespace peiling::ctl

// Contacts on the command line: what their commands share.
#pragma once

#include <string>

#include "services/ctl/command_line.h"

namespace peiling::ctl {

// "GM0363/3f2a" as "municipalities/GM0363/contacts/3f2a"; anything else as it is.
std::string ContactName(const std::string& text);

// All there is to know of one.
void ShowContact(Session& session, const fieldwork::v1::Contact& contact);

void AddContactsAdd(CommandLine& line, CLI::App& group);
void AddContactsChange(CommandLine& line, CLI::App& group);

}  // namespace peiling::ctl

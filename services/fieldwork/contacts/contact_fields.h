// What people say of a contact, fields 2 to 13 of the message, whether it comes by a call or from a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peiling/fieldwork/v1/contacts.pb.h"

namespace peiling::fieldwork {

// What is wrong with a field; never tells what stands there.
struct FieldProblem {
  // As in the contract: "full_name".
  std::string field;
  // For programs and their makers.
  std::string english;
  // For officials.
  std::string dutch;
};

// Those fields of a contact alone, without spaces at the ends of texts.
v1::Contact Given(const v1::Contact& contact);

// Everything that is wrong with those fields, in their order. `today`: YYYY-MM-DD; nobody confirmed anything later than that.
std::vector<FieldProblem> Problems(const v1::Contact& contact, const std::string& today);

}  // namespace peiling::fieldwork

// peilingctl: Peiling from the command line.
#include <iostream>

#include "services/ctl/command_line.h"
#include "services/ctl/commands/commands.h"

int main(int argc, char** argv) {
  peiling::ctl::CommandLine line;
  peiling::ctl::AddAllCommands(line);
  return line.Main(argc, argv, std::cout, std::cerr);
}

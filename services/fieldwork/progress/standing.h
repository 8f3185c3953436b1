// Where each municipality of a wave is.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "services/fieldwork/progress/wave_facts.h"

namespace peiling::fieldwork {

// A municipality as it is shown, and what its stage alone does not tell.
struct Standing {
  v1::MunicipalityProgress shown;
  bool reached = false;
  bool opened = false;
  bool started = false;
  bool submitted = false;
  // A reminder reached a contact, or after a hand-over who took over.
  bool reminded = false;
  // Mail for those could not be handed over, and none was.
  bool only_failed = false;
  // It has an invitation, and nobody mail of it can go to.
  bool nobody_to_write_to = false;
  // It was handed over, so that whoever opened the link has none that works any more.
  bool handed_over = false;
  // Contact of the invitation; empty: none.
  std::string contact;
  // When the link was opened, or its response last changed.
  absl::Time last_touched = absl::InfinitePast();
};

// Those of the frame, by code.
std::vector<Standing> StandingOf(const WaveFacts& facts);

}  // namespace peiling::fieldwork

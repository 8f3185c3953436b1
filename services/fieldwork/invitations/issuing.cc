#include "services/fieldwork/invitations/issuing.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/status/errors.h"
#include "services/fieldwork/waves/wave_book.h"

namespace peiling::fieldwork {
namespace {

// Codes an error names, so that it fits in a client's metadata.
constexpr size_t kMostNamed = 100;

absl::Status Refuse(std::string_view reason, const std::string& what, const std::set<std::string>& codes) {
  const auto end = codes.size() > kMostNamed ? std::next(codes.begin(), kMostNamed) : codes.end();
  return status::Error(absl::StatusCode::kFailedPrecondition, reason, absl::StrCat(codes.size(), " ", what),
                       {{"municipalities", absl::StrJoin(codes.begin(), end, ",")}});
}

std::vector<std::string> Sorted(std::vector<std::string> codes) {
  std::sort(codes.begin(), codes.end());
  return codes;
}

// The one invitation a target is already, or stays in; nullptr when it is to be made.
const std::string* Kept(const Target& target, const Standings& standings) {
  const auto in = standings.invited.find(target.id());
  if (in == standings.invited.end()) return nullptr;
  const Standing& there = standings.invitations.at(in->second);
  if (there.municipalities == target.municipalities) return &in->second;
  // A municipality stays in a joint one, unless that was revoked and it is asked for by itself.
  if (target.municipalities.size() == 1 && !(target.named && there.revoked)) return &in->second;
  return nullptr;
}

}  // namespace

absl::StatusOr<std::vector<Target>> Targets(const v1::IssueInvitationsRequest& request, const Frame& frame) {
  std::vector<Target> targets;
  std::set<std::string> mentioned;
  for (const v1::JointInvitation& joint : request.joint()) {
    targets.push_back({.municipalities = Sorted({joint.municipalities().begin(), joint.municipalities().end()}), .named = true});
    mentioned.insert(joint.municipalities().begin(), joint.municipalities().end());
  }
  for (const std::string& code : request.municipalities()) targets.push_back({.municipalities = {code}, .named = true});
  mentioned.insert(request.municipalities().begin(), request.municipalities().end());

  std::set<std::string> unknown;
  for (const std::string& code : mentioned) {
    if (frame.Find(code) == nullptr) unknown.insert(code);
  }
  if (!unknown.empty()) return Refuse("NOT_IN_FRAME", "of these are no municipality on the frame date of the wave", unknown);

  if (request.municipalities().empty() && !request.joint_only()) {
    for (const auto& municipality : frame.municipalities) {
      if (!mentioned.contains(municipality.code())) targets.push_back({.municipalities = {municipality.code()}});
    }
  }
  return targets;
}

absl::StatusOr<Issuing> Compare(const std::vector<Target>& targets, const Standings& standings) {
  Issuing issuing;
  std::set<std::string> keep;
  std::set<std::string> elsewhere;
  for (const Target& target : targets) {
    if (const std::string* kept = Kept(target, standings)) {
      keep.insert(*kept);
      continue;
    }
    for (const std::string& code : target.municipalities) {
      const auto in = standings.invited.find(code);
      if (in != standings.invited.end() && !standings.invitations.at(in->second).revoked) elsewhere.insert(code);
    }
    issuing.make.push_back(target);
  }
  if (!elsewhere.empty()) return Refuse("INVITED_OTHERWISE", "of these are invited in another way already; revoke that first", elsewhere);
  issuing.keep.assign(keep.begin(), keep.end());
  return issuing;
}

}  // namespace peiling::fieldwork

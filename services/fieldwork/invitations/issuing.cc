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

bool IsRevoked(const WaveDocuments& there, const std::string& id) { return there.invitations.at(id).stored.invitation().has_revoked_at(); }

bool IsFor(const InvitationDocument& invitation, const Target& target) {
  const auto& municipalities = invitation.stored.invitation().municipalities();
  return std::equal(municipalities.begin(), municipalities.end(), target.municipalities.begin(), target.municipalities.end());
}

// The one invitation a target is already, or stays in; nullptr when it is to be made.
const std::string* Kept(const Target& target, const WaveDocuments& there) {
  const auto in = there.invited.find(target.first());
  if (in == there.invited.end()) return nullptr;
  const std::string& id = in->second.value;
  const bool stays = target.municipalities.size() == 1 && !(target.named && IsRevoked(there, id));
  return stays || IsFor(there.invitations.at(id), target) ? &id : nullptr;
}

std::string IdOf(const Target& target, const WaveDocuments& there) {
  std::string id = target.first();
  for (int number = 2;; ++number) {
    const auto taken = there.invitations.find(id);
    if (taken == there.invitations.end() || IsFor(taken->second, target)) return id;
    id = absl::StrCat(target.first(), "-", number);
  }
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

absl::StatusOr<Issuing> Compare(const std::vector<Target>& targets, const WaveDocuments& there) {
  Issuing issuing;
  std::set<std::string> keep;
  std::set<std::string> elsewhere;
  for (const Target& target : targets) {
    if (const std::string* kept = Kept(target, there)) {
      keep.insert(*kept);
      continue;
    }
    for (const std::string& code : target.municipalities) {
      const auto in = there.invited.find(code);
      if (in != there.invited.end() && !IsRevoked(there, in->second.value)) elsewhere.insert(code);
    }
    issuing.make.emplace(IdOf(target, there), target);
  }
  if (!elsewhere.empty()) return Refuse("INVITED_OTHERWISE", "of these are invited in another way already; revoke that first", elsewhere);
  issuing.keep.assign(keep.begin(), keep.end());
  return issuing;
}

void Place(const std::map<std::string, Target>& made, const WaveDocuments& there, storage::Batch& batch) {
  std::set<std::string> placed;
  // Those that lose a municipality must be as they were read: revoked.
  std::set<std::string> left;
  for (const auto& [id, target] : made) {
    for (const std::string& code : target.municipalities) {
      const auto in = there.invited.find(code);
      const bool elsewhere = in != there.invited.end();
      if (elsewhere) left.insert(in->second.value);
      placed.insert(code);
      batch.writes.push_back({.key = kInvited + code, .value = id, .expected_version = elsewhere ? in->second.version : 0});
    }
  }
  for (const std::string& id : left) {
    if (!made.contains(id)) batch.expectations.emplace_back(kInvitations + id, there.invitations.at(id).version);
  }
  for (const auto& [code, document] : there.invited) {
    if (!left.contains(document.value) || placed.contains(code)) continue;
    batch.writes.push_back({.key = document.key, .value = std::nullopt, .expected_version = document.version});
  }
}

}  // namespace peiling::fieldwork

#include "services/gateway/identity/access_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "services/common/identity/identity.h"
#include "services/common/log/log.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/common/yaml/reader.h"
#include "services/gateway/identity/fetch.h"

namespace peiling::gateway {
namespace {

using yaml::Need;

constexpr char kInvalid[] = "ACCESS_FILE_INVALID";
constexpr std::streamsize kMostBytes = 1 << 20;
constexpr size_t kMostIssuers = 20;
constexpr std::chrono::seconds kLookEvery(1);

std::string Item(const std::string& list, size_t index) { return absl::StrCat(list, "[", index, "]"); }

access::v1::Grant ReadGrant(const yaml::TreeNode& node, const std::string& path, yaml::Document& document) {
  yaml::Map map(node, path, document);
  access::v1::Grant grant;
  grant.set_role(identity::RoleNamed(map.Text("role", Need::kRequired)).value_or(access::v1::ROLE_UNSPECIFIED));
  for (const yaml::TreeNode* resource : map.Texts("resources")) {
    document.Remember(Item(path + ".resources", grant.resources_size()), resource->place);
    grant.add_resources(resource->text);
  }
  map.Finish();
  return grant;
}

// What identity::CheckGrants says, at the line it is about; where reading found a mistake already, no second.
void CheckGrants(const Grants& grants, const std::string& field, yaml::Document& document) {
  status::BadRequest bad;
  identity::CheckGrants(grants, field, bad);
  for (const auto& [where, what] : status::FieldViolations(bad.ToStatus())) {
    const yaml::Place place = document.PlaceOf(where);
    if (!document.FailedAt(place)) document.Fail(place, what);
  }
}

std::string RequiredText(yaml::Map& map, std::string_view key) {
  std::string text = map.Text(key, Need::kRequired);
  const yaml::TreeNode* node = map.Find(key);
  if (text.empty() && node != nullptr && node->kind == yaml::TreeNode::Kind::kScalar) map.document().Fail(node->place, "want a text");
  return text;
}

void ReadIssuerName(yaml::Map& map, IssuerRules& rules, std::set<std::string>& names) {
  rules.name = map.Id("name");
  if (rules.name.empty()) rules.name = HostOf(rules.issuer);
  if (!rules.name.empty() && !names.insert(rules.name).second) {
    map.document().Fail(map.node().place, "another issuer is called \"", rules.name, "\", too: give this one a name");
  }
}

// An address that must be there and that FetchProblem has nothing to say about.
std::string ReadAddress(yaml::Map& map, std::string_view key, bool file_too) {
  std::string address = RequiredText(map, key);
  if (address.empty()) return address;
  std::string problem = FetchProblem(address);
  if (problem.empty() && !file_too && HostOf(address).empty()) problem = "want https://…";
  if (!problem.empty()) map.document().Fail(map.Find(key)->place, "\"", address, "\": ", problem);
  return address;
}

IssuerRules ReadIssuer(const yaml::TreeNode& node, const std::string& path, yaml::Document& document, std::set<std::string>& issuers,
                       std::set<std::string>& names) {
  yaml::Map map(node, path, document);
  IssuerRules rules;
  rules.issuer = ReadAddress(map, "issuer", false);
  if (!rules.issuer.empty() && !issuers.insert(rules.issuer).second) {
    document.Fail(node.place, "\"", rules.issuer, "\" is there already");
  }
  rules.audience = RequiredText(map, "audience");
  rules.jwks = ReadAddress(map, "jwks", true);
  ReadIssuerName(map, rules, names);
  if (std::string claim = map.Text("roles-claim"); !claim.empty()) rules.roles_claim = std::move(claim);
  for (const auto& [value, grant] : map.Entries("grants")) {
    const std::string field = absl::StrCat(path, ".grants.", value->text);
    Grants grants;
    *grants.Add() = ReadGrant(*grant, Item(field, 0), document);
    CheckGrants(grants, field, document);
    rules.grants[value->text] = grants[0];
  }
  map.Finish();
  return rules;
}

CertificateRules ReadCertificate(const yaml::TreeNode& node, const std::string& path, yaml::Document& document,
                                 std::set<std::string>& names) {
  yaml::Map map(node, path, document);
  CertificateRules rules;
  rules.name = RequiredText(map, "name");
  if (!rules.name.empty() && !names.insert(rules.name).second) document.Fail(node.place, "\"", rules.name, "\" is there already");
  rules.title = map.Text("title");
  for (const auto& grant : map.List("grants", Need::kRequired)) {
    *rules.grants.Add() = ReadGrant(*grant, Item(path + ".grants", rules.grants.size()), document);
  }
  CheckGrants(rules.grants, path + ".grants", document);
  map.Finish();
  return rules;
}

AccessRules ReadRules(const yaml::TreeNode& root, yaml::Document& document) {
  yaml::Map map(root, "", document);
  AccessRules rules;
  std::set<std::string> issuers, issuer_names, certificate_names;
  for (const auto& issuer : map.List("issuers")) {
    rules.issuers.push_back(ReadIssuer(*issuer, Item("issuers", rules.issuers.size()), document, issuers, issuer_names));
  }
  if (rules.issuers.size() > kMostIssuers) document.Fail(map.Find("issuers")->place, "more than ", kMostIssuers);
  for (const auto& certificate : map.List("certificates")) {
    const std::string path = Item("certificates", rules.certificates.size());
    rules.certificates.push_back(ReadCertificate(*certificate, path, document, certificate_names));
  }
  for (const yaml::TreeNode* proxy : map.Texts("proxies")) {
    // What is believed about others cannot be a client itself: its own calls and those of clients without a certificate look the same.
    if (certificate_names.contains(proxy->text)) document.Fail(proxy->place, "\"", proxy->text, "\" is among the certificates, too");
    rules.proxies.insert(proxy->text);
  }
  map.Finish();
  return rules;
}

absl::StatusOr<std::string> Read(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(kMostBytes, '\0');
  if (in) in.read(text.data(), kMostBytes);
  if (!in.eof()) {
    return status::Error(absl::StatusCode::kFailedPrecondition, "ACCESS_FILE_UNREADABLE",
                         absl::StrCat("cannot read ", path, ": ", in ? "is too large" : std::strerror(errno)));
  }
  text.resize(in.gcount());
  return text;
}

}  // namespace

absl::StatusOr<AccessRules> ParseAccessRules(std::string_view filename, std::string_view text) {
  status::BadRequest bad;
  yaml::Document document(filename, bad);
  AccessRules rules;
  auto parsed = yaml::Parse(text);
  if (const auto* problem = std::get_if<yaml::Problem>(&parsed)) {
    document.Fail(problem->place, problem->message);
  } else {
    rules = ReadRules(*std::get<yaml::NodePtr>(parsed), document);
  }
  if (!bad.empty()) return bad.ToStatus(kInvalid);
  return rules;
}

absl::StatusOr<std::unique_ptr<AccessFile>> AccessFile::Open(const std::string& path) {
  auto text = Read(path);
  if (!text.ok()) return text.status();
  auto rules = ParseAccessRules(path, *text);
  if (!rules.ok()) return rules.status();
  return std::unique_ptr<AccessFile>(new AccessFile(path, *std::move(text), *std::move(rules)));
}

AccessFile::AccessFile(const std::string& path, std::string text, AccessRules rules)
    : path_(path), rules_(std::move(rules)), seen_(std::move(text)) {}

AccessFile::~AccessFile() { Stop(); }

void AccessFile::Start(std::function<void(AccessRules)> changed) {
  thread_ = std::thread([this, changed = std::move(changed)] { Run(changed); });
}

void AccessFile::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AccessFile::Run(const std::function<void(AccessRules)>& changed) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kLookEvery, [this] { return stopping_; })) {
    lock.unlock();
    Look(changed);
    lock.lock();
  }
}

void AccessFile::Look(const std::function<void(AccessRules)>& changed) {
  const auto text = Read(path_);
  std::string seen = text.ok() ? *text : text.status().ToString();
  if (seen == seen_) return;
  seen_ = std::move(seen);
  auto rules = text.ok() ? ParseAccessRules(path_, *text) : text.status();
  if (!rules.ok()) {
    log::Error("access file is wrong; what it said before holds on", {{"file", path_}, {"error", rules.status().ToString()}});
    return;
  }
  log::Info("access file read again", {{"file", path_}});
  changed(*std::move(rules));
}

}  // namespace peiling::gateway

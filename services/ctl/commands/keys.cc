// keys create | list | show | revoke: what opens the gateway.
#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/time_util.h"
#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"
#include "services/ctl/client/files.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/commands/grants.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using access::v1::Key;
using google::protobuf::util::TimeUtil;

constexpr mode_t kOwnerAlone = 0600;

std::string NameOf(const std::string& key) { return absl::StartsWith(key, "keys/") ? key : "keys/" + key; }

bool HasExpired(const Key& key) { return key.has_expires_at() && key.expires_at() <= TimeUtil::GetCurrentTime(); }

Cell StateOf(const Key& key) {
  if (key.has_revoked_at()) return {"revoked", Style::kFaint};
  if (HasExpired(key)) return {"expired", Style::kFaint};
  return {"live", Style::kGood};
}

Table KeysTable() {
  return Table({{"KEY"}, {"TITLE", Align::kLeft, true}, {"ROLES", Align::kLeft, true, true}, {"CREATED"}, {"EXPIRES"}, {"STATE"}});
}

void AddKey(const Key& key, Table& table) {
  table.Add(
      {names::LastId(key.name()), key.title(), GrantsText(key.grants()), Moment(key.created_at()), Moment(key.expires_at()), StateOf(key)});
}

void ShowKey(Session& session, const Key& key) {
  Table table = KeysTable();
  AddKey(key, table);
  session.output().Show(key, table, {key.name()});
}

struct CreateOptions {
  std::string title;
  std::vector<std::string> roles;
  std::string expires;
  std::string secret_file;
};

absl::StatusOr<access::v1::CreateKeyRequest> RequestOf(const CreateOptions& options) {
  access::v1::CreateKeyRequest request;
  request.set_request_id(RandomRequestId());
  request.mutable_key()->set_title(options.title);
  for (const std::string& role : options.roles) {
    auto grant = ParseGrant(role);
    if (!grant.ok()) return grant.status();
    *request.mutable_key()->add_grants() = *std::move(grant);
  }
  if (options.expires.empty()) return request;
  auto expires = ParseMoment(options.expires, Direction::kAhead);
  if (!expires.ok()) return expires.status();
  *request.mutable_key()->mutable_expires_at() = *std::move(expires);
  return request;
}

// The secret alone for people, so that a script can take it; with all that is known of the key for programs.
void ShowSecret(Session& session, const access::v1::CreateKeyResponse& response) {
  Table table({{"KEY"}, {"TITLE"}, {"SECRET"}});
  table.Add({names::LastId(response.key().name()), response.key().title(), response.secret()});
  session.output().Show(response, response.secret() + "\n", table);
  session.output().Warn(
      absl::StrCat("this is the secret of ", response.key().name(), " and cannot be shown again; whoever has it is let in"));
}

absl::StatusOr<std::unique_ptr<WholeFile>> CreateSecretFile(const std::string& path) {
  // Another key's secret, perhaps, which cannot be had again either.
  if (std::filesystem::exists(path)) {
    return status::Error(absl::StatusCode::kAlreadyExists, "FILE_EXISTS", absl::StrCat(path, " is there already"), {{"path", path}});
  }
  return WholeFile::Create(path, kOwnerAlone);
}

absl::StatusOr<ExitCode> Create(Session& session, const CreateOptions& options) {
  if (options.secret_file.empty() && session.output().format() == Format::kName) {
    return UsageError("-o name: the secret would be lost; give it a --secret-file");
  }
  const auto request = RequestOf(options);
  if (!request.ok()) return request.status();
  // Before there is a secret that could be lost.
  std::unique_ptr<WholeFile> file;
  if (!options.secret_file.empty()) {
    auto created = CreateSecretFile(options.secret_file);
    if (!created.ok()) return created.status();
    file = *std::move(created);
  }
  const auto response = session.connection().Call(&Access::CreateKey, *request);
  if (!response.ok()) return response.status();
  if (file == nullptr) {
    ShowSecret(session, *response);
    return ExitCode::kOk;
  }
  file->out() << response->secret() << "\n";
  if (absl::Status kept = file->Keep(); !kept.ok()) {
    session.output().Warn(absl::StrCat("the secret of ", response->key().name(), " is lost: revoke the key and make another"));
    return kept;
  }
  ShowKey(session, response->key());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> List(Session& session, bool live) {
  auto response = session.connection().CallAll(&Access::ListKeys, access::v1::ListKeysRequest());
  if (!response.ok()) return response.status();
  if (live) {
    auto& keys = *response->mutable_keys();
    keys.erase(std::remove_if(keys.begin(), keys.end(), [](const Key& key) { return key.has_revoked_at() || HasExpired(key); }),
               keys.end());
  }
  Table table = KeysTable();
  std::vector<std::string> names;
  for (const Key& key : response->keys()) {
    AddKey(key, table);
    names.push_back(key.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Show(Session& session, const std::string& key_id) {
  access::v1::GetKeyRequest request;
  request.set_name(NameOf(key_id));
  const auto response = session.connection().Call(&Access::GetKey, request);
  if (!response.ok()) return response.status();
  const Key& key = response->key();
  Table table({{"FACT"}, {"VALUE", Align::kLeft, true, true}});
  const auto add = [&table](const std::string& fact, Cell value) {
    if (!value.text.empty()) table.Add({fact, std::move(value)});
  };
  add("key", key.name());
  add("title", key.title());
  add("state", StateOf(key));
  add("roles", GrantsText(key.grants()));
  add("created", Moment(key.created_at()));
  add("created by", key.created_by());
  add("expires", Moment(key.expires_at()));
  add("revoked", Moment(key.revoked_at()));
  add("revoked by", key.revoked_by());
  session.output().Show(key, table, {key.name()});
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Revoke(Session& session, const std::string& key) {
  access::v1::RevokeKeyRequest request;
  request.set_name(NameOf(key));
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Access::RevokeKey, request);
  if (!response.ok()) return response.status();
  ShowKey(session, response->key());
  return ExitCode::kOk;
}

void CompleteKeys(CommandLine& line, CLI::Option* option) {
  line.Complete(option, [](Session& session) {
    std::vector<std::string> ids;
    const auto keys = session.connection().Call(&Access::ListKeys, access::v1::ListKeysRequest());
    if (!keys.ok()) return ids;
    for (const Key& key : keys->keys()) ids.push_back(absl::StrCat(names::LastId(key.name()), "\t", key.title()));
    return ids;
  });
}

void AddKeysCreate(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "create",
       .description = "Make a key and show its secret, this once",
       .examples = "  peilingctl keys create \"dashboard of VNG\" --role analyst --expires 365d\n"
                   "  peilingctl keys create SPSS --role researcher:surveys/a,surveys/b/waves/2024 --secret-file spss.key\n"
                   "  PEILING_API_KEY=$(peilingctl keys create \"nightly report\" --role analyst --role researcher:surveys/a)\n",
       .names = true},
      [options](Session& session) { return Create(session, *options); });
  command.add_option("TITLE", options->title, "What uses it; no personal data")->required();
  line.CompleteWith(
      command
          .add_option("--role", options->roles,
                      "What it may do, ROLE or ROLE:SURVEY,WAVE,… with what it is limited to; may be given more than once. Roles: " +
                          absl::StrJoin(Words<access::v1::Role>(), ", "))
          ->required()
          ->allow_extra_args(false),
      Words<access::v1::Role>());
  command.add_option("--expires", options->expires, "When it ends: 90d, or a day such as 2027-01-01; by default never");
  line.CompleteFiles(command.add_option("--secret-file", options->secret_file,
                                        "Write the secret to this new file, for its owner's eyes alone, instead of showing it"));
}

}  // namespace

void AddKeys(CommandLine& line) {
  CLI::App& group = line.AddGroup("keys", "API keys: what programs show to be let in");
  AddKeysCreate(line, group);

  auto live = std::make_shared<bool>(false);
  line.AddCommand(group,
                  {.name = "list",
                   .description = "List keys in the order they were made",
                   .examples = "  peilingctl keys list\n  peilingctl keys list --live\n",
                   .names = true},
                  [live](Session& session) { return List(session, *live); })
      .add_flag("--live", *live, "Only those that are neither revoked nor expired");

  auto shown = std::make_shared<std::string>();
  CLI::App& show = line.AddCommand(group,
                                   {.name = "show",
                                    .description = "Show a key: what it may do, who made it, whether it still opens",
                                    .examples = "  peilingctl keys show 5f2c9e01d4a7b386\n",
                                    .names = true},
                                   [shown](Session& session) { return Show(session, *shown); });
  CompleteKeys(line, show.add_option("KEY", *shown, "Id of the key")->required());

  auto revoked = std::make_shared<std::string>();
  CLI::App& revoke = line.AddCommand(group,
                                     {.name = "revoke",
                                      .description = "End a key, for good; it stays in the list",
                                      .examples = "  peilingctl keys revoke 5f2c9e01d4a7b386\n",
                                      .names = true},
                                     [revoked](Session& session) { return Revoke(session, *revoked); });
  CompleteKeys(line, revoke.add_option("KEY", *revoked, "Id of the key")->required());
}

}  // namespace peiling::ctl

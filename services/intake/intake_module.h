// Intake, put together.
#pragma once

#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "services/common/server/module.h"
#include "services/common/vault/vault.h"

namespace peiling::intake {

struct Options {
  // Where surveys and responses are kept (storage::OpenStore).
  std::string store = "sqlite:intake.db";
  // Keys personal answers are sealed with.
  vault::Options vault;
  // How often, in seconds, what was saved of drafts is brought to the submission feed; 0: with every save.
  int draft_feed_interval = 10;
};

void AddFlags(CLI::App& app, Options& options);
// Of those the ones that say what drafts do.
void AddDraftFlags(CLI::App& app, Options& options);

// `validation`: channel to validation. Errors of opening the store and the vault; FAILED_PRECONDITION/TIME_ZONE_MISSING.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(const Options& options, std::shared_ptr<grpc::Channel> validation);

}  // namespace peiling::intake

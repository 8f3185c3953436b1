// Fieldwork, put together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "services/common/identity/gateways.h"
#include "services/common/server/module.h"
#include "services/common/vault/vault.h"

namespace peiling::fieldwork {

struct Options {
  // Where contacts, invitations, mail and webhooks are kept (storage::OpenStore).
  std::string store = "sqlite:fieldwork.db";
  // Keys of the personal data in it, and of links.
  vault::Options vault;
  // What reaches the gateway's HTTP listener from outside, "https://peiling.example.nl": links to unsubscribe begin with it
  // (public_links.h).
  std::string public_url = "http://localhost:7380";
  // Address of an invitation's link with "{token}" in it; empty: <public_url>/deelnemen#{token}.
  std::string link;
  // How long after its lease a message that was begun waits for an event of its mailing system (OutboxOptions).
  absl::Duration mail_settle_time = absl::Minutes(15);
  // Whether it is kept that mail was opened.
  bool keep_opens = false;
  // CloudEvents' source of webhooks.
  std::string webhook_source = "urn:nld:oin:00000000000000000000:systeem:peiling";
  // Networks webhooks may lead to although they are not public (AllowedNetworks).
  std::vector<std::string> webhook_allow;
  // Authorities receivers of webhooks are believed of, a PEM file; empty: the system's.
  std::string webhook_ca;
  // Who may have links verified. Not a flag of its own: set from --gateway-names.
  identity::GatewayNames gateway_names;
};

// Channels to the services it asks.
struct Peers {
  std::shared_ptr<grpc::Channel> intake;
  std::shared_ptr<grpc::Channel> dedup;
  std::shared_ptr<grpc::Channel> analytics;
  std::shared_ptr<grpc::Channel> registry;
};

// Adds the flags above, with environment variables PEILING_….
void AddFlags(CLI::App& app, Options& options);
// Those of them that are not about where data are kept and what seals them: also whoever runs it with others in one process is told.
void AddBehaviourFlags(CLI::App& app, Options& options);

// Ready while the store is well, once intake's waves are known: from then on links work. Mail and progress are once what intake and dedup
// have of all waves is taken in, too, and go on from what they have after that. Errors of opening the store and the vault;
// FAILED_PRECONDITION/TIME_ZONE_MISSING; INVALID_ARGUMENT/LINK_INVALID when an address of links is none, and for a network that is none.
absl::StatusOr<std::unique_ptr<server::Module>> MakeModule(Options options, const Peers& peers);

}  // namespace peiling::fieldwork

// webhooks create | list | delete | rotate | deliveries | redeliver: other systems that are told what happens.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/common/names/resource_names.h"
#include "services/ctl/client/request_id.h"
#include "services/ctl/commands/commands.h"
#include "services/ctl/output/words.h"

namespace peiling::ctl {
namespace {

using fieldwork::v1::Webhook;

std::string NameOf(const std::string& text) { return absl::StartsWith(text, "webhooks/") ? text : "webhooks/" + text; }

std::string Types(const Webhook& webhook) {
  return absl::StrJoin(webhook.event_types(), " ",
                       [](std::string* out, int type) { absl::StrAppend(out, Word(static_cast<fieldwork::v1::WebhookEventType>(type))); });
}

Table WebhooksTable() {
  return Table({{"WEBHOOK"},
                {"TITLE", Align::kLeft, true},
                {"URL", Align::kLeft, true},
                {"EVENTS", Align::kLeft, true, true},
                {"RESOURCE"},
                {"WAITING", Align::kRight},
                {"DEAD", Align::kRight},
                {"LAST DELIVERED"}});
}

void AddWebhook(const Webhook& webhook, Table& table) {
  table.Add({names::LastId(webhook.name()), webhook.title(), webhook.url(), Types(webhook), webhook.resource(), webhook.waiting(),
             Cell(absl::StrCat(webhook.dead()), webhook.dead() > 0 ? Style::kBad : Style::kPlain), Moment(webhook.last_delivered_at())});
}

// The secret alone for people, so that a script can take it.
template <class Response>
void ShowSecret(Session& session, const Response& response) {
  Table table({{"WEBHOOK"}, {"SECRET"}});
  table.Add({names::LastId(response.webhook().name()), response.secret()});
  session.output().Show(response, response.secret() + "\n", table, {response.webhook().name()});
  session.output().Warn(absl::StrCat("this is the secret of ", response.webhook().name(), " and cannot be shown again"));
}

struct CreateOptions {
  std::string title, url, resource;
  std::vector<std::string> events;
};

absl::StatusOr<ExitCode> Create(Session& session, const CreateOptions& options) {
  fieldwork::v1::CreateWebhookRequest request;
  request.set_request_id(RandomRequestId());
  Webhook& webhook = *request.mutable_webhook();
  webhook.set_title(options.title);
  webhook.set_url(options.url);
  webhook.set_resource(options.resource);
  for (const std::string& event : options.events) {
    const auto type = ParseWord<fieldwork::v1::WebhookEventType>(event);
    if (!type.ok()) return type.status();
    webhook.add_event_types(*type);
  }
  const auto response = session.connection().Call(&Webhooks::CreateWebhook, request);
  if (!response.ok()) return response.status();
  ShowSecret(session, *response);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> List(Session& session) {
  const auto response = session.connection().CallAll(&Webhooks::ListWebhooks, fieldwork::v1::ListWebhooksRequest());
  if (!response.ok()) return response.status();
  Table table = WebhooksTable();
  std::vector<std::string> names;
  for (const Webhook& webhook : response->webhooks()) {
    AddWebhook(webhook, table);
    names.push_back(webhook.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Delete(Session& session, const std::string& id) {
  fieldwork::v1::DeleteWebhookRequest request;
  request.set_name(NameOf(id));
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Webhooks::DeleteWebhook, request);
  if (!response.ok()) return response.status();
  session.output().Note(absl::StrCat(request.name(), " is told nothing any more"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Rotate(Session& session, const std::string& id) {
  fieldwork::v1::RotateWebhookSecretRequest request;
  request.set_name(NameOf(id));
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Webhooks::RotateWebhookSecret, request);
  if (!response.ok()) return response.status();
  ShowSecret(session, *response);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Deliveries(Session& session, const std::string& id, const std::string& state) {
  const auto wanted = ParseWord<fieldwork::v1::DeliveryState>(state);
  if (!wanted.ok()) return wanted.status();
  fieldwork::v1::ListWebhookDeliveriesRequest request;
  request.set_parent(NameOf(id));
  request.set_state(*wanted);
  const auto response = session.connection().CallAll(&Webhooks::ListWebhookDeliveries, request);
  if (!response.ok()) return response.status();
  Table table(
      {{"DELIVERY"}, {"EVENT"}, {"STATE"}, {"ATTEMPTS", Align::kRight}, {"HAPPENED"}, {"NEXT"}, {"ERROR", Align::kLeft, true, true}});
  std::vector<std::string> names;
  for (const auto& delivery : response->deliveries()) {
    table.Add({names::LastId(delivery.name()), Word(delivery.event_type()), Word(delivery.state()), int64_t{delivery.attempts()},
               Moment(delivery.created_at()), MomentToTheSecond(delivery.next_attempt_at()), delivery.last_error()});
    names.push_back(delivery.name());
  }
  session.output().Show(*response, table, names);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Redeliver(Session& session, const std::string& id, const std::vector<std::string>& deliveries) {
  fieldwork::v1::RedeliverWebhookRequest request;
  request.set_name(NameOf(id));
  for (const std::string& delivery : deliveries) {
    request.add_deliveries(absl::StartsWith(delivery, "webhooks/") ? delivery : absl::StrCat(request.name(), "/deliveries/", delivery));
  }
  request.set_request_id(RandomRequestId());
  const auto response = session.connection().Call(&Webhooks::RedeliverWebhook, request);
  if (!response.ok()) return response.status();
  Table table({{"TRIED AGAIN", Align::kRight}});
  table.Add({response->redelivered()});
  session.output().Show(*response, table);
  return ExitCode::kOk;
}

void CompleteWebhooks(CommandLine& line, CLI::Option* option) {
  line.Complete(option, [](Session& session) {
    std::vector<std::string> ids;
    const auto webhooks = session.connection().Call(&Webhooks::ListWebhooks, fieldwork::v1::ListWebhooksRequest());
    if (!webhooks.ok()) return ids;
    for (const Webhook& webhook : webhooks->webhooks()) ids.push_back(absl::StrCat(names::LastId(webhook.name()), "\t", webhook.title()));
    return ids;
  });
}

void AddWebhooksCreate(CommandLine& line, CLI::App& group) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App& command = line.AddCommand(
      group,
      {.name = "create",
       .description = "Tell a system over HTTPS what happens, and show the secret it checks that with, this once",
       .examples = "  peilingctl webhooks create \"VNG dashboard\" https://vng.nl/peiling --event response-submitted --event wave-closed\n",
       .names = true},
      [options](Session& session) { return Create(session, *options); });
  command.add_option("TITLE", options->title, "Whose it is; no personal data")->required();
  command.add_option("URL", options->url, "Where events are sent; https")->required();
  const auto events = Words<fieldwork::v1::WebhookEventType>();
  line.CompleteWith(command.add_option("--event", options->events, "What of, may be given more than once: " + absl::StrJoin(events, ", "))
                        ->required()
                        ->allow_extra_args(false),
                    events);
  command.add_option("--resource", options->resource, "Only of this survey or wave: surveys/…");
}

}  // namespace

void AddWebhooks(CommandLine& line) {
  CLI::App& group = line.AddGroup("webhooks", "Other systems that are told what happens");
  AddWebhooksCreate(line, group);
  line.AddCommand(group,
                  {.name = "list",
                   .description = "List webhooks, with what waits for them and what was given up",
                   .examples = "  peilingctl webhooks list\n",
                   .names = true},
                  List);

  const auto with_id = [&](const CommandSpec& spec, absl::StatusOr<ExitCode> (*run)(Session&, const std::string&)) {
    auto id = std::make_shared<std::string>();
    CLI::App& command = line.AddCommand(group, spec, [=](Session& session) { return run(session, *id); });
    CompleteWebhooks(line, command.add_option("WEBHOOK", *id, "Id of the webhook")->required());
  };
  with_id({.name = "delete",
           .description = "End a webhook; what waits for it is not sent",
           .examples = "  peilingctl webhooks delete 018c-5f2c\n"},
          Delete);
  with_id({.name = "rotate",
           .description = "Make a new secret and show it; for a day both sign",
           .examples = "  peilingctl webhooks rotate 018c-5f2c\n",
           .names = true},
          Rotate);

  auto listed = std::make_shared<std::string>();
  auto state = std::make_shared<std::string>();
  CLI::App& deliveries = line.AddCommand(group,
                                         {.name = "deliveries",
                                          .description = "What waits for a webhook, and what was given up",
                                          .examples = "  peilingctl webhooks deliveries 018c-5f2c --state dead\n",
                                          .names = true},
                                         [=](Session& session) { return Deliveries(session, *listed, *state); });
  CompleteWebhooks(line, deliveries.add_option("WEBHOOK", *listed, "Id of the webhook")->required());
  const auto states = Words<fieldwork::v1::DeliveryState>();
  line.CompleteWith(deliveries.add_option("--state", *state, "Only these: " + absl::StrJoin(states, ", ")), states);

  auto webhook = std::make_shared<std::string>();
  auto chosen = std::make_shared<std::vector<std::string>>();
  CLI::App& redeliver = line.AddCommand(group,
                                        {.name = "redeliver",
                                         .description = "Try again what was given up: some, or all",
                                         .examples = "  peilingctl webhooks redeliver 018c-5f2c\n"},
                                        [=](Session& session) { return Redeliver(session, *webhook, *chosen); });
  CompleteWebhooks(line, redeliver.add_option("WEBHOOK", *webhook, "Id of the webhook")->required());
  redeliver.add_option("DELIVERY", *chosen, "Ids of deliveries; none: all that were given up");
}

}  // namespace peiling::ctl

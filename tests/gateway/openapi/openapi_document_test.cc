// The document that is built in, set beside the contracts.
#include "services/gateway/openapi/openapi_document.h"

#include <fstream>
#include <iterator>
#include <set>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"
#include "peiling/access/v1/access.pb.h"
#include "peiling/analytics/v1/analytics.pb.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "peiling/fieldwork/v1/contacts.pb.h"
#include "peiling/fieldwork/v1/invitations.pb.h"
#include "peiling/fieldwork/v1/mail.pb.h"
#include "peiling/fieldwork/v1/progress.pb.h"
#include "peiling/fieldwork/v1/webhooks.pb.h"
#include "peiling/intake/v1/drafts.pb.h"
#include "peiling/intake/v1/intake.pb.h"
#include "peiling/registry/v1/registry.pb.h"
#include "peiling/validation/v1/validation.pb.h"
#include "rapidjson/document.h"
#include "services/gateway/http/api_version.h"
#include "services/gateway/openapi/path_writer.h"

namespace peiling::gateway {
namespace {

namespace pb = google::protobuf;

const std::vector<const pb::FileDescriptor*> kFiles = {
    access::v1::Key::descriptor()->file(),
    registry::v1::Municipality::descriptor()->file(),
    validation::v1::Issue::descriptor()->file(),
    intake::v1::Wave::descriptor()->file(),
    dedup::v1::Record::descriptor()->file(),
    analytics::v1::Table::descriptor()->file(),
    fieldwork::v1::Contact::descriptor()->file(),
    fieldwork::v1::Invitation::descriptor()->file(),
    fieldwork::v1::MailContent::descriptor()->file(),
    fieldwork::v1::Call::descriptor()->file(),
    fieldwork::v1::Webhook::descriptor()->file(),
    intake::v1::Draft::descriptor()->file(),
};

rapidjson::Document Parsed() {
  rapidjson::Document document;
  document.Parse(OpenApiDocument().data(), OpenApiDocument().size());
  return document;
}

// "getWave" …, of methods that callers from outside may call.
std::set<std::string> WantedOperations() {
  std::set<std::string> wanted = {"getOpenApi"};
  std::vector<const pb::ServiceDescriptor*> services;
  for (const pb::FileDescriptor* file : kFiles) {
    for (int i = 0; i < file->service_count(); ++i) services.push_back(file->service(i));
  }
  for (const pb::ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& options = service->method(i)->options();
      if (!options.HasExtension(access::v1::access)) continue;
      // Without it, nobody could call it over HTTP.
      EXPECT_TRUE(options.HasExtension(google::api::http)) << service->method(i)->full_name();
    }
  }
  const auto rules = HttpRules::Of(services);
  EXPECT_TRUE(rules.ok()) << rules.status();
  for (const auto& route : rules->routes()) {
    if (route->method->options().HasExtension(access::v1::access)) wanted.insert(OperationId(*route));
  }
  return wanted;
}

TEST(OpenApiDocument, HasEveryOperationOfTheContractsOnceAndNoOther) {
  const rapidjson::Document document = Parsed();
  ASSERT_TRUE(document.IsObject());
  std::multiset<std::string> operations;
  for (const auto& path : document["paths"].GetObject()) {
    for (const auto& operation : path.value.GetObject()) operations.insert(operation.value["operationId"].GetString());
  }
  const auto wanted = WantedOperations();
  EXPECT_GT(wanted.size(), 40);
  EXPECT_EQ(operations, std::multiset<std::string>(wanted.begin(), wanted.end()));
}

TEST(OpenApiDocument, OnlyUnsubscribingTakesNoCredentialsAndForms) {
  const rapidjson::Document document = Parsed();
  std::set<std::string> open, forms;
  for (const auto& path : document["paths"].GetObject()) {
    for (const auto& member : path.value.GetObject()) {
      const auto& operation = member.value;
      const std::string id = operation["operationId"].GetString();
      if (operation.HasMember("security")) {
        EXPECT_TRUE(operation["security"].Empty()) << id;
        open.insert(id);
      }
      if (!operation.HasMember("requestBody")) continue;
      const auto& content = operation["requestBody"]["content"];
      EXPECT_EQ(content.HasMember("application/x-www-form-urlencoded"), content.HasMember("multipart/form-data")) << id;
      if (content.HasMember("multipart/form-data")) forms.insert(id);
    }
  }
  EXPECT_EQ(open, (std::set<std::string>{"getOpenApi", "unsubscribe"}));
  EXPECT_EQ(forms, (std::set<std::string>{"unsubscribe"}));
}

TEST(OpenApiDocument, HasTheVersionOfTheInterface) { EXPECT_EQ(std::string(Parsed()["info"]["version"].GetString()), kApiVersion); }

TEST(OpenApiDocument, IsOfAVersionThatTheChangelogHas) {
  std::ifstream file(CHANGELOG);
  const std::string changelog{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(changelog, testing::HasSubstr("\n## " + std::string(kApiVersion) + "\n"));
}

TEST(OpenApiDocument, DescribesEveryFieldOfEverySchema) {
  const rapidjson::Document document = Parsed();
  for (const auto& schema : document["components"]["schemas"].GetObject()) {
    const std::string name = schema.name.GetString();
    EXPECT_NE(schema.value["description"].GetStringLength(), 0) << name;
    if (!schema.value.HasMember("properties")) continue;
    for (const auto& property : schema.value["properties"].GetObject()) {
      ASSERT_TRUE(property.value.HasMember("description")) << name << "." << property.name.GetString();
      EXPECT_NE(property.value["description"].GetStringLength(), 0) << name << "." << property.name.GetString();
    }
  }
}

}  // namespace
}  // namespace peiling::gateway

// Writes the OpenAPI document while Peiling is built: openapi_generator DESCRIPTORS INTRODUCTION DOCUMENT SOURCE
// DESCRIPTORS is what Contracts::Read reads, INTRODUCTION Markdown; DOCUMENT gets the document, SOURCE what openapi_document.h declares.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "services/gateway/openapi/contracts.h"
#include "services/gateway/openapi/document_writer.h"

namespace {

int Fail(const std::string& problem) {
  std::cerr << "openapi_generator: " << problem << "\n";
  return 1;
}

bool Write(const char* path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good();
}

std::string SourceOf(const std::string& document) {
  return R"(#include "services/gateway/openapi/openapi_document.h"

namespace peiling::gateway {

std::string_view OpenApiDocument() {
  static constexpr char kDocument[] = R"openapi()" +
         document + R"()openapi";
  return {kDocument, sizeof kDocument - 1};
}

}  // namespace peiling::gateway
)";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return Fail("want DESCRIPTORS INTRODUCTION DOCUMENT SOURCE");
  const auto contracts = peiling::gateway::Contracts::Read(argv[1]);
  if (!contracts.ok()) return Fail(std::string(contracts.status().message()));
  std::ifstream introduction(argv[2]);
  const std::string text{std::istreambuf_iterator<char>(introduction), {}};
  if (text.empty()) return Fail(std::string(argv[2]) + " is empty");
  const auto document = peiling::gateway::OpenApiDocumentOf(contracts->services(), text);
  if (!document.ok()) return Fail(std::string(document.status().message()));
  for (const auto& [path, content] : {std::pair{argv[3], *document}, std::pair{argv[4], SourceOf(*document)}}) {
    if (!Write(path, content)) return Fail(std::string(path) + " cannot be written");
  }
  return 0;
}

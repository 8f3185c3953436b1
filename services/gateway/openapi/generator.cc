// Writes the OpenAPI document when Peiling is built: openapi_generator DESCRIPTORS INTRODUCTION DOCUMENT SOURCE
// DESCRIPTORS is a FileDescriptorSet with source info and imports; SOURCE is what openapi_document.h declares.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "services/gateway/openapi/document_writer.h"

namespace {

namespace pb = google::protobuf;

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
  return "#include \"services/gateway/openapi/openapi_document.h\"\n\nnamespace peiling::gateway {\n\nstd::string_view OpenApiDocument() "
         "{\n"
         "  static constexpr char kDocument[] = R\"openapi(" +
         document + ")openapi\";\n  return {kDocument, sizeof kDocument - 1};\n}\n\n}  // namespace peiling::gateway\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return Fail("want DESCRIPTORS INTRODUCTION DOCUMENT SOURCE");
  pb::FileDescriptorSet files;
  std::ifstream descriptors(argv[1], std::ios::binary);
  if (!files.ParseFromIstream(&descriptors)) return Fail(std::string(argv[1]) + " holds no descriptors");
  std::ifstream introduction(argv[2]);
  const std::string text{std::istreambuf_iterator<char>(introduction), {}};
  if (text.empty()) return Fail(std::string(argv[2]) + " is empty");

  pb::DescriptorPool pool;
  std::vector<const pb::ServiceDescriptor*> services;
  for (const pb::FileDescriptorProto& file : files.file()) {
    const pb::FileDescriptor* built = pool.BuildFile(file);
    if (built == nullptr) return Fail(file.name() + " cannot be built");
    for (int i = 0; i < built->service_count(); ++i) services.push_back(built->service(i));
  }
  const auto document = peiling::gateway::OpenApiDocumentOf(services, text);
  if (!document.ok()) return Fail(std::string(document.status().message()));
  for (const auto& [path, content] : {std::pair{argv[3], *document}, std::pair{argv[4], SourceOf(*document)}}) {
    if (!Write(path, content)) return Fail(std::string(path) + " cannot be written");
  }
  return 0;
}

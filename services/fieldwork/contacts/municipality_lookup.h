// What the registry says of municipalities that contacts are of.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpcpp/client_context.h"
#include "peiling/registry/v1/registry.grpc.pb.h"

namespace peiling::fieldwork {

// Makes the context of a call to another service, with its deadline.
using MakeContext = std::function<std::unique_ptr<grpc::ClientContext>()>;

// Errors are the registry's and those of calls to it. Thread-safe.
class MunicipalityLookup {
 public:
  // `registry` must outlive it.
  explicit MunicipalityLookup(registry::v1::RegistryService::StubInterface& registry) : registry_(registry) {}

  // Whether there is or ever was a municipality of this name: NOT_FOUND/MUNICIPALITY_NOT_FOUND.
  absl::Status Check(const std::string& name, const MakeContext& make_context) const;
  // Codes of those there are on a day, YYYY-MM-DD.
  absl::StatusOr<std::set<std::string>> CodesOn(const std::string& day, const MakeContext& make_context) const;
  // How texts are understood, in their order; any number of them.
  absl::StatusOr<std::vector<registry::v1::Resolution>> Resolve(const std::vector<std::string>& texts, const std::string& day,
                                                                const MakeContext& make_context) const;

 private:
  registry::v1::RegistryService::StubInterface& registry_;
};

}  // namespace peiling::fieldwork

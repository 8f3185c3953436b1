#include "services/gateway/route_table.h"

#include <utility>

#include "google/protobuf/descriptor.h"

namespace peiling::gateway {

RouteTable::RouteTable(std::vector<Backend> backends) : backends_(std::move(backends)) {
  for (const Backend& backend : backends_) {
    by_service_[backend.service] = &backend;
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(backend.service);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      if (method->client_streaming() || method->server_streaming()) continue;
      unary_.insert("/" + backend.service + "/" + method->name());
    }
  }
}

const Backend* RouteTable::Find(std::string_view method) const {
  if (method.empty() || method.front() != '/') return nullptr;
  method.remove_prefix(1);
  const size_t slash = method.find('/');
  if (slash == std::string_view::npos || slash + 1 == method.size()) return nullptr;
  const auto found = by_service_.find(method.substr(0, slash));
  return found == by_service_.end() ? nullptr : found->second;
}

}  // namespace peiling::gateway

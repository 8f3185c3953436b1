#include "services/gateway/route_table.h"

#include <utility>

namespace peiling::gateway {

RouteTable::RouteTable(std::vector<Backend> backends) : backends_(std::move(backends)) {
  for (const Backend& backend : backends_) by_service_[backend.service] = &backend;
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

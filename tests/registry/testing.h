// What the registry's tests share: the real reference data, loaded once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/registry/municipality_catalog.h"
#include "services/registry/name_resolver.h"
#include "services/registry/reference_data.h"

namespace peiling::registry {

inline const ReferenceData& RealData() {
  static const auto* const kData = [] {
    auto data = LoadReferenceData(DefaultDataFolder());
    if (!data.ok()) ADD_FAILURE() << data.status();
    return new ReferenceData(data.ok() ? *std::move(data) : ReferenceData());
  }();
  return *kData;
}

inline const MunicipalityCatalog& RealCatalog() {
  static const auto* const kCatalog = new MunicipalityCatalog(RealData().municipalities);
  return *kCatalog;
}

inline const NameResolver& RealResolver() {
  static const NameResolver* const kResolver = [] {
    auto resolver = NameResolver::Make(RealData(), RealCatalog());
    if (!resolver.ok()) ADD_FAILURE() << resolver.status();
    return resolver.ok() ? resolver->release() : nullptr;
  }();
  return *kResolver;
}

inline std::vector<std::string> Codes(const v1::Resolution& resolution) { return {resolution.codes().begin(), resolution.codes().end()}; }

}  // namespace peiling::registry

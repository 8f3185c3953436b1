// Takes in a survey tool's export, group by group: each group is judged, made durable, then reported. What is there already stays as it is,
// so an import that broke off is simply run again.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "peiling/intake/v1/intake.pb.h"
#include "services/intake/catalog.h"
#include "services/intake/export_reader.h"
#include "services/intake/response_store.h"
#include "services/intake/response_validator.h"

namespace peiling::intake {

// The two directions of an import.
struct ImportStream {
  // The next message; false at the end or when the client is gone.
  std::function<bool(v1::ImportResponsesRequest&)> read;
  // False when the client is gone.
  std::function<bool(const v1::ImportResponsesResponse&)> write;
  std::function<bool()> cancelled;
  MakeContext make_context;
};

// Thread-safe; each call of Run is one import. Imports of one wave may run at the same time.
class ResponseImporter {
 public:
  // Rows in one group, for each of the wave's partitions; and at most.
  static constexpr size_t kGroupRows = 64;
  static constexpr size_t kMostGroupRows = 512;

  // All must outlive the importer.
  ResponseImporter(Catalog& catalog, ResponseStore& responses, ResponseValidator& validator)
      : catalog_(catalog), responses_(responses), validator_(validator) {}

  // Runs until the file has been taken in. Errors as the RPC's; CANCELLED when the client is gone.
  absl::Status Run(const ImportStream& stream);

 private:
  Catalog& catalog_;
  ResponseStore& responses_;
  ResponseValidator& validator_;
};

}  // namespace peiling::intake

// An import, as services that are made up for a test do it.
#pragma once

#include <cstdint>

#include "grpcpp/grpcpp.h"
#include "peiling/intake/v1/intake.pb.h"

namespace peiling::gateway {

// Answers every piece with how many bytes have come, until there are no more; INVALID_ARGUMENT at once when one is "stop".
inline grpc::Status AnswerPieces(grpc::ServerReaderWriter<intake::v1::ImportResponsesResponse, intake::v1::ImportResponsesRequest>& stream,
                                 int64_t& bytes) {
  intake::v1::ImportResponsesRequest piece;
  bytes = 0;
  while (stream.Read(&piece)) {
    if (piece.content() == "stop") return {grpc::StatusCode::INVALID_ARGUMENT, "stopped"};
    bytes += static_cast<int64_t>(piece.content().size());
    intake::v1::ImportResponsesResponse report;
    report.mutable_progress()->set_bytes_read(bytes);
    stream.Write(report);
  }
  return grpc::Status::OK;
}

}  // namespace peiling::gateway

// What became of responses, laid out; shared by `decisions` and `cases show`.
#pragma once

#include "google/protobuf/repeated_field.h"
#include "peiling/dedup/v1/dedup.pb.h"
#include "services/ctl/output/table_printer.h"

namespace peiling::ctl {

Table DecisionsTable(const google::protobuf::RepeatedPtrField<dedup::v1::Decision>& decisions);

}  // namespace peiling::ctl

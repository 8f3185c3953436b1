#include "services/fieldwork/progress/validate.h"

#include "services/common/names/resource_names.h"
#include "services/common/status/errors.h"

namespace peiling::fieldwork {
namespace {

constexpr char kWavePattern[] = "surveys/*/waves/*";

}  // namespace

absl::Status Validate(const v1::GetFieldworkProgressRequest& request) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWavePattern, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListMunicipalityProgressRequest& request, paging::Page& page) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWavePattern, bad);
  if (!v1::FieldworkStage_IsValid(request.stage())) bad.Add("stage", "not a stage");
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

absl::Status Validate(const v1::ListCallsRequest& request, paging::Page& page) {
  status::BadRequest bad;
  names::Require("parent", request.parent(), kWavePattern, bad);
  page = paging::ReadPage(request, bad);
  return bad.ToStatus();
}

}  // namespace peiling::fieldwork

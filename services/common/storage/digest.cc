#include "services/common/storage/digest.h"

#include "absl/strings/escaping.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace peiling::storage {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }

void Sha256::Add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), digest, &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), size});
}

PartitionTally::PartitionTally(const std::string& partition) { summary_.set_name(absl::CHexEscape(partition)); }

void PartitionTally::Add(const v1::BackupRecord& record, std::string_view frame) {
  digest_.Add(frame);
  if (record.has_event()) {
    summary_.set_events(summary_.events() + 1);
    summary_.set_bytes(summary_.bytes() + record.event().value().size());
    return;
  }
  const v1::BackupDocument& document = record.document();
  if (document.has_value()) {
    summary_.set_documents(summary_.documents() + 1);
  } else {
    summary_.set_deleted_documents(summary_.deleted_documents() + 1);
  }
  summary_.set_bytes(summary_.bytes() + document.key().size() + document.value().size());
}

v1::PartitionSummary PartitionTally::Finish() {
  summary_.set_sha256(digest_.Finish());
  return std::move(summary_);
}

std::string Frame(const v1::BackupRecord& record) {
  std::string frame;
  {
    // The stream writes what it holds back when it goes.
    google::protobuf::io::StringOutputStream stream(&frame);
    google::protobuf::util::SerializeDelimitedToZeroCopyStream(record, &stream);
  }
  return frame;
}

}  // namespace peiling::storage

// Checksums of a backup and of a partition in it.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "peiling/storage/v1/backup.pb.h"

namespace peiling::storage {

// A running SHA-256.
class Sha256 {
 public:
  Sha256();
  void Add(std::string_view bytes);
  // Lower-case hex of all that was added. To be called once.
  std::string Finish();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// Counts the records of a partition.
class PartitionTally {
 public:
  explicit PartitionTally(const std::string& partition);
  // A document or an event; `frame` is the record as it stands in a backup, with its length.
  void Add(const v1::BackupRecord& record, std::string_view frame);
  v1::PartitionSummary Finish();

 private:
  v1::PartitionSummary summary_;
  Sha256 digest_;
};

// A record as it stands in a backup: its length as a varint, and it.
std::string Frame(const v1::BackupRecord& record);

}  // namespace peiling::storage

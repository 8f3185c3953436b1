// Folders and places for stores in tests.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "services/common/storage/store.h"

namespace peiling::storage {

// A folder that goes away with its owner.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peiling-contract-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Where a store is; opened as often as a test likes, but once at a time.
class Place {
 public:
  virtual ~Place() = default;
  virtual std::string address() const = 0;
  // Whether what was committed is there after closing and opening.
  virtual bool lasting() const { return true; }
};

class FilePlace : public Place {
 public:
  std::string address() const override { return "sqlite:" + (folder_.path() / "not" / "there" / "yet.db").string(); }

 private:
  Folder folder_;
};

class MemoryPlace : public Place {
 public:
  std::string address() const override { return "sqlite::memory:"; }
  bool lasting() const override { return false; }
};

}  // namespace peiling::storage

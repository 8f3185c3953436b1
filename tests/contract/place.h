// Folders and places for stores in tests.
#pragma once

#include <gtest/gtest.h>

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
  ~Folder() {
    // A process that was killed may have files in it that go away at this moment.
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Where a store is; opened as often as a test likes, but once at a time unless it is shared.
class Place {
 public:
  virtual ~Place() = default;
  virtual std::string address() const = 0;
  // The store's name (OpenStore). No other place has the same address and name.
  virtual std::string name() const { return "test"; }
  // Whether it may be opened several times at once, as a server's may.
  virtual bool shared() const { return false; }
  // Whether what was committed is there after closing and opening.
  virtual bool lasting() const { return true; }
};

// Opens the store of a place; null and a failed test when it cannot.
inline std::unique_ptr<Store> MustOpen(const Place& place) {
  auto store = OpenStore(place.address(), place.name());
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? std::move(*store) : nullptr;
}

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

// How many calls of a kind may be under way at once, of those that each hold a thread of the server for long.
#pragma once

#include <atomic>

namespace peiling::server {

// Thread-safe.
class Places {
 public:
  explicit Places(int places) : places_(places) {}

  // One of the places, given back at the end; not granted when all are taken.
  class Place {
   public:
    explicit Place(Places& places) : taken_(places.taken_), granted_(++taken_ <= places.places_) {}
    ~Place() { --taken_; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool granted() const { return granted_; }

   private:
    std::atomic<int>& taken_;
    const bool granted_;
  };

 private:
  const int places_;
  std::atomic<int> taken_ = 0;
};

}  // namespace peiling::server

// How many callers may wait at once: each holds a thread of the server, the longer the slower it reads.
#pragma once

#include <atomic>

namespace peiling::analytics {

// Thread-safe.
class WaitingPlaces {
 public:
  explicit WaitingPlaces(int places) : places_(places) {}

  // One of the places, given back at the end; not granted when all are taken.
  class Place {
   public:
    explicit Place(WaitingPlaces& places) : taken_(places.taken_), granted_(++taken_ <= places.places_) {}
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

}  // namespace peiling::analytics

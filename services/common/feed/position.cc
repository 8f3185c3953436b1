#include "services/common/feed/position.h"

#include <algorithm>

namespace peiling::feed {

uint64_t Submissions(const survey::v1::FeedPosition& position, int partition) {
  if (partition == 0) return position.submissions();
  return partition <= position.further_submissions_size() ? position.further_submissions(partition - 1) : 0;
}

void SetSubmissions(survey::v1::FeedPosition& position, int partition, uint64_t sequence) {
  if (partition == 0) return position.set_submissions(sequence);
  while (position.further_submissions_size() < partition) position.add_further_submissions(0);
  position.set_further_submissions(partition - 1, sequence);
}

std::string SubmissionsText(const survey::v1::FeedPosition& position) {
  std::string text = std::to_string(position.submissions());
  for (const uint64_t sequence : position.further_submissions()) text.append(",").append(std::to_string(sequence));
  return text;
}

bool Reached(const survey::v1::FeedPosition& position, const survey::v1::FeedPosition& wanted) {
  for (int partition = 0; partition <= wanted.further_submissions_size(); ++partition) {
    if (Submissions(position, partition) < Submissions(wanted, partition)) return false;
  }
  return position.records() >= wanted.records();
}

void Advance(survey::v1::FeedPosition& position, const survey::v1::FeedPosition& other) {
  for (int partition = 0; partition <= other.further_submissions_size(); ++partition) {
    SetSubmissions(position, partition, std::max(Submissions(position, partition), Submissions(other, partition)));
  }
  position.set_records(std::max(position.records(), other.records()));
}

}  // namespace peiling::feed

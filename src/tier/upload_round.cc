#include "tier/upload_round.h"

#include <algorithm>
#include <utility>

namespace firn::tier {

void NextInRound::add(const meta::Pending& file) {
  if (UploadRound::place_of(file) <= after_) return;
  heap_.push_back(file);
  std::ranges::push_heap(heap_, {}, UploadRound::place_of);
  if (heap_.size() <= most_) return;
  std::ranges::pop_heap(heap_, {}, UploadRound::place_of);
  heap_.pop_back();
  more_ = true;
}

std::vector<meta::Pending> NextInRound::take() {
  std::ranges::sort_heap(heap_, {}, UploadRound::place_of);
  return std::exchange(heap_, {});
}

}  // namespace firn::tier

#include "io/sim/fault_plan.h"

#include <memory>
#include <utility>

#include "base/random.h"

namespace firn::io {

FaultPlan random_faults(uint64_t seed, uint64_t one_in, std::vector<Code> codes) {
  auto random = std::make_shared<SeededRandom>(seed);
  return [random, one_in, codes = std::move(codes)](const SimCallInfo&) -> SimFault {
    if (random->below(one_in) != 0) return {};
    const Code code = codes[random->below(codes.size())];
    return {.code = code, .after_effect = random->below(2) == 0, .partial = random->below(2) == 0};
  };
}

FaultPlan fail_nth(SimCall call, uint64_t nth, SimFault fault) {
  return [call, nth, fault, seen = uint64_t{0}](const SimCallInfo& info) mutable -> SimFault {
    if (info.call != call || seen++ != nth) return {};
    return fault;
  };
}

}  // namespace firn::io

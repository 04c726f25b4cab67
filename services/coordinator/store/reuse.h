// Which finished actions answer for later ones: one rule for every store.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_REUSE_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_REUSE_H_

#include "common/domain/action.h"

namespace dovetail::store {

// The tools answered, and would answer the same again. A time-out may end otherwise on another
// machine, so it is not reused.
inline bool IsReusable(Outcome outcome) {
  return outcome == Outcome::kOk || outcome == Outcome::kConstraint ||
         outcome == Outcome::kInfeasible;
}

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_REUSE_H_

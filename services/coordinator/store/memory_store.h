// The store kept in memory, for tests of everything above it: same semantics as postgres/, the same
// contract suite. Two stores over one MemoryDatabase are two processes over one database. Not for
// production: nothing survives the process.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_MEMORY_STORE_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_MEMORY_STORE_H_

#include <memory>

#include "services/coordinator/store/store.h"

namespace dovetail::store {

struct MemoryDatabase;
std::shared_ptr<MemoryDatabase> MakeMemoryDatabase();

// Thread-safe. The second form shares `database` with other stores.
std::unique_ptr<Store> MakeMemoryStore();
std::unique_ptr<Store> MakeMemoryStore(std::shared_ptr<MemoryDatabase> database);

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_MEMORY_STORE_H_

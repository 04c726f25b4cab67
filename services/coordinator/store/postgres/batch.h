// A batch of changes as parameters of one statement per table. Pure; called by the store.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_BATCH_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_BATCH_H_

#include <string>
#include <vector>

#include "services/coordinator/store/store.h"

namespace dovetail::store {

struct PreparedStatement {
  std::string name;
  std::string sql;  // takes $1, a jsonb list of rows
};

// What BatchStatements may ask for; each connection that writes prepares them.
const std::vector<PreparedStatement>& WriteStatements();

struct StatementCall {
  std::string statement;  // a name of WriteStatements
  std::string rows;       // $1
};

// Of several puts of one key the last wins; statements in a fixed order; none for kinds that do not
// occur.
std::vector<StatementCall> BatchStatements(const std::vector<Change>& changes);

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_BATCH_H_

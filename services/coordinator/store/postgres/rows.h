// Records as rows: a row travels to and from PostgreSQL as one JSON object whose keys are the
// table's columns, so a batch of any size is one parameter of one statement. Pure; called by the
// store.
#ifndef DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_ROWS_H_
#define DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/value.h"
#include "services/coordinator/store/store.h"

namespace dovetail::store {

// A table as Commit writes it.
struct Table {
  std::string name;
  std::vector<std::string> keys;     // empty: rows are appended, by the table's own number
  std::vector<std::string> columns;  // all that the coordinator writes, keys included
  bool replaces = true;              // a row whose key is taken: replace it, or refuse the batch
};

const Table& JobsTable();
const Table& TrialsTable();
const Table& DesignsTable();
const Table& MeasurementsTable();
const Table& TaskRunsTable();
const Table& ActionsTable();
const Table& AttemptsTable();
const Table& EventsTable();
const Table& WorkersTable();
const Table& SearchStatesTable();

// "INSERT ... SELECT ... FROM jsonb_populate_recordset(NULL::table, $1) ON CONFLICT ...".
std::string InsertSql(const Table& table);

Value ToRow(const JobRecord& record);
Value ToRow(const Trial& trial);  // without its designs
Value ToRow(const TaskRunRecord& record);
Value ToRow(const ActionRecord& record);
Value ToRow(const AttemptRecord& record);
Value ToRow(const EventRecord& record);
Value ToRow(const WorkerRecord& record);
Value ToRow(const SearchStateRecord& record);
Value DesignToRow(const Trial& trial, const Design& design);
Value MetricToRow(const Trial& trial, const Design& design, const std::string& name,
                  const Metric& metric);

// Errors: Internal: the row does not hold such a record.
template <typename Record>
absl::StatusOr<Record> FromRow(const Value& row);
// A trial's row has a further member "designs": its design rows by index, each with a member
// "metrics": its metric rows.
template <>
absl::StatusOr<Trial> FromRow<Trial>(const Value& row);

// The list as the text of a jsonb parameter. jsonb cannot hold U+0000: written as U+FFFD.
std::string ToJsonb(const Value& value);

}  // namespace dovetail::store

#endif  // DOVETAIL_SERVICES_COORDINATOR_STORE_POSTGRES_ROWS_H_

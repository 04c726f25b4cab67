#include "services/coordinator/store/postgres/batch.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/coordinator/store/postgres/rows.h"

namespace dovetail::store {
namespace {

// Rows for one table; one statement may not touch a key twice, so the last row of a key stays.
class RowList {
 public:
  explicit RowList(const Table& table) : table_(table) {}

  void Add(Value row) {
    if (table_.keys.empty() || !table_.replaces) {
      rows_.push_back(std::move(row));
      return;
    }
    Value key;
    for (const std::string& column : table_.keys) key.Append(row[column]);
    const auto [it, inserted] = position_.try_emplace(key.ToJson(), rows_.size());
    if (inserted) {
      rows_.push_back(std::move(row));
    } else {
      rows_[it->second] = std::move(row);
    }
  }

  void AppendCall(const std::string& prefix, std::vector<StatementCall>& calls) {
    if (!rows_.empty()) calls.push_back({prefix + table_.name, ToJsonb(rows_)});
  }

 private:
  const Table& table_;
  Value::List rows_;
  std::map<std::string, size_t> position_;
};

// Gathers a batch's rows by table.
struct Collector {
  RowList jobs{JobsTable()};
  std::map<std::pair<int64_t, int>, const Trial*> trials;
  RowList task_runs{TaskRunsTable()};
  RowList actions{ActionsTable()};
  RowList attempts{AttemptsTable()};
  RowList events{EventsTable()};
  RowList workers{WorkersTable()};
  RowList search_states{SearchStatesTable()};

  void operator()(const JobRecord& r) { jobs.Add(ToRow(r)); }
  void operator()(const Trial& r) { trials[{r.job_id, r.number}] = &r; }
  void operator()(const TaskRunRecord& r) { task_runs.Add(ToRow(r)); }
  void operator()(const ActionRecord& r) { actions.Add(ToRow(r)); }
  void operator()(const AttemptRecord& r) { attempts.Add(ToRow(r)); }
  void operator()(const EventRecord& r) { events.Add(ToRow(r)); }
  void operator()(const WorkerRecord& r) { workers.Add(ToRow(r)); }
  void operator()(const SearchStateRecord& r) { search_states.Add(ToRow(r)); }
};

// A trial's designs and measurements are replaced as a whole.
void AppendTrials(const std::map<std::pair<int64_t, int>, const Trial*>& trials,
                  std::vector<StatementCall>& calls) {
  if (trials.empty()) return;
  RowList trial_rows(TrialsTable()), designs(DesignsTable()), measurements(MeasurementsTable());
  Value::List numbers;
  for (const auto& [key, trial] : trials) {
    trial_rows.Add(ToRow(*trial));
    Value key_row;
    key_row.Set("job_id", trial->job_id).Set("number", trial->number);
    numbers.push_back(std::move(key_row));
    for (const Design& design : trial->designs) {
      designs.Add(DesignToRow(*trial, design));
      for (const auto& [name, metric] : design.measurement.metrics) {
        measurements.Add(MetricToRow(*trial, design, name, metric));
      }
    }
  }
  trial_rows.AppendCall("put_", calls);
  const std::string keys = ToJsonb(numbers);
  calls.push_back({"clear_designs", keys});
  calls.push_back({"clear_measurements", keys});
  designs.AppendCall("put_", calls);
  measurements.AppendCall("put_", calls);
}

std::string ClearSql(const std::string& table) {
  return absl::StrCat("DELETE FROM ", table,
                      " d USING jsonb_to_recordset($1::jsonb) AS t(job_id bigint, number integer) "
                      "WHERE d.job_id = t.job_id AND d.trial = t.number");
}

}  // namespace

const std::vector<PreparedStatement>& WriteStatements() {
  static const std::vector<PreparedStatement> statements = [] {
    std::vector<PreparedStatement> list = {{"clear_designs", ClearSql("designs")},
                                           {"clear_measurements", ClearSql("measurements")}};
    for (const Table* table : {&JobsTable(), &TrialsTable(), &DesignsTable(), &MeasurementsTable(),
                               &TaskRunsTable(), &ActionsTable(), &AttemptsTable(), &EventsTable(),
                               &WorkersTable(), &SearchStatesTable()}) {
      list.push_back({"put_" + table->name, InsertSql(*table)});
    }
    return list;
  }();
  return statements;
}

std::vector<StatementCall> BatchStatements(const std::vector<Change>& changes) {
  Collector collector;
  for (const Change& change : changes) std::visit(collector, change);
  std::vector<StatementCall> calls;
  collector.jobs.AppendCall("put_", calls);
  AppendTrials(collector.trials, calls);
  for (RowList* rows : {&collector.task_runs, &collector.actions, &collector.attempts,
                        &collector.events, &collector.workers, &collector.search_states}) {
    rows->AppendCall("put_", calls);
  }
  return calls;
}

}  // namespace dovetail::store

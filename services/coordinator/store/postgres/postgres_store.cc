#include "services/coordinator/store/postgres/postgres_store.h"

#include <limits>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/store/postgres/batch.h"
#include "services/coordinator/store/postgres/connection.h"
#include "services/coordinator/store/postgres/migrations.h"
#include "services/coordinator/store/postgres/rows.h"

namespace dovetail::store {
namespace {

constexpr char kUnfinishedJobs[] = "state NOT IN ('succeeded', 'failed', 'cancelled')";

// A trial's row with its designs, and theirs with their metrics; `where` speaks of t.
std::string SelectTrials(absl::string_view where) {
  return absl::StrCat(
      "SELECT to_jsonb(t) || jsonb_build_object('designs', (SELECT jsonb_agg(to_jsonb(d) || "
      "jsonb_build_object('metrics', (SELECT jsonb_agg(to_jsonb(m)) FROM measurements m "
      "WHERE m.job_id = d.job_id AND m.trial = d.trial AND m.design = d.index)) ORDER BY d.index) "
      "FROM designs d WHERE d.job_id = t.job_id AND d.trial = t.number)) FROM trials t WHERE ",
      where);
}

// Each row's first column is the record as JSON.
template <typename Record>
absl::StatusOr<std::vector<Record>> ToRecords(const pqxx::result& rows) {
  std::vector<Record> records;
  records.reserve(rows.size());
  for (const auto& row : rows) {
    ASSIGN_OR_RETURN(const Value value, Value::FromJson(row[0].c_str()));
    ASSIGN_OR_RETURN(Record record, FromRow<Record>(value));
    records.push_back(std::move(record));
  }
  return records;
}

class PostgresStore : public Store {
 public:
  explicit PostgresStore(const PostgresOptions& options)
      : options_(options),
        readers_({options.connection_string, "dovetail-coordinator", options.statement_timeout_ms},
                 options.pool_size) {
    if (options_.clock == nullptr) options_.clock = &system_clock_;
  }

  absl::Status Migrate() {
    // Waits for other processes' migrations, however long: not under the statement time-out.
    ASSIGN_OR_RETURN(auto connection,
                     Connect({options_.connection_string, "dovetail-migration", 0}));
    return Guard([&] {
      return ApplyMigrations(*connection, options_.clock->WallMs(), EmbeddedMigrations());
    });
  }

  absl::StatusOr<int64_t> BecomeLeader(const std::string& address) override;
  absl::StatusOr<std::string> LeaderAddress() override;
  absl::Status Commit(const std::vector<Change>& changes) override;
  absl::StatusOr<LeaderState> Load() override;
  absl::StatusOr<std::vector<ActionRecord>> FindActions(
      const std::vector<std::string>& keys) override;
  absl::StatusOr<JobRecord> GetJob(int64_t id) override;
  absl::StatusOr<std::optional<JobRecord>> FindJobByRequest(const std::string& tenant,
                                                            const std::string& request_id) override;
  absl::StatusOr<std::vector<JobRecord>> ListJobs(const std::string& tenant, int64_t before_id,
                                                  int limit) override;
  absl::StatusOr<Trial> GetTrial(int64_t job_id, int number) override;
  absl::StatusOr<std::vector<Trial>> ListTrials(const TrialFilter& filter) override;
  absl::StatusOr<std::vector<TaskRunRecord>> ListTaskRuns(int64_t job_id, int trial) override;
  absl::StatusOr<std::vector<AttemptRecord>> ListAttempts(const std::string& action_key) override;
  absl::StatusOr<std::vector<EventRecord>> ListEvents(int64_t job_id, int64_t after,
                                                      int limit) override;
  absl::StatusOr<std::vector<WorkerRecord>> ListWorkers() override;

 private:
  static std::string LeaderName(int64_t epoch) { return absl::StrCat("dovetail-leader/", epoch); }

  // The records a query selects, each as one JSON column.
  template <typename Record, typename... Args>
  absl::StatusOr<std::vector<Record>> Select(const std::string& sql, const Args&... args) {
    std::vector<Record> records;
    RETURN_IF_ERROR(readers_.Read([&](pqxx::connection& connection) -> absl::Status {
      pqxx::nontransaction session(connection);
      ASSIGN_OR_RETURN(records, ToRecords<Record>(session.exec_params(sql, args...)));
      return absl::OkStatus();
    }));
    return records;
  }

  absl::Status OpenWriter();
  absl::StatusOr<int64_t> BumpEpoch(const std::string& address);
  void EndOlderLeaders(int64_t epoch, pqxx::connection& connection);
  absl::Status Write(const std::vector<StatementCall>& calls, bool& committing);

  PostgresOptions options_;
  SystemClock system_clock_;
  ConnectionPool readers_;
  std::mutex writer_mutex_;
  int64_t epoch_ = 0;                   // guarded by writer_mutex_; 0: never was the leader
  std::unique_ptr<Connection> writer_;  // guarded by writer_mutex_
};

absl::StatusOr<int64_t> PostgresStore::BecomeLeader(const std::string& address) {
  std::lock_guard lock(writer_mutex_);
  writer_.reset();
  ASSIGN_OR_RETURN(epoch_, BumpEpoch(address));
  RETURN_IF_ERROR(OpenWriter());
  EndOlderLeaders(epoch_, *writer_);
  return epoch_;
}

// A leader that hangs in the middle of a transaction holds the row: its session is ended, which
// rolls the transaction back.
absl::StatusOr<int64_t> PostgresStore::BumpEpoch(const std::string& address) {
  ASSIGN_OR_RETURN(auto connection, Connect({options_.connection_string, "dovetail-coordinator",
                                             options_.statement_timeout_ms}));
  int64_t epoch = 0;
  absl::Status status;
  for (const bool last : {false, true}) {
    bool row_is_held = false;
    status = Guard([&] {
      pqxx::work transaction(*connection);
      transaction.exec("SET LOCAL lock_timeout = '2s'");
      try {
        epoch = transaction
                    .exec_params1(
                        "UPDATE leader SET epoch = epoch + 1, address = $1, since_ms = $2 "
                        "RETURNING epoch",
                        address, options_.clock->WallMs())[0]
                    .as<int64_t>();
      } catch (const pqxx::sql_error& error) {
        row_is_held = error.sqlstate() == "55P03";
        throw;
      }
      transaction.commit();
      return absl::OkStatus();
    });
    if (!row_is_held || last) break;
    EndOlderLeaders(std::numeric_limits<int64_t>::max(), *connection);
  }
  RETURN_IF_ERROR_WITH(status, "cannot become the leader");
  return epoch;
}

// For tidiness only, safety comes from the epoch: a failure (another role's session) is ignored.
void PostgresStore::EndOlderLeaders(int64_t epoch, pqxx::connection& connection) {
  Guard([&] {
    pqxx::nontransaction session(connection);
    session.exec_params(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND CASE "
        "WHEN application_name ~ '^dovetail-leader/[0-9]{1,18}$' "
        "THEN split_part(application_name, '/', 2)::bigint < $1 ELSE false END",
        epoch);
    return absl::OkStatus();
  }).IgnoreError();
}

absl::Status PostgresStore::OpenWriter() {
  ASSIGN_OR_RETURN(writer_, Connect({options_.connection_string, LeaderName(epoch_),
                                     options_.statement_timeout_ms}));
  // Shared with other committing leaders of this epoch, exclusive to BecomeLeader's update.
  writer_->prepare("check_epoch", "SELECT epoch FROM leader FOR SHARE");
  for (const PreparedStatement& statement : WriteStatements()) {
    writer_->prepare(statement.name, statement.sql);
  }
  return absl::OkStatus();
}

absl::Status PostgresStore::Commit(const std::vector<Change>& changes) {
  const std::vector<StatementCall> calls = BatchStatements(changes);
  std::lock_guard lock(writer_mutex_);
  if (epoch_ == 0) return absl::FailedPreconditionError("Commit before BecomeLeader");
  absl::Status status;
  // Again only where the connection broke before COMMIT was sent: then nothing was written.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (writer_ == nullptr) RETURN_IF_ERROR(OpenWriter());
    bool committing = false;
    status = Guard([&] { return Write(calls, committing); });
    if (writer_->is_open()) break;
    writer_.reset();
    if (committing) break;
  }
  return status;
}

absl::Status PostgresStore::Write(const std::vector<StatementCall>& calls, bool& committing) {
  pqxx::work transaction(*writer_);
  const int64_t epoch = transaction.exec_prepared1("check_epoch")[0].as<int64_t>();
  if (epoch != epoch_) {
    return absl::AbortedError(
        absl::StrCat("another coordinator leads: epoch ", epoch, ", this one had ", epoch_));
  }
  for (const StatementCall& call : calls) transaction.exec_prepared0(call.statement, call.rows);
  committing = true;
  transaction.commit();
  return absl::OkStatus();
}

absl::StatusOr<std::string> PostgresStore::LeaderAddress() {
  std::string address;
  RETURN_IF_ERROR(readers_.Read([&](pqxx::connection& connection) {
    pqxx::nontransaction session(connection);
    address = session.exec1("SELECT address FROM leader")[0].as<std::string>();
    return absl::OkStatus();
  }));
  return address;
}

absl::StatusOr<LeaderState> PostgresStore::Load() {
  const std::string live = absl::StrCat("IN (SELECT id FROM jobs WHERE ", kUnfinishedJobs, ")");
  LeaderState state;
  RETURN_IF_ERROR(readers_.Read([&](pqxx::connection& connection) -> absl::Status {
    // One snapshot for all.
    pqxx::transaction<pqxx::repeatable_read, pqxx::read_only> transaction(connection);
    const auto select = [&](const std::string& sql) { return transaction.exec(sql); };
    ASSIGN_OR_RETURN(state.jobs, ToRecords<JobRecord>(
                                     select(absl::StrCat("SELECT to_jsonb(j) FROM jobs j WHERE ",
                                                         kUnfinishedJobs, " ORDER BY id"))));
    ASSIGN_OR_RETURN(state.trials,
                     ToRecords<Trial>(select(
                         absl::StrCat(SelectTrials("job_id "), live, " ORDER BY job_id, number"))));
    ASSIGN_OR_RETURN(state.task_runs, ToRecords<TaskRunRecord>(select(absl::StrCat(
                                          "SELECT to_jsonb(r) FROM task_runs r WHERE job_id ", live,
                                          " ORDER BY job_id, trial, task_run"))));
    ASSIGN_OR_RETURN(
        state.actions,
        ToRecords<ActionRecord>(select(absl::StrCat(
            "SELECT to_jsonb(a) FROM actions a WHERE key IN (SELECT action_key FROM task_runs "
            "WHERE job_id ",
            live, ") ORDER BY key COLLATE \"C\""))));
    ASSIGN_OR_RETURN(state.search_states,
                     ToRecords<SearchStateRecord>(select(
                         absl::StrCat("SELECT to_jsonb(s) FROM search_states s WHERE job_id ", live,
                                      " ORDER BY job_id, installed_event, after_event, id"))));
    ASSIGN_OR_RETURN(state.workers,
                     ToRecords<WorkerRecord>(select("SELECT to_jsonb(w) FROM workers w WHERE "
                                                    "state <> 'gone' ORDER BY id COLLATE \"C\"")));
    for (const auto& row : select(absl::StrCat(
             "SELECT id, coalesce((SELECT max(sequence) FROM events e WHERE e.job_id = j.id), 0) "
             "FROM jobs j WHERE ",
             kUnfinishedJobs))) {
      state.last_event[row[0].as<int64_t>()] = row[1].as<int64_t>();
    }
    state.next_job_id =
        transaction.exec1("SELECT coalesce(max(id), 0) + 1 FROM jobs")[0].as<int64_t>();
    return absl::OkStatus();
  }));
  return state;
}

absl::StatusOr<std::vector<ActionRecord>> PostgresStore::FindActions(
    const std::vector<std::string>& keys) {
  return Select<ActionRecord>(
      "SELECT to_jsonb(a) FROM actions a "
      "WHERE key IN (SELECT jsonb_array_elements_text($1::jsonb)) AND finished AND "
      "cacheable AND outcome IN ('ok', 'constraint', 'infeasible') ORDER BY key COLLATE \"C\"",
      ToJsonb(Value::List(keys.begin(), keys.end())));
}

absl::StatusOr<JobRecord> PostgresStore::GetJob(int64_t id) {
  ASSIGN_OR_RETURN(auto jobs,
                   Select<JobRecord>("SELECT to_jsonb(j) FROM jobs j WHERE id = $1", id));
  if (jobs.empty()) return absl::NotFoundError(absl::StrCat("there is no job ", id));
  return std::move(jobs[0]);
}

absl::StatusOr<std::optional<JobRecord>> PostgresStore::FindJobByRequest(
    const std::string& tenant, const std::string& request_id) {
  ASSIGN_OR_RETURN(auto jobs,
                   Select<JobRecord>("SELECT to_jsonb(j) FROM jobs j WHERE tenant = $1 AND "
                                     "request_id = $2 AND request_id <> ''",
                                     tenant, request_id));
  if (jobs.empty()) return std::optional<JobRecord>();
  return std::optional<JobRecord>(std::move(jobs[0]));
}

absl::StatusOr<std::vector<JobRecord>> PostgresStore::ListJobs(const std::string& tenant,
                                                               int64_t before_id, int limit) {
  return Select<JobRecord>(
      "SELECT to_jsonb(j) FROM jobs j WHERE ($1 = '' OR tenant = $1) AND ($2 = 0 OR id < $2) "
      "ORDER BY id DESC LIMIT nullif(greatest($3::bigint, 0), 0)",
      tenant, before_id, limit);
}

absl::StatusOr<Trial> PostgresStore::GetTrial(int64_t job_id, int number) {
  ASSIGN_OR_RETURN(auto trials,
                   Select<Trial>(SelectTrials("job_id = $1 AND number = $2"), job_id, number));
  if (trials.empty()) {
    return absl::NotFoundError(absl::StrCat("job ", job_id, " has no trial ", number));
  }
  return std::move(trials[0]);
}

absl::StatusOr<std::vector<Trial>> PostgresStore::ListTrials(const TrialFilter& filter) {
  const std::string state(filter.state.has_value() ? TrialStateName(*filter.state) : "");
  return Select<Trial>(
      SelectTrials("job_id = $1 AND ($2 = '' OR state = $2) AND number > $3 ORDER BY number "
                   "LIMIT nullif(greatest($4::bigint, 0), 0)"),
      filter.job_id, state, filter.after_number, filter.limit);
}

absl::StatusOr<std::vector<TaskRunRecord>> PostgresStore::ListTaskRuns(int64_t job_id, int trial) {
  return Select<TaskRunRecord>(
      "SELECT to_jsonb(r) FROM task_runs r WHERE job_id = $1 AND trial = $2 ORDER BY task_run",
      job_id, trial);
}

absl::StatusOr<std::vector<AttemptRecord>> PostgresStore::ListAttempts(
    const std::string& action_key) {
  return Select<AttemptRecord>(
      "SELECT to_jsonb(a) FROM attempts a WHERE action_key = $1 ORDER BY attempt", action_key);
}

absl::StatusOr<std::vector<EventRecord>> PostgresStore::ListEvents(int64_t job_id, int64_t after,
                                                                   int limit) {
  return Select<EventRecord>(
      "SELECT to_jsonb(e) FROM events e WHERE job_id = $1 AND sequence > $2 ORDER BY sequence "
      "LIMIT nullif(greatest($3::bigint, 0), 0)",
      job_id, after, limit);
}

absl::StatusOr<std::vector<WorkerRecord>> PostgresStore::ListWorkers() {
  return Select<WorkerRecord>("SELECT to_jsonb(w) FROM workers w ORDER BY id COLLATE \"C\"");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(const PostgresOptions& options) {
  auto store = std::make_unique<PostgresStore>(options);
  RETURN_IF_ERROR_WITH(store->Migrate(), "opening the database");
  return store;
}

}  // namespace dovetail::store

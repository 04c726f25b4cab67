#include "services/coordinator/store/postgres/rows.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"

namespace dovetail::store {
namespace {

int64_t ToInt64(const Value& value) { return static_cast<int64_t>(value.AsNumber()); }
int ToInt(const Value& value) { return static_cast<int>(value.AsNumber()); }

// Doubles travel as text: PostgreSQL reads "nan" and "inf", which JSON numbers cannot say.
Value FromDouble(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return number;
}

double ToDouble(const Value& value) {
  return value.is_string() ? std::strtod(value.AsString().c_str(), nullptr) : value.AsNumber();
}

Value FromTexts(const std::map<std::string, std::string>& texts) {
  Value value{Value::Map()};
  for (const auto& [key, text] : texts) value.Set(key, text);
  return value;
}

std::map<std::string, std::string> ToTexts(const Value& value) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, text] : value.AsMap()) texts[key] = text.AsString();
  return texts;
}

Value FromTextList(const std::vector<std::string>& texts) {
  return Value::List(texts.begin(), texts.end());
}

std::vector<std::string> ToTextList(const Value& value) {
  std::vector<std::string> texts;
  for (const Value& text : value.AsList()) texts.push_back(text.AsString());
  return texts;
}

absl::Status Spoilt(absl::string_view table, const absl::Status& why) {
  return absl::InternalError(absl::StrCat("a row of ", table, " is spoilt: ", why.message()));
}

}  // namespace

const Table& JobsTable() {
  static const Table table = {"jobs",
                              {"id"},
                              {"id", "tenant", "name", "request_id", "spec_json", "state",
                               "message", "summary", "created_ms", "finished_ms"}};
  return table;
}

const Table& TrialsTable() {
  static const Table table = {"trials",
                              {"job_id", "number"},
                              {"job_id", "number", "reference", "state", "point", "realised_cfg",
                               "suggested_from_event", "suggestion_info", "message", "tool_seconds",
                               "created_ms", "finished_ms", "finished_event"}};
  return table;
}

const Table& DesignsTable() {
  static const Table table = {"designs",
                              {"job_id", "trial", "index"},
                              {"job_id", "trial", "index", "path", "feasible", "log", "artifacts"}};
  return table;
}

const Table& MeasurementsTable() {
  static const Table table = {
      "measurements",
      {"job_id", "trial", "design", "metric"},
      {"job_id", "trial", "design", "metric", "value", "unit", "source", "standard_error"}};
  return table;
}

const Table& TaskRunsTable() {
  static const Table table = {
      "task_runs",
      {"job_id", "trial", "task_run"},
      {"job_id", "trial", "task_run", "node", "path", "iteration", "action_key", "done", "cached",
       "created_ms", "finished_ms", "finished_event"}};
  return table;
}

const Table& ActionsTable() {
  static const Table table = {
      "actions",
      {"key"},
      {"key",           "tenant",         "task",       "task_version", "parameters", "inputs",
       "seed",          "tools",          "cacheable",  "capabilities", "cpu_slots",  "finished",
       "attempt_count", "outcome",        "message",    "measurement",  "outputs",    "log_digest",
       "tool_seconds",  "peak_rss_bytes", "created_ms", "finished_ms"}};
  return table;
}

const Table& AttemptsTable() {
  static const Table table = {"attempts",
                              {"action_key", "attempt"},
                              {"action_key", "attempt", "worker", "state", "result_digest",
                               "outcome", "message", "started_ms", "finished_ms"}};
  return table;
}

const Table& EventsTable() {
  static const Table table = {"events",
                              {"job_id", "sequence"},
                              {"job_id", "sequence", "type", "payload", "created_ms"},
                              /*replaces=*/false};
  return table;
}

const Table& WorkersTable() {
  static const Table table = {"workers",
                              {"id"},
                              {"id", "tenant", "host", "capabilities", "slots", "state", "version",
                               "registered_ms", "last_seen_ms"}};
  return table;
}

const Table& SearchStatesTable() {
  static const Table table = {
      "search_states", {}, {"job_id", "after_event", "installed_event", "state"}};
  return table;
}

std::string InsertSql(const Table& table) {
  const std::string columns = absl::StrJoin(table.columns, ", ");
  std::string sql =
      absl::StrCat("INSERT INTO ", table.name, " (", columns, ") SELECT ", columns,
                   " FROM jsonb_populate_recordset(NULL::", table.name, ", $1::jsonb)");
  if (table.keys.empty() || !table.replaces) return sql;
  std::vector<std::string> assignments;
  for (const std::string& column : table.columns) {
    bool is_key = false;
    for (const std::string& key : table.keys) is_key |= key == column;
    if (!is_key) assignments.push_back(absl::StrCat(column, " = excluded.", column));
  }
  absl::StrAppend(&sql, " ON CONFLICT (", absl::StrJoin(table.keys, ", "), ") DO UPDATE SET ",
                  absl::StrJoin(assignments, ", "));
  return sql;
}

Value ToRow(const JobRecord& r) {
  Value row;
  row.Set("id", r.id).Set("tenant", r.tenant).Set("name", r.name);
  row.Set("request_id", r.request_id).Set("spec_json", r.spec_json);
  row.Set("state", JobStateName(r.state)).Set("message", r.message).Set("summary", r.summary);
  return row.Set("created_ms", r.created_ms).Set("finished_ms", r.finished_ms);
}

template <>
absl::StatusOr<JobRecord> FromRow<JobRecord>(const Value& row) {
  const auto state = ParseJobState(row["state"].AsString());
  if (!state.ok()) return Spoilt("jobs", state.status());
  JobRecord r;
  r.id = ToInt64(row["id"]);
  r.tenant = row["tenant"].AsString();
  r.name = row["name"].AsString();
  r.request_id = row["request_id"].AsString();
  r.spec_json = row["spec_json"].AsString();
  r.state = *state;
  r.message = row["message"].AsString();
  r.summary = row["summary"];
  r.created_ms = ToInt64(row["created_ms"]);
  r.finished_ms = ToInt64(row["finished_ms"]);
  return r;
}

Value ToRow(const Trial& r) {
  Value row;
  row.Set("job_id", r.job_id).Set("number", r.number).Set("reference", r.reference);
  row.Set("state", TrialStateName(r.state)).Set("point", PointToValue(r.point));
  row.Set("realised_cfg", r.realised_cfg).Set("suggested_from_event", r.suggested_from_event);
  row.Set("suggestion_info", r.suggestion_info).Set("message", r.message);
  row.Set("tool_seconds", FromDouble(r.tool_seconds)).Set("finished_event", r.finished_event);
  return row.Set("created_ms", r.created_ms).Set("finished_ms", r.finished_ms);
}

Value DesignToRow(const Trial& trial, const Design& design) {
  Value row;
  row.Set("job_id", trial.job_id).Set("trial", trial.number).Set("index", design.index);
  row.Set("path", design.path).Set("feasible", design.feasible);
  return row.Set("log", design.measurement.log).Set("artifacts", FromTexts(design.artifacts));
}

Value MetricToRow(const Trial& trial, const Design& design, const std::string& name,
                  const Metric& metric) {
  Value row;
  row.Set("job_id", trial.job_id).Set("trial", trial.number).Set("design", design.index);
  row.Set("metric", name).Set("value", FromDouble(metric.value)).Set("unit", metric.unit);
  row.Set("source", metric.source);
  return row.Set("standard_error", FromDouble(metric.standard_error));
}

template <>
absl::StatusOr<Trial> FromRow<Trial>(const Value& row) {
  const auto state = ParseTrialState(row["state"].AsString());
  if (!state.ok()) return Spoilt("trials", state.status());
  Trial r;
  r.job_id = ToInt64(row["job_id"]);
  r.number = ToInt(row["number"]);
  r.reference = row["reference"].AsString();
  r.state = *state;
  r.point = PointFromValue(row["point"]);
  r.realised_cfg = row["realised_cfg"];
  r.suggested_from_event = ToInt64(row["suggested_from_event"]);
  r.suggestion_info = row["suggestion_info"];
  r.message = row["message"].AsString();
  r.tool_seconds = ToDouble(row["tool_seconds"]);
  r.created_ms = ToInt64(row["created_ms"]);
  r.finished_ms = ToInt64(row["finished_ms"]);
  r.finished_event = ToInt64(row["finished_event"]);
  for (const Value& one : row["designs"].AsList()) {
    Design design;
    design.index = ToInt(one["index"]);
    design.path = one["path"].AsString();
    design.feasible = one["feasible"].AsBool();
    design.artifacts = ToTexts(one["artifacts"]);
    design.measurement.log = one["log"];
    for (const Value& metric : one["metrics"].AsList()) {
      design.measurement.Put(metric["metric"].AsString(), ToDouble(metric["value"]),
                             metric["unit"].AsString(), metric["source"].AsString(),
                             ToDouble(metric["standard_error"]));
    }
    r.designs.push_back(std::move(design));
  }
  return r;
}

Value ToRow(const TaskRunRecord& r) {
  Value row;
  row.Set("job_id", r.job_id).Set("trial", r.trial).Set("task_run", r.task_run);
  row.Set("node", r.node).Set("path", r.path).Set("iteration", r.iteration);
  row.Set("action_key", r.action_key).Set("done", r.done).Set("cached", r.cached);
  row.Set("created_ms", r.created_ms).Set("finished_ms", r.finished_ms);
  return row.Set("finished_event", r.finished_event);
}

template <>
absl::StatusOr<TaskRunRecord> FromRow<TaskRunRecord>(const Value& row) {
  TaskRunRecord r;
  r.job_id = ToInt64(row["job_id"]);
  r.trial = ToInt(row["trial"]);
  r.task_run = ToInt(row["task_run"]);
  r.node = row["node"].AsString();
  r.path = row["path"].AsString();
  r.iteration = ToInt(row["iteration"]);
  r.action_key = row["action_key"].AsString();
  r.done = row["done"].AsBool();
  r.cached = row["cached"].AsBool();
  r.created_ms = ToInt64(row["created_ms"]);
  r.finished_ms = ToInt64(row["finished_ms"]);
  r.finished_event = ToInt64(row["finished_event"]);
  return r;
}

Value ToRow(const ActionRecord& r) {
  Value row;
  row.Set("key", r.key).Set("tenant", r.action.tenant).Set("task", r.action.task);
  row.Set("task_version", r.action.task_version);
  row.Set("parameters", r.action.parameters.is_null() ? Value(Value::Map()) : r.action.parameters);
  row.Set("inputs", FromTexts(r.action.inputs)).Set("seed", absl::StrCat(r.action.seed));
  row.Set("tools", FromTexts(r.action.tools)).Set("cacheable", r.action.cacheable);
  row.Set("capabilities", FromTextList(r.action.capabilities));
  row.Set("cpu_slots", r.action.cpu_slots).Set("finished", r.finished);
  row.Set("attempt_count", r.attempt_count);
  row.Set("created_ms", r.created_ms).Set("finished_ms", r.finished_ms);
  if (!r.finished) return row;
  row.Set("outcome", OutcomeName(r.result.outcome)).Set("message", r.result.message);
  row.Set("measurement", r.result.measurement.ToValue());
  row.Set("outputs", FromTexts(r.result.outputs)).Set("log_digest", r.result.log_digest);
  row.Set("tool_seconds", FromDouble(r.result.tool_seconds));
  return row.Set("peak_rss_bytes", r.result.peak_rss_bytes);
}

template <>
absl::StatusOr<ActionRecord> FromRow<ActionRecord>(const Value& row) {
  ActionRecord r;
  r.key = row["key"].AsString();
  r.action.tenant = row["tenant"].AsString();
  r.action.task = row["task"].AsString();
  r.action.task_version = ToInt(row["task_version"]);
  r.action.parameters = row["parameters"];
  r.action.inputs = ToTexts(row["inputs"]);
  if (!absl::SimpleAtoi(row["seed"].AsString(), &r.action.seed)) {
    return Spoilt("actions", absl::InternalError("the seed is not a number"));
  }
  r.action.tools = ToTexts(row["tools"]);
  r.action.cacheable = row["cacheable"].AsBool();
  r.action.capabilities = ToTextList(row["capabilities"]);
  r.action.cpu_slots = ToInt(row["cpu_slots"]);
  r.finished = row["finished"].AsBool();
  r.attempt_count = ToInt(row["attempt_count"]);
  r.created_ms = ToInt64(row["created_ms"]);
  r.finished_ms = ToInt64(row["finished_ms"]);
  if (!r.finished) return r;
  const auto outcome = ParseOutcome(row["outcome"].AsString());
  if (!outcome.ok()) return Spoilt("actions", outcome.status());
  r.result.outcome = *outcome;
  r.result.message = row["message"].AsString();
  auto measurement = Measurement::FromValue(row["measurement"]);
  if (!measurement.ok()) return Spoilt("actions", measurement.status());
  r.result.measurement = *std::move(measurement);
  r.result.outputs = ToTexts(row["outputs"]);
  r.result.log_digest = row["log_digest"].AsString();
  r.result.tool_seconds = ToDouble(row["tool_seconds"]);
  r.result.peak_rss_bytes = ToInt64(row["peak_rss_bytes"]);
  return r;
}

Value ToRow(const AttemptRecord& r) {
  Value row;
  row.Set("action_key", r.action_key).Set("attempt", r.attempt).Set("worker", r.worker);
  row.Set("state", r.state).Set("result_digest", r.result_digest);
  row.Set("outcome", OutcomeName(r.outcome)).Set("message", r.message);
  return row.Set("started_ms", r.started_ms).Set("finished_ms", r.finished_ms);
}

template <>
absl::StatusOr<AttemptRecord> FromRow<AttemptRecord>(const Value& row) {
  const auto outcome = ParseOutcome(row["outcome"].AsString());
  if (!outcome.ok()) return Spoilt("attempts", outcome.status());
  AttemptRecord r;
  r.action_key = row["action_key"].AsString();
  r.attempt = ToInt(row["attempt"]);
  r.worker = row["worker"].AsString();
  r.state = row["state"].AsString();
  r.result_digest = row["result_digest"].AsString();
  r.outcome = *outcome;
  r.message = row["message"].AsString();
  r.started_ms = ToInt64(row["started_ms"]);
  r.finished_ms = ToInt64(row["finished_ms"]);
  return r;
}

Value ToRow(const EventRecord& r) {
  Value row;
  row.Set("job_id", r.job_id).Set("sequence", r.sequence).Set("type", r.type);
  return row.Set("payload", r.payload).Set("created_ms", r.created_ms);
}

template <>
absl::StatusOr<EventRecord> FromRow<EventRecord>(const Value& row) {
  EventRecord r;
  r.job_id = ToInt64(row["job_id"]);
  r.sequence = ToInt64(row["sequence"]);
  r.type = row["type"].AsString();
  r.payload = row["payload"];
  r.created_ms = ToInt64(row["created_ms"]);
  return r;
}

Value ToRow(const WorkerRecord& r) {
  Value row;
  row.Set("id", r.id).Set("tenant", r.tenant).Set("host", r.host);
  row.Set("capabilities", FromTextList(r.capabilities)).Set("slots", r.slots);
  row.Set("state", r.state).Set("version", r.version);
  return row.Set("registered_ms", r.registered_ms).Set("last_seen_ms", r.last_seen_ms);
}

template <>
absl::StatusOr<WorkerRecord> FromRow<WorkerRecord>(const Value& row) {
  WorkerRecord r;
  r.id = row["id"].AsString();
  r.tenant = row["tenant"].AsString();
  r.host = row["host"].AsString();
  r.capabilities = ToTextList(row["capabilities"]);
  r.slots = ToInt(row["slots"]);
  r.state = row["state"].AsString();
  r.version = row["version"].AsString();
  r.registered_ms = ToInt64(row["registered_ms"]);
  r.last_seen_ms = ToInt64(row["last_seen_ms"]);
  return r;
}

Value ToRow(const SearchStateRecord& r) {
  Value row;
  row.Set("job_id", r.job_id).Set("after_event", r.after_event);
  return row.Set("installed_event", r.installed_event).Set("state", r.state);
}

template <>
absl::StatusOr<SearchStateRecord> FromRow<SearchStateRecord>(const Value& row) {
  SearchStateRecord r;
  r.job_id = ToInt64(row["job_id"]);
  r.after_event = ToInt64(row["after_event"]);
  r.installed_event = ToInt64(row["installed_event"]);
  r.state = row["state"];
  return r;
}

std::string ToJsonb(const Value& value) {
  std::string json = value.ToJson();
  size_t backslashes = 0;
  for (size_t i = 0; i + 5 < json.size(); ++i) {
    if (json[i] != '\\') {
      backslashes = 0;
      continue;
    }
    ++backslashes;
    if (backslashes % 2 == 1 && json.compare(i + 1, 5, "u0000") == 0) {
      json.replace(i + 2, 4, "fffd");
    }
  }
  return json;
}

}  // namespace dovetail::store

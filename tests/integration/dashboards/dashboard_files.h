// Grafana's dashboards as data: what each panel asks, with Grafana's macros filled in. Called by
// the tests of deploy/grafana.
#ifndef DOVETAIL_TESTS_INTEGRATION_DASHBOARDS_DASHBOARD_FILES_H_
#define DOVETAIL_TESTS_INTEGRATION_DASHBOARDS_DASHBOARD_FILES_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/domain/value.h"

namespace dovetail::testing {

struct PanelQuery {
  std::string dashboard;
  std::string panel;
  bool is_sql = false;
  std::string text;
  bool may_be_empty = false;  // the description says "Empty is good."
};

inline absl::StatusOr<Value> ReadDashboard(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string json, ReadFile(file));
  return Value::FromJson(json);
}

inline std::vector<PanelQuery> PanelQueries(const Value& dashboard) {
  std::vector<PanelQuery> queries;
  for (const Value& variable : dashboard["templating"]["list"].AsList()) {
    queries.push_back({dashboard["uid"].AsString(), "variable " + variable["name"].AsString(), true,
                       variable["query"].AsString(), false});
  }
  for (const Value& panel : dashboard["panels"].AsList()) {
    for (const Value& target : panel["targets"].AsList()) {
      PanelQuery query;
      query.dashboard = dashboard["uid"].AsString();
      query.panel = panel["title"].AsString();
      query.is_sql = target.Has("rawSql");
      query.text = query.is_sql ? target["rawSql"].AsString() : target["expr"].AsString();
      query.may_be_empty =
          panel["description"].AsString().find("Empty is good.") != std::string::npos;
      queries.push_back(query);
    }
  }
  return queries;
}

// $__timeFilter(x) -> a range that holds everything recent; variables and intervals likewise.
inline std::string FillMacros(std::string text, int64_t job_id) {
  const std::string macro = "$__timeFilter(";
  for (size_t at; (at = text.find(macro)) != std::string::npos;) {
    const size_t end = text.find(')', at);
    const std::string column = text.substr(at + macro.size(), end - at - macro.size());
    text.replace(at, end - at + 1,
                 absl::StrCat("(", column, " BETWEEN now() - interval '1 hour' AND now())"));
  }
  return absl::StrReplaceAll(text,
                             {{"$__rate_interval", "15s"}, {"$job_id", absl::StrCat(job_id)}});
}

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_INTEGRATION_DASHBOARDS_DASHBOARD_FILES_H_

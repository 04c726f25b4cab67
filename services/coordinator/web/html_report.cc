#include "services/coordinator/web/html_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "services/coordinator/web/flow_picture.h"
#include "services/coordinator/web/plot.h"
#include "services/coordinator/web/table.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::report {
namespace {

constexpr char kStyle[] = R"(
body{font:15px/1.5 system-ui,sans-serif;color:#1b2430;max-width:1100px;margin:2em auto;padding:0 1em}
h1{font-size:1.6em;margin-bottom:.1em}h2{font-size:1.2em;margin-top:1.8em}
table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}
th,td{padding:3px 9px;border-bottom:1px solid #dde3ea;text-align:left;white-space:nowrap}
td.n{text-align:right;font-variant-numeric:tabular-nums}th{background:#f3f6f9}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1b2430}
svg .title{font-weight:600}svg .tick{font-size:11px;fill:#52606d}svg .axis{font-size:12px}
.grid{stroke:#e6ebf0;fill:none}.frame{stroke:#9aa5b1;fill:none}.line{fill:none;stroke-width:1.5}
.front circle{fill:#0b6e4f}.front .line{stroke:#0b6e4f}.feasible circle{fill:#6fb98f}
.infeasible circle{fill:none;stroke:#b0bac5}.reference circle{fill:#c8553d}.best .line{stroke:#2457a6}
.best circle{fill:#2457a6}.float .line{stroke:#c8553d;stroke-dasharray:5 4}.float circle{fill:#c8553d}
.box{fill:#f3f6f9;stroke:#9aa5b1}.edge{stroke:#52606d;fill:none}.back{stroke-dasharray:4 3}
.flow .task{font-weight:600}.muted{color:#52606d}li{margin:.2em 0}
)";

std::optional<double> Of(const Measurement& measurement, const std::string& metric) {
  if (!measurement.Has(metric)) return std::nullopt;
  return measurement.Get(metric);
}

std::string Goals(const JobReport& report) {
  std::string out;
  for (const Objective& objective : report.spec.objectives) {
    absl::StrAppend(&out, out.empty() ? "" : ", ",
                    objective.goal == Goal::kMaximize ? "maximize " : "minimize ",
                    objective.metric);
  }
  for (const Constraint& constraint : report.spec.constraints) {
    const std::string base =
        constraint.relative_to.empty() ? "" : absl::StrCat(constraint.relative_to, " + ");
    if (constraint.at_least) {
      absl::StrAppend(&out, "; ", constraint.metric, " at least ", base,
                      NumberToText(*constraint.at_least));
    }
    if (constraint.at_most) {
      absl::StrAppend(&out, "; ", constraint.metric, " at most ", base,
                      NumberToText(*constraint.at_most));
    }
  }
  return out;
}

// The two metrics of the scatter: the objectives where there are two, else accuracy over LUTs.
std::pair<std::string, std::string> ScatterMetrics(const JobReport& report) {
  std::string x = "lut";
  std::string y = "accuracy";
  for (const Objective& objective : report.spec.objectives) {
    if (objective.metric == "accuracy" || objective.metric == "lut") continue;
    if (report.spec.objectives.size() == 2) {
      (objective.goal == Goal::kMaximize ? y : x) = objective.metric;
    }
  }
  return {x, y};
}

std::string TrialLabel(int trial, const Measurement& measurement, const std::string& x_metric,
                       const std::string& y_metric) {
  return absl::StrFormat("trial %d: %s %.4g, %s %s", trial, y_metric, measurement.Get(y_metric),
                         x_metric, Grouped(measurement.Get(x_metric)));
}

Plot Scatter(const JobReport& report) {
  const auto [x_metric, y_metric] = ScatterMetrics(report);
  Plot plot{.title = absl::StrCat(y_metric, " over ", x_metric),
            .x_title = absl::StrCat(x_metric, " (log scale)"),
            .y_title = absl::StrCat(y_metric, ", validation split"),
            .log_x = true,
            .width_px = 760,
            .height_px = 460};
  PlotSeries infeasible{.name = "infeasible", .css_class = "infeasible"};
  PlotSeries feasible{.name = "feasible", .css_class = "feasible"};
  PlotSeries front{.name = "front", .css_class = "front", .steps = true};
  PlotSeries references{.name = "references", .css_class = "reference", .text = true};
  for (const Trial& trial : report.trials) {
    for (const Design& design : trial.designs) {
      const auto x = Of(design.measurement, x_metric);
      const auto y = Of(design.measurement, y_metric);
      if (!x || !y) continue;
      (design.feasible ? feasible : infeasible)
          .points.push_back(
              {*x, *y, TrialLabel(trial.number, design.measurement, x_metric, y_metric)});
    }
  }
  for (const FrontDesign& one : report.front) {
    const auto x = Of(one.design.measurement, x_metric);
    const auto y = Of(one.design.measurement, y_metric);
    if (!x || !y) continue;
    front.points.push_back(
        {*x, *y, TrialLabel(one.trial, one.design.measurement, x_metric, y_metric)});
  }
  std::sort(front.points.begin(), front.points.end(),
            [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
  for (const Trial& trial : report.references) {
    if (trial.designs.empty()) continue;
    const auto x = Of(trial.designs.front().measurement, x_metric);
    const auto y = Of(trial.designs.front().measurement, y_metric);
    if (x && y) references.points.push_back({*x, *y, trial.reference});
  }
  plot.series = {infeasible, feasible, front, references};
  return plot;
}

// The best value of one objective among the feasible designs of the trials up to each.
Plot BestSoFar(const JobReport& report, const Objective& objective) {
  Plot plot{.title = absl::StrCat("best ", objective.metric, " so far, feasible designs"),
            .x_title = "trial",
            .y_title = objective.metric,
            .width_px = 520,
            .height_px = 300};
  PlotSeries best{.name = "", .css_class = "best", .dots = false, .steps = true};
  std::optional<double> value;
  for (const Trial& trial : report.trials) {
    for (const Design& design : trial.designs) {
      const auto measured = Of(design.measurement, objective.metric);
      if (!design.feasible || !measured) continue;
      const bool better =
          !value || (objective.goal == Goal::kMaximize ? *measured > *value : *measured < *value);
      if (better) value = measured;
    }
    if (value) best.points.push_back({static_cast<double>(trial.number), *value, ""});
  }
  if (best.points.size() == 1) best.dots = true;
  plot.series = {best};
  if (objective.metric == "accuracy" && !best.points.empty()) {
    const auto it = report.measured.find("float_network");
    if (it != report.measured.end() && it->second.Has("accuracy")) {
      const double accuracy = it->second.Get("accuracy");
      plot.series.push_back(
          {.name = "float network",
           .css_class = "float",
           .points = {{best.points.front().x, accuracy, ""}, {best.points.back().x, accuracy, ""}},
           .dots = false,
           .steps = true});
    }
  }
  return plot;
}

// Metric -> unit and the tools or models that gave it, over the front and the references.
Table Provenance(const JobReport& report) {
  std::map<std::string, std::pair<std::set<std::string>, std::set<std::string>>> all;
  const auto add = [&all](const Measurement& measurement) {
    for (const auto& [name, metric] : measurement.metrics) {
      all[name].first.insert(metric.unit);
      all[name].second.insert(metric.source);
    }
  };
  for (const FrontDesign& one : report.front) add(one.design.measurement);
  for (const Trial& trial : report.references) {
    for (const Design& design : trial.designs) add(design.measurement);
  }
  Table table{.header = {"number", "unit", "measured or computed by"}};
  const auto join = [](const std::set<std::string>& names) {
    std::string out;
    for (const std::string& name : names) absl::StrAppend(&out, out.empty() ? "" : "; ", name);
    return out;
  };
  for (const auto& [name, one] : all) {
    table.rows.push_back({name, join(one.first), join(one.second)});
  }
  return table;
}

Table Versions(const JobReport& report) {
  Table table{.header = {"what", "version"}};
  table.rows.push_back({"dovetail", report.version});
  for (const auto& [tool, version] : report.tools) table.rows.push_back({tool, version});
  table.rows.push_back({"network (SHA-256)", report.spec.network_digest});
  table.rows.push_back({"dataset (SHA-256)", report.spec.dataset_digest});
  table.rows.push_back({"search strategy", report.spec.search.strategy});
  table.rows.push_back({"search seed", absl::StrCat(report.spec.search.seed)});
  std::string seeds;
  for (const uint64_t seed : report.spec.evaluation_seeds) {
    absl::StrAppend(&seeds, seeds.empty() ? "" : ", ", seed);
  }
  table.rows.push_back({"evaluation seeds", seeds});
  return table;
}

std::string Facts(const JobReport& report) {
  std::map<std::string, int> states;
  for (const Trial& trial : report.trials) ++states[std::string(TrialStateName(trial.state))];
  std::string counts;
  for (const auto& [state, count] : states) absl::StrAppend(&counts, ", ", count, " ", state);
  std::string out = absl::StrCat(
      "<p class=\"muted\">Job ", report.job_id, ", ", JobStateName(report.state),
      report.message.empty() ? "" : ": ", EscapeHtml(report.message), ". ", report.trials.size(),
      " trials", counts, ". Part ", EscapeHtml(report.spec.part), ", clock period ",
      NumberToText(report.spec.clock_period_ns), " ns. ", report.task_runs, " task runs, ",
      report.cached_task_runs, " of them from the cache; ",
      absl::StrFormat("%.1f", report.tool_seconds), " s of tool time");
  if (report.finished_ms > report.created_ms) {
    absl::StrAppendFormat(&out, ", %.1f s from submission to end",
                          static_cast<double>(report.finished_ms - report.created_ms) / 1000);
  }
  if (report.created_ms > 0) {
    absl::StrAppend(&out, ". Submitted ",
                    absl::FormatTime("%Y-%m-%d %H:%M:%S UTC",
                                     absl::FromUnixMillis(report.created_ms), absl::UTCTimeZone()));
  }
  return out + ".</p>\n";
}

}  // namespace

std::string HtmlReport(const JobReport& report) {
  const std::string name = EscapeHtml(report.spec.name);
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>",
      name, " - Dovetail</title>\n<style>", kStyle, "</style></head><body>\n<h1>", name,
      "</h1>\n<p>", EscapeHtml(Goals(report)), ".</p>\n", Facts(report));
  const std::vector<std::string> sentences = ComparisonSentences(report);
  if (!sentences.empty()) {
    out += "<h2>Result</h2>\n<ul>\n";
    for (const std::string& one : sentences)
      absl::StrAppend(&out, "<li>", EscapeHtml(one), "</li>\n");
    out += "</ul>\n";
  }
  absl::StrAppend(&out, "<h2>Designs</h2>\n", ToSvg(Scatter(report)), "<h2>Pareto front</h2>\n",
                  report.front.empty() ? "<p>No feasible design was found.</p>\n"
                                       : ToHtml(FrontForPeople(report)),
                  "<h2>References</h2>\n", ToHtml(ReferencesForPeople(report)),
                  "<h2>Over the trials</h2>\n");
  for (const Objective& objective : report.spec.objectives) {
    out += ToSvg(BestSoFar(report, objective));
  }
  absl::StrAppend(
      &out, "<h2>Flow</h2>\n", FlowSvg(report.spec.flow), "<h2>Where the numbers come from</h2>\n",
      "<p>Selection uses the validation split; the test split is read once, for this report. "
      "Timing is estimated by a delay model unless a column says placed or vendor: without place "
      "and route it is no promise. LUT counts are of the open synthesis flow, which does not pack "
      "two small functions into one LUT.</p>\n",
      ToHtml(Provenance(report)), "<h2>Versions and seeds</h2>\n", ToHtml(Versions(report)),
      "</body></html>\n");
  return out;
}

}  // namespace dovetail::report

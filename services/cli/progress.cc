#include "services/cli/progress.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/cli/job_results.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::cli {
namespace {

const v1::Metric* Find(const v1::Measurement& measurement, const std::string& name) {
  const auto it = measurement.metrics().find(name);
  return it == measurement.metrics().end() ? nullptr : &it->second;
}

double FloatAccuracy(const v1::Job& job) {
  const auto& summary = job.summary().fields();
  const auto references = summary.find("references");
  if (references == summary.end()) return NAN;
  const google::protobuf::Struct* level = &references->second.struct_value();
  for (const char* key : {"float_network", "metrics", "accuracy"}) {
    const auto it = level->fields().find(key);
    if (it == level->fields().end()) return NAN;
    level = &it->second.struct_value();
  }
  const auto it = level->fields().find("value");
  return it == level->fields().end() ? NAN : it->second.number_value();
}

std::string StateText(const v1::Job& job) {
  switch (job.state()) {
    case v1::JOB_STATE_PREPARING:
      return "preparing";
    case v1::JOB_STATE_RUNNING:
      return "running";
    case v1::JOB_STATE_FINISHING:
      return "verifying the front";
    case v1::JOB_STATE_SUCCEEDED:
      return "succeeded";
    case v1::JOB_STATE_FAILED:
      return "failed";
    case v1::JOB_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown state";
  }
}

std::string Duration(double seconds) {
  const int whole = static_cast<int>(std::lround(seconds));
  if (whole >= 3600)
    return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
  return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
}

size_t TerminalColumns(FILE* stream) {
  winsize size{};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
  return size.ws_col;
}

}  // namespace

double EtaEstimate::Update(int finished, int wanted, int64_t now_ms) {
  if (!started_) {
    started_ = true;
    start_finished_ = finished;
    start_ms_ = now_ms;
  }
  const int done = finished - start_finished_;
  if (done <= 0 || wanted <= 0) return -1;
  const double per_trial = static_cast<double>(now_ms - start_ms_) / 1000 / done;
  return per_trial * std::max(0, wanted - finished);
}

std::string BestText(const v1::Job& job, const v1::GetFrontResponse& front) {
  const double float_accuracy = FloatAccuracy(job);
  const v1::Design* best = nullptr;
  for (const v1::Design& design : front.designs()) {
    const v1::Metric* accuracy = Find(design.measurement(), "accuracy");
    const v1::Metric* lut = Find(design.measurement(), "lut");
    if (accuracy == nullptr || lut == nullptr ||
        !(accuracy->value() >= float_accuracy - report::kComparedAccuracyLoss)) {
      continue;
    }
    if (best == nullptr || lut->value() < Find(best->measurement(), "lut")->value()) {
      best = &design;
    }
  }
  if (best != nullptr) {
    return absl::StrFormat("%s LUT at %.4f",
                           report::Grouped(Find(best->measurement(), "lut")->value()),
                           Find(best->measurement(), "accuracy")->value());
  }
  if (job.spec().objectives().empty()) return "";
  const v1::Objective& objective = job.spec().objectives(0);
  const double sign = objective.goal() == v1::GOAL_MAXIMIZE ? -1 : 1;
  double value = HUGE_VAL;
  for (const v1::Design& design : front.designs()) {
    if (const v1::Metric* metric = Find(design.measurement(), objective.metric())) {
      value = std::min(value, sign * metric->value());
    }
  }
  if (!std::isfinite(value)) return "";
  return absl::StrFormat("%s %.5g", objective.metric(), sign * value);
}

std::string ProgressText(const v1::Job& job, const v1::GetFrontResponse& front,
                         double eta_seconds) {
  const v1::JobProgress& progress = job.progress();
  std::string line = StateText(job);
  absl::StrAppend(&line, "  ", progress.trials_finished());
  if (job.spec().budget().trials() > 0) absl::StrAppend(&line, "/", job.spec().budget().trials());
  absl::StrAppend(&line, " trials, ", progress.trials_feasible(), " feasible");
  if (progress.trials_abandoned() > 0) {
    absl::StrAppend(&line, ", ", progress.trials_abandoned(), " abandoned");
  }
  absl::StrAppend(&line, ", front ", progress.front_size());
  if (const std::string best = BestText(job, front); !best.empty()) {
    absl::StrAppend(&line, ", best ", best);
  }
  if (job.state() == v1::JOB_STATE_RUNNING && eta_seconds >= 0) {
    absl::StrAppend(&line, ", ", Duration(eta_seconds), " left");
  }
  return line;
}

void ProgressPrinter::Show(const std::string& line, const std::string& key) {
  if (!terminal_) {
    if (key != last_key_) Say(line);
    last_key_ = key;
    return;
  }
  // A line that wraps could not be rewritten.
  const std::string fitting = line.substr(0, TerminalColumns(stream_) - 1);
  Erase();
  std::fprintf(stream_, "%s", fitting.c_str());
  std::fflush(stream_);
  shown_ = fitting.size();
}

void ProgressPrinter::Say(const std::string& line) {
  Erase();
  std::fprintf(stream_, "%s\n", line.c_str());
  std::fflush(stream_);
}

void ProgressPrinter::Erase() {
  if (shown_ == 0) return;
  std::fprintf(stream_, "\r%s\r", std::string(shown_, ' ').c_str());
  shown_ = 0;
}

void ProgressPrinter::Close() {
  if (shown_ == 0) return;
  std::fprintf(stream_, "\n");
  std::fflush(stream_);
  shown_ = 0;
}

}  // namespace dovetail::cli

// Structured log lines. Called from every room that runs in a daemon. Knows nothing of who reads
// them; this room alone includes spdlog.
#ifndef DOVETAIL_COMMON_TELEMETRY_LOG_H_
#define DOVETAIL_COMMON_TELEMETRY_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace dovetail {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };
// Errors: InvalidArgument with the known names: debug, info, warning, error, off.
absl::Status ParseLogLevel(absl::string_view name, LogLevel& level);

// One key and its value: {"job", 7}, {"trial", 12}, {"worker", id}.
struct LogField {
  LogField(absl::string_view k, absl::string_view v) : key(k), value(v), is_text(true) {}
  LogField(absl::string_view k, const std::string& v) : key(k), value(v), is_text(true) {}
  LogField(absl::string_view k, const char* v) : key(k), value(v), is_text(true) {}
  LogField(absl::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <typename Number>
  LogField(absl::string_view k, Number v) : key(k), value(absl::StrCat(v)) {}

  std::string key;
  std::string value;
  bool is_text = false;
};

struct LogOptions {
  std::string logger = "dovetail";  // the process: "coordinator", "worker"
  LogLevel level = LogLevel::kInfo;
  bool json = false;  // one JSON object a line, else time, level, logger, message, key=value
  std::string file;   // appended to, kept to 3 files of 64 MiB; "": standard error
};

// Once at start-up, before other threads. Without it warnings and errors go to standard error.
// Errors: FailedPrecondition: the file cannot be opened.
absl::Status InitLogging(const LogOptions& options);

// Thread-safe. Never fails, never blocks on more than the sink.
void Log(LogLevel level, absl::string_view message, const std::vector<LogField>& fields = {});
// For work that is worth skipping where the line would not be written.
bool LogIsOn(LogLevel level);

inline void LogDebug(absl::string_view message, const std::vector<LogField>& fields = {}) {
  if (LogIsOn(LogLevel::kDebug)) Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(absl::string_view message, const std::vector<LogField>& fields = {}) {
  Log(LogLevel::kError, message, fields);
}

// What a line holds after its time, level and logger. For tests.
std::string FormatLogText(absl::string_view message, const std::vector<LogField>& fields);
std::string FormatLogJson(absl::string_view message, const std::vector<LogField>& fields);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_TELEMETRY_LOG_H_

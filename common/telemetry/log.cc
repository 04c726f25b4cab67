#include "common/telemetry/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

namespace dovetail {
namespace {

constexpr size_t kFileBytes = 64 << 20;
constexpr size_t kFileCount = 3;

struct Logger {
  std::shared_ptr<spdlog::logger> sink;
  bool json = false;
};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

// Lines of a logger all have the shape its readers parse; times are UTC.
void Configure(spdlog::logger& sink, LogLevel level, bool json) {
  const std::string pattern =
      json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","logger":"%n",%v})"
           : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v";
  sink.set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  sink.set_level(ToSpdlog(level));
  sink.flush_on(spdlog::level::info);
}

Logger& Current() {
  // Never destroyed: threads may log while the process ends.
  static Logger* const logger = [] {
    auto* made = new Logger;
    made->sink = std::make_shared<spdlog::logger>(
        "dovetail", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    Configure(*made->sink, LogLevel::kWarning, false);
    return made;
  }();
  return *logger;
}

void AppendJsonString(std::string& out, absl::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\u", absl::Hex(byte, absl::kZeroPad4));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

bool NeedsQuotes(absl::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

}  // namespace

absl::Status ParseLogLevel(absl::string_view name, LogLevel& level) {
  if (name == "debug")
    level = LogLevel::kDebug;
  else if (name == "info")
    level = LogLevel::kInfo;
  else if (name == "warning")
    level = LogLevel::kWarning;
  else if (name == "error")
    level = LogLevel::kError;
  else if (name == "off")
    level = LogLevel::kOff;
  else
    return absl::InvalidArgumentError(
        absl::StrCat("unknown log level '", name, "': one of debug, info, warning, error, off"));
  return absl::OkStatus();
}

absl::Status InitLogging(const LogOptions& options) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (options.file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    try {
      sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, kFileBytes,
                                                                    kFileCount);
    } catch (const spdlog::spdlog_ex& error) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot open the log file ", options.file, ": ", error.what()));
    }
  }
  auto logger = std::make_shared<spdlog::logger>(options.logger, std::move(sink));
  Configure(*logger, options.level, options.json);
  Current() = {std::move(logger), options.json};
  return absl::OkStatus();
}

bool LogIsOn(LogLevel level) { return Current().sink->should_log(ToSpdlog(level)); }

void Log(LogLevel level, absl::string_view message, const std::vector<LogField>& fields) {
  const Logger& logger = Current();
  if (level == LogLevel::kOff || !logger.sink->should_log(ToSpdlog(level))) return;
  const std::string line =
      logger.json ? FormatLogJson(message, fields) : FormatLogText(message, fields);
  logger.sink->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string FormatLogText(absl::string_view message, const std::vector<LogField>& fields) {
  std::string line;
  // A line stays one line, whatever a message carries.
  for (const char c : message) line.push_back(c == '\n' || c == '\r' ? ' ' : c);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      AppendJsonString(line, field.value);
    } else {
      line.append(field.value);
    }
  }
  return line;
}

std::string FormatLogJson(absl::string_view message, const std::vector<LogField>& fields) {
  std::string line = "\"message\":";
  AppendJsonString(line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    AppendJsonString(line, field.key);
    line.push_back(':');
    // Infinities and NaN are no JSON numbers.
    const bool plain = !field.is_text && field.value.find_first_of("nN") == std::string::npos;
    if (plain || field.value == "true" || field.value == "false") {
      line.append(field.value);
    } else {
      AppendJsonString(line, field.value);
    }
  }
  return line;
}

}  // namespace dovetail

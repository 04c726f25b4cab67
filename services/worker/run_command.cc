#include "services/worker/run_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/domain/task_info.h"
#include "services/worker/run_task.h"
#include "services/worker/task_outputs.h"

namespace dovetail {
namespace {

constexpr int64_t kMaxParametersBytes = 64 << 20;

absl::StatusOr<std::map<std::string, std::string>> ParseInputs(
    const std::vector<std::string>& inputs) {
  std::map<std::string, std::string> files;
  for (const std::string& input : inputs) {
    const size_t equals = input.find('=');
    if (equals == std::string::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("--in takes NAME=FILE, not \"", input, "\""));
    }
    if (!files.emplace(input.substr(0, equals), input.substr(equals + 1)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--in ", input.substr(0, equals), " is given twice"));
    }
  }
  return files;
}

// Appends a line in one write, so that a reader sees whole lines.
void AppendProgress(const std::string& file, const Value& value) {
  const std::string line = value.ToJson() + "\n";
  if (file.empty()) {
    std::fputs(line.c_str(), stderr);
    return;
  }
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return;
  WriteAll(fd, line, file).IgnoreError();
  close(fd);
}

absl::StatusOr<Measurement> Run(const TaskRegistry& registry, const RunCommandOptions& options) {
  RunTaskRequest request;
  request.task = options.task;
  ASSIGN_OR_RETURN(request.input_files, ParseInputs(options.inputs));
  std::string parameters = options.parameters;
  if (!parameters.empty() && parameters[0] == '@') {
    ASSIGN_OR_RETURN_WITH(parameters, ReadFile(parameters.substr(1), kMaxParametersBytes),
                          "--params");
  }
  ASSIGN_OR_RETURN_WITH(request.parameters, Value::FromJson(parameters), "--params");
  if (!request.parameters.is_map()) {
    return absl::InvalidArgumentError("--params takes a JSON object, as '{\"rate\": 0.5}'");
  }
  request.seed = options.seed;
  request.thread_count = options.thread_count;
  request.cache_directory = options.cache_directory;
  request.output_directory = options.output_directory;
  request.progress = [file = options.progress_file](const Value& value) {
    AppendProgress(file, value);
  };
  return RunTask(registry, request);
}

std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\r", " "}});
}

const char* KindName(TaskKind kind) {
  switch (kind) {
    case TaskKind::kOptimize:
      return "O";
    case TaskKind::kTransform:
      return "lambda";
    case TaskKind::kControl:
      return "K";
  }
  return "?";
}

Value PortsValue(const std::vector<PortInfo>& ports) {
  Value list{Value::List()};
  for (const PortInfo& port : ports) {
    Value one;
    one.Set("name", port.name).Set("type", port.type).Set("optional", port.optional);
    list.Append(std::move(one));
  }
  return list;
}

Value TextsValue(const std::vector<std::string>& texts) {
  Value list{Value::List()};
  for (const std::string& text : texts) list.Append(text);
  return list;
}

Value InfoValue(const TaskInfo& info) {
  Value parameters{Value::List()};
  for (const ParameterInfo& parameter : info.parameters) {
    Value one;
    one.Set("name", parameter.name).Set("type", parameter.type);
    one.Set("default", parameter.default_value).Set("unit", parameter.unit);
    one.Set("description", parameter.description);
    parameters.Append(std::move(one));
  }
  Value value;
  value.Set("name", info.name).Set("kind", KindName(info.kind)).Set("version", info.version);
  value.Set("purpose", info.purpose).Set("inputs", PortsValue(info.inputs));
  value.Set("outputs", PortsValue(info.outputs)).Set("parameters", std::move(parameters));
  value.Set("metrics", TextsValue(info.metrics));
  value.Set("capabilities", TextsValue(info.capabilities)).Set("tools", TextsValue(info.tools));
  value.Set("uses_seed", info.uses_seed).Set("cpu_slots", info.cpu_slots);
  return value;
}

std::string PortNames(const std::vector<PortInfo>& ports) {
  return absl::StrJoin(ports, " ", [](std::string* out, const PortInfo& port) {
    absl::StrAppend(out, port.name, port.optional ? "?" : "");
  });
}

}  // namespace

std::string OwnBinary() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length <= 0 ? "" : std::string(path, static_cast<size_t>(length));
}

int RunCommand(const TaskRegistry& registry, const RunCommandOptions& options) {
  const absl::StatusOr<Measurement> measurement = Run(registry, options);
  absl::Status status = measurement.status();
  if (status.ok()) status = WriteOutcome(options.output_directory, Outcome::kOk, "");
  if (status.ok()) {
    std::printf("%s\n", measurement->ToValue().ToJson().c_str());
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  const std::string message = OneLine(status.message());
  std::fprintf(stderr, "dovetail-worker: %s: %s\n", options.task.c_str(), message.c_str());
  const absl::Status written =
      WriteOutcome(options.output_directory, OutcomeOfStatus(status), message);
  if (!written.ok()) {
    std::fprintf(stderr, "dovetail-worker: %s\n", OneLine(written.message()).c_str());
  }
  return 1;
}

int TasksCommand(bool json) {
  Value all{Value::List()};
  if (!json) std::printf("%-14s %-6s %-28s %-22s %s\n", "TASK", "KIND", "IN", "OUT", "PURPOSE");
  for (const TaskInfo& info : TaskCatalogue()) {
    if (json) {
      all.Append(InfoValue(info));
    } else {
      std::printf("%-14s %-6s %-28s %-22s %s\n", info.name.c_str(), KindName(info.kind),
                  PortNames(info.inputs).c_str(), PortNames(info.outputs).c_str(),
                  info.purpose.c_str());
    }
  }
  if (json) std::printf("%s\n", all.ToJson().c_str());
  return 0;
}

}  // namespace dovetail

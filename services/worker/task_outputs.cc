#include "services/worker/task_outputs.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/domain/value.h"

namespace dovetail {
namespace {

namespace fs = std::filesystem;

absl::Status MakeDirectories(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot make ", directory));
  return absl::OkStatus();
}

}  // namespace

TaskOutputs::TaskOutputs(std::string directory, const TaskInfo& info)
    : directory_(std::move(directory)),
      root_(absl::StrCat(directory_, "/.task-", UniqueName())),
      info_(info) {}

TaskOutputs::~TaskOutputs() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

absl::StatusOr<std::unique_ptr<TaskOutputs>> TaskOutputs::Open(const std::string& directory,
                                                               const TaskInfo& info) {
  std::unique_ptr<TaskOutputs> outputs(new TaskOutputs(directory, info));
  RETURN_IF_ERROR(MakeDirectories(outputs->staging_directory()));
  RETURN_IF_ERROR(MakeDirectories(outputs->scratch_directory()));
  std::error_code ignored;
  for (const char* file : {kOutcomeFile, kMeasurementFile}) {
    fs::remove(absl::StrCat(directory, "/", file), ignored);
  }
  for (const PortInfo& port : info.outputs) {
    fs::remove(absl::StrCat(directory, "/", port.name), ignored);
  }
  return outputs;
}

absl::Status TaskOutputs::Publish(const Measurement& measurement) {
  for (const PortInfo& port : info_.outputs) {
    std::error_code error;
    const bool there = fs::is_regular_file(staging_directory() + "/" + port.name, error);
    if (!there && !port.optional) {
      return absl::InternalError(
          absl::StrCat("task ", info_.name, " did not write its output \"", port.name, "\""));
    }
  }
  for (const PortInfo& port : info_.outputs) {
    const std::string to = absl::StrCat(directory_, "/", port.name);
    const std::string from = absl::StrCat(staging_directory(), "/", port.name);
    if (std::rename(from.c_str(), to.c_str()) != 0 && !(port.optional && errno == ENOENT)) {
      return ErrnoStatus(errno, absl::StrCat("cannot write ", to));
    }
  }
  return WriteFileAtomically(absl::StrCat(directory_, "/", kMeasurementFile),
                             measurement.ToValue().ToJson() + "\n", Durability::kUnsynced);
}

absl::Status WriteOutcome(const std::string& directory, Outcome outcome,
                          const std::string& message) {
  RETURN_IF_ERROR(MakeDirectories(directory));
  Value value;
  value.Set("outcome", OutcomeName(outcome)).Set("message", message);
  return WriteFileAtomically(absl::StrCat(directory, "/", kOutcomeFile), value.ToJson() + "\n",
                             Durability::kUnsynced);
}

}  // namespace dovetail

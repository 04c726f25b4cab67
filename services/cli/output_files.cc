#include "services/cli/output_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/coordinator/web/html_report.h"
#include "services/coordinator/web/table.h"
#include "services/coordinator/web/tables.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

absl::Status CannotWrite(const std::string& file, int error) {
  const std::string message = absl::StrCat("cannot write ", file, ": ", std::strerror(error));
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(message, "; free some space and run again"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    default:
      return absl::FailedPreconditionError(message);
  }
}

// 0 or errno.
int WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

absl::Status WriteFileWhole(const std::string& file, absl::string_view bytes) {
  const fs::path directory = fs::path(file).parent_path();
  std::error_code error;
  if (!directory.empty()) fs::create_directories(directory, error);
  if (error) return CannotWrite(directory.string(), error.value());
  std::string temporary = absl::StrCat(file, ".XXXXXX");
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return CannotWrite(file, errno);
  int failed = WriteAll(fd, bytes);
  if (failed == 0 && fchmod(fd, 0644) != 0) failed = errno;
  if (close(fd) != 0 && failed == 0) failed = errno;
  if (failed == 0 && rename(temporary.c_str(), file.c_str()) != 0) failed = errno;
  if (failed == 0) return absl::OkStatus();
  unlink(temporary.c_str());
  return CannotWrite(file, failed);
}

absl::Status WriteCsvs(const report::JobReport& report, const std::string& directory) {
  RETURN_IF_ERROR(WriteFileWhole(directory + "/trials.csv", ToCsv(report::TrialsTable(report))));
  RETURN_IF_ERROR(
      WriteFileWhole(directory + "/references.csv", ToCsv(report::ReferencesTable(report))));
  RETURN_IF_ERROR(
      WriteFileWhole(directory + "/summary.json", report::ComparisonValue(report).ToJson() + "\n"));
  return WriteFileWhole(directory + "/front.csv", ToCsv(report::FrontTable(report)));
}

absl::Status WriteHtml(const report::JobReport& report, const std::string& directory) {
  return WriteFileWhole(directory + "/report.html", report::HtmlReport(report));
}

}  // namespace dovetail::cli

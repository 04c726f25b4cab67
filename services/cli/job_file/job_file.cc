#include "services/cli/job_file/job_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "services/cli/job_file/yaml_message.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxInputBytes = int64_t{4} << 30;

absl::Status CannotRead(const std::string& what, const std::string& file, int error) {
  const std::string message = absl::StrCat(what, " ", file, ": ", std::strerror(error));
  return error == EACCES ? absl::PermissionDeniedError(message) : absl::NotFoundError(message);
}

// Regular files alone: a pipe or a device may never end.
absl::Status CheckRegular(const std::string& what, const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return CannotRead(what, file, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", file, ": not a regular file"));
  }
  if (info.st_size > kMaxInputBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", file, ": larger than 4 GiB, the limit"));
  }
  return absl::OkStatus();
}

std::string Resolve(const std::string& file, const std::string& job_path) {
  if (file.empty()) return file;
  return (fs::path(job_path).parent_path() / file).lexically_normal().string();
}

absl::StatusOr<std::string> DigestFile(const std::string& what, const std::string& file) {
  RETURN_IF_ERROR(CheckRegular(what, file));
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return CannotRead(what, file, errno);
  Sha256Hasher hasher;
  std::string buffer(1 << 20, '\0');
  int64_t size = 0;
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         stream.gcount() > 0) {
    hasher.Update(buffer.data(), static_cast<size_t>(stream.gcount()));
    size += stream.gcount();
  }
  if (stream.bad()) return CannotRead(what, file, EIO);
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat(what, " ", file, ": empty"));
  return hasher.FinishHex();
}

}  // namespace

absl::StatusOr<JobFile> ParseJobFile(absl::string_view text, const std::string& path) {
  JobFile job;
  job.path = path;
  YamlOptions options;
  options.file_name = path;
  options.hidden = [](const google::protobuf::FieldDescriptor& field) {
    return field.full_name() == "dovetail.v1.FlowTask.line";
  };
  options.on_field = [&job](google::protobuf::Message* message,
                            const google::protobuf::FieldDescriptor& field, int line) {
    if (message == &job.spec) job.lines[field.json_name()] = line;
  };
  options.on_message = [](google::protobuf::Message* message, int line) {
    if (message->GetDescriptor() == v1::FlowTask::descriptor()) {
      static_cast<v1::FlowTask*>(message)->set_line(line);
    }
  };
  RETURN_IF_ERROR(ParseYamlMessage(text, options, &job.spec));
  if (job.spec.has_network()) {
    job.spec.mutable_network()->set_file(Resolve(job.spec.network().file(), path));
  }
  if (job.spec.has_dataset()) {
    job.spec.mutable_dataset()->set_file(Resolve(job.spec.dataset().file(), path));
  }
  return job;
}

absl::StatusOr<JobFile> ReadJobFile(const std::string& path) {
  RETURN_IF_ERROR(CheckRegular("job file", path));
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return CannotRead("job file", path, errno);
  // One byte beyond the limit is enough to be refused.
  std::string text(YamlLimits().max_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  return ParseJobFile(text, path);
}

absl::Status DigestFiles(JobFile& job) {
  const auto replace = [&job](const char* key, auto* source) -> absl::Status {
    if (source->file().empty()) return absl::OkStatus();
    auto digest = DigestFile(absl::StrCat(key, ".file"), source->file());
    if (!digest.ok()) return AtItsLine(job, digest.status());
    if (!source->digest().empty() && source->digest() != *digest) {
      return AtItsLine(job, absl::InvalidArgumentError(absl::StrCat(
                                key, ": the file and the digest given beside it differ")));
    }
    source->set_digest(*digest);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(replace("network", job.spec.mutable_network()));
  return replace("dataset", job.spec.mutable_dataset());
}

absl::Status AtItsLine(const JobFile& job, const absl::Status& status) {
  if (status.ok()) return status;
  const std::string message(status.message());
  const std::string field = message.substr(0, message.find_first_of(":.[ "));
  const auto line = job.lines.find(field);
  if (line == job.lines.end()) return Annotate(status, job.path);
  return Annotate(status, absl::StrCat(job.path, ":", line->second));
}

}  // namespace dovetail::cli

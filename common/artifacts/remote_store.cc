#include "common/artifacts/remote_store.h"

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "dovetail/v1/artifact_service.grpc.pb.h"

namespace dovetail {
namespace {

constexpr size_t kChunkBytes = 256 << 10;
// A stream may take this long per GiB, and never less than the floor: a hung peer must not hold a
// worker for ever.
constexpr int64_t kFloorSeconds = 60;
constexpr int64_t kSecondsPerGib = 600;

// The two libraries number their codes alike.
absl::Status ToAbsl(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat("artifact service: ", status.error_message()));
}

void SetDeadline(grpc::ClientContext& context, int64_t size_bytes) {
  const int64_t seconds = kFloorSeconds + kSecondsPerGib * (size_bytes >> 30);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
}

// Gives the next piece of what is uploaded; empty at the end.
using ChunkSource = std::function<absl::StatusOr<absl::string_view>()>;

class RemoteStore : public ArtifactStore {
 public:
  explicit RemoteStore(std::shared_ptr<grpc::Channel> channel)
      : stub_(v1::ArtifactService::NewStub(std::move(channel))) {}

  absl::StatusOr<std::string> Put(absl::string_view bytes) override {
    const std::string digest = Sha256Hex(bytes);
    const int64_t size_bytes = static_cast<int64_t>(bytes.size());
    return Upload(digest, size_bytes, [&bytes]() -> absl::StatusOr<absl::string_view> {
      const absl::string_view chunk = bytes.substr(0, kChunkBytes);
      bytes.remove_prefix(chunk.size());
      return chunk;
    });
  }

  absl::StatusOr<std::string> PutFile(const std::string& file) override {
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    const std::string context = absl::StrCat("cannot read ", file);
    if (fd < 0) return ErrnoStatus(errno, context);
    const auto closer = absl::MakeCleanup([fd] { close(fd); });
    std::string block(kChunkBytes, '\0');
    const ChunkSource next = [&]() -> absl::StatusOr<absl::string_view> {
      while (true) {
        const ssize_t got = read(fd, block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ErrnoStatus(errno, context);
        return absl::string_view(block.data(), static_cast<size_t>(got));
      }
    };
    Sha256Hasher hasher;
    int64_t size_bytes = 0;
    while (true) {
      ASSIGN_OR_RETURN(const absl::string_view chunk, next());
      if (chunk.empty()) break;
      hasher.Update(chunk);
      size_bytes += static_cast<int64_t>(chunk.size());
    }
    if (lseek(fd, 0, SEEK_SET) != 0) return ErrnoStatus(errno, context);
    return Upload(hasher.FinishHex(), size_bytes, next);
  }

  absl::StatusOr<std::string> Get(const std::string& digest) override {
    std::string bytes;
    RETURN_IF_ERROR(Download(digest, [&bytes](absl::string_view chunk) {
      bytes.append(chunk.data(), chunk.size());
      return absl::OkStatus();
    }));
    return bytes;
  }

  absl::Status GetFile(const std::string& digest, const std::string& file) override {
    const std::string context = absl::StrCat("cannot write ", file);
    const std::string temporary = absl::StrCat(file, ".", UniqueName(), ".tmp");
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, context);
    absl::Status status =
        Download(digest, [&](absl::string_view chunk) { return WriteAll(fd, chunk, context); });
    if (close(fd) != 0 && status.ok()) status = ErrnoStatus(errno, context);
    if (status.ok() && rename(temporary.c_str(), file.c_str()) != 0) {
      status = ErrnoStatus(errno, context);
    }
    if (!status.ok()) unlink(temporary.c_str());
    return status;
  }

  absl::StatusOr<std::vector<std::string>> FindMissing(
      const std::vector<std::string>& digests) override {
    v1::FindMissingRequest request;
    for (const std::string& digest : digests) request.add_digests(digest);
    v1::FindMissingResponse response;
    grpc::ClientContext context;
    SetDeadline(context, 0);
    RETURN_IF_ERROR(ToAbsl(stub_->FindMissing(&context, request, &response)));
    return std::vector<std::string>(response.missing().begin(), response.missing().end());
  }

 private:
  absl::StatusOr<std::string> Upload(const std::string& digest, int64_t size_bytes,
                                     const ChunkSource& next) {
    ASSIGN_OR_RETURN(const std::vector<std::string> missing, FindMissing({digest}));
    if (missing.empty()) return digest;
    grpc::ClientContext context;
    SetDeadline(context, size_bytes);
    v1::PutArtifactResponse response;
    const auto writer = stub_->Put(&context, &response);
    v1::PutArtifactRequest request;
    request.set_digest(digest);
    request.set_total_bytes(size_bytes);
    bool open = writer->Write(request);
    while (open) {
      const absl::StatusOr<absl::string_view> chunk = next();
      if (!chunk.ok()) {
        context.TryCancel();
        writer->Finish().error_code();
        return chunk.status();
      }
      if (chunk->empty()) break;
      request.Clear();
      request.set_chunk(chunk->data(), chunk->size());
      open = writer->Write(request);
    }
    writer->WritesDone();
    RETURN_IF_ERROR(ToAbsl(writer->Finish()));
    if (response.digest() != digest) {
      return absl::DataLossError(
          absl::StrCat("uploaded ", digest, ", the artifact service has ", response.digest()));
    }
    return digest;
  }

  absl::Status Download(const std::string& digest,
                        const std::function<absl::Status(absl::string_view)>& sink) {
    if (!IsSha256Hex(digest)) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a SHA-256 digest: '", digest.substr(0, 80), "'"));
    }
    grpc::ClientContext context;
    // The size is not known yet: time enough for 4 GiB.
    SetDeadline(context, int64_t{4} << 30);
    v1::GetArtifactRequest request;
    request.set_digest(digest);
    const auto reader = stub_->Get(&context, request);
    v1::GetArtifactResponse response;
    Sha256Hasher hasher;
    while (reader->Read(&response)) {
      hasher.Update(response.chunk());
      const absl::Status status = sink(response.chunk());
      if (!status.ok()) {
        context.TryCancel();
        reader->Finish().error_code();
        return status;
      }
    }
    RETURN_IF_ERROR(ToAbsl(reader->Finish()));
    if (hasher.FinishHex() != digest) {
      return absl::DataLossError(absl::StrCat("what the artifact service sent is not ", digest));
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<v1::ArtifactService::Stub> stub_;
};

}  // namespace

std::unique_ptr<ArtifactStore> MakeRemoteStore(std::shared_ptr<grpc::Channel> channel) {
  return std::make_unique<RemoteStore>(std::move(channel));
}

}  // namespace dovetail

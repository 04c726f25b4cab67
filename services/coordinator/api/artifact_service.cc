#include "services/coordinator/api/artifact_service.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"

namespace dovetail::api {
namespace {

constexpr int kLargestFindMissing = 100'000;

}  // namespace

ArtifactService::ArtifactService(const ApiContext& api, const ArtifactServiceOptions& options)
    : api_(api), options_(options) {
  std::error_code error;
  std::filesystem::remove_all(options_.upload_directory, error);
  std::filesystem::create_directories(options_.upload_directory, error);
}

absl::Status ArtifactService::Receive(grpc::ServerReader<v1::PutArtifactRequest>* reader,
                                      v1::PutArtifactResponse* response) {
  const std::string file = absl::StrCat(options_.upload_directory, "/", UniqueName());
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, "the coordinator cannot store an upload");
  const auto remove = absl::MakeCleanup([&] {
    close(fd);
    unlink(file.c_str());
  });
  std::string promised_digest;
  int64_t promised_bytes = -1;
  int64_t size_bytes = 0;
  v1::PutArtifactRequest request;
  while (reader->Read(&request)) {
    if (promised_bytes < 0) {
      promised_bytes = request.total_bytes();
      promised_digest = request.digest();
      if (!promised_digest.empty() && !IsSha256Hex(promised_digest)) {
        return absl::InvalidArgumentError("digest is no SHA-256 in lower-case hexadecimal");
      }
    }
    size_bytes += static_cast<int64_t>(request.chunk().size());
    if (size_bytes > options_.max_artifact_bytes || promised_bytes > options_.max_artifact_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("the artifact is larger than the limit of ",
                                                       options_.max_artifact_bytes, " bytes"));
    }
    RETURN_IF_ERROR(WriteAll(fd, request.chunk(), "the coordinator cannot store an upload"));
  }
  if (promised_bytes != size_bytes) {
    return absl::DataLossError(
        absl::StrCat("the upload broke off: ", size_bytes, " of ", promised_bytes, " bytes came"));
  }
  ASSIGN_OR_RETURN(const std::string digest, api_.artifacts->PutFile(file));
  if (!promised_digest.empty() && digest != promised_digest) {
    return absl::DataLossError(
        absl::StrCat("the bytes have the digest ", digest, ", not ", promised_digest));
  }
  response->set_digest(digest);
  response->set_size_bytes(size_bytes);
  return absl::OkStatus();
}

grpc::Status ArtifactService::Put(grpc::ServerContext* context,
                                  grpc::ServerReader<v1::PutArtifactRequest>* reader,
                                  v1::PutArtifactResponse* response) {
  const auto principal = rpc::Authenticate(*context, api_.token_check);
  if (!principal.ok()) return rpc::ToGrpc(principal.status());
  return rpc::ToGrpc(Receive(reader, response));
}

grpc::Status ArtifactService::Get(grpc::ServerContext* context,
                                  const v1::GetArtifactRequest* request,
                                  grpc::ServerWriter<v1::GetArtifactResponse>* writer) {
  const auto principal = rpc::Authenticate(*context, api_.token_check);
  if (!principal.ok()) return rpc::ToGrpc(principal.status());
  const std::string file = absl::StrCat(options_.upload_directory, "/", UniqueName());
  const absl::Status found = api_.artifacts->GetFile(request->digest(), file);
  if (!found.ok()) return rpc::ToGrpc(found);
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  unlink(file.c_str());
  if (fd < 0) return rpc::ToGrpc(ErrnoStatus(errno, "the coordinator cannot read an artifact"));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  v1::GetArtifactResponse response;
  response.set_total_bytes(lseek(fd, 0, SEEK_END));
  lseek(fd, 0, SEEK_SET);
  std::string block(rpc::kArtifactChunkBytes, '\0');
  bool first = true;
  while (true) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return rpc::ToGrpc(ErrnoStatus(errno, "the coordinator cannot read an artifact"));
    if (got == 0 && !first) break;
    first = false;
    response.set_chunk(block.data(), static_cast<size_t>(got));
    if (!writer->Write(response)) return grpc::Status(grpc::StatusCode::CANCELLED, "client left");
    response.clear_total_bytes();
    if (got == 0) break;
  }
  return grpc::Status::OK;
}

grpc::Status ArtifactService::FindMissing(grpc::ServerContext* context,
                                          const v1::FindMissingRequest* request,
                                          v1::FindMissingResponse* response) {
  const auto principal = rpc::Authenticate(*context, api_.token_check);
  if (!principal.ok()) return rpc::ToGrpc(principal.status());
  if (request->digests_size() > kLargestFindMissing) {
    return rpc::ToGrpc(absl::InvalidArgumentError("more than 100000 digests in one call"));
  }
  const auto missing =
      api_.artifacts->FindMissing({request->digests().begin(), request->digests().end()});
  if (!missing.ok()) return rpc::ToGrpc(missing.status());
  for (const std::string& digest : *missing) response->add_missing(digest);
  return grpc::Status::OK;
}

}  // namespace dovetail::api

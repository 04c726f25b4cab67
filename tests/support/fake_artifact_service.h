// An ArtifactService in memory, for tests of its clients.
#ifndef DOVETAIL_TESTS_SUPPORT_FAKE_ARTIFACT_SERVICE_H_
#define DOVETAIL_TESTS_SUPPORT_FAKE_ARTIFACT_SERVICE_H_

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "common/base/digest.h"
#include "dovetail/v1/artifact_service.grpc.pb.h"

namespace dovetail::testing {

// Thread-safe.
class FakeArtifactService : public v1::ArtifactService::Service {
 public:
  // Bytes under a name that need not be theirs.
  void Plant(const std::string& digest, const std::string& bytes) {
    std::lock_guard lock(mutex_);
    artifacts_[digest] = bytes;
  }
  std::string Add(const std::string& bytes) {
    Plant(Sha256Hex(bytes), bytes);
    return Sha256Hex(bytes);
  }
  std::string Find(const std::string& digest) {
    std::lock_guard lock(mutex_);
    const auto it = artifacts_.find(digest);
    return it == artifacts_.end() ? "" : it->second;
  }
  int put_count() {
    std::lock_guard lock(mutex_);
    return put_count_;
  }
  int get_count() {
    std::lock_guard lock(mutex_);
    return get_count_;
  }

  grpc::Status Put(grpc::ServerContext*, grpc::ServerReader<v1::PutArtifactRequest>* reader,
                   v1::PutArtifactResponse* response) override {
    v1::PutArtifactRequest request;
    std::string bytes;
    while (reader->Read(&request)) bytes += request.chunk();
    response->set_digest(Add(bytes));
    response->set_size_bytes(static_cast<int64_t>(bytes.size()));
    std::lock_guard lock(mutex_);
    ++put_count_;
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetArtifactRequest* request,
                   grpc::ServerWriter<v1::GetArtifactResponse>* writer) override {
    std::string bytes;
    {
      std::lock_guard lock(mutex_);
      ++get_count_;
      const auto it = artifacts_.find(request->digest());
      if (it == artifacts_.end()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no artifact");
      bytes = it->second;
    }
    constexpr size_t kChunk = 100'000;
    v1::GetArtifactResponse response;
    response.set_total_bytes(static_cast<int64_t>(bytes.size()));
    for (size_t at = 0; at == 0 || at < bytes.size(); at += kChunk) {
      response.set_chunk(bytes.substr(at, kChunk));
      writer->Write(response);
    }
    return grpc::Status::OK;
  }

  grpc::Status FindMissing(grpc::ServerContext*, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override {
    std::lock_guard lock(mutex_);
    for (const std::string& digest : request->digests()) {
      if (!artifacts_.contains(digest)) response->add_missing(digest);
    }
    return grpc::Status::OK;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> artifacts_;
  int put_count_ = 0;
  int get_count_ = 0;
};

}  // namespace dovetail::testing

#endif  // DOVETAIL_TESTS_SUPPORT_FAKE_ARTIFACT_SERVICE_H_

// The directory store: objects/ab/<digest> as it is, or objects/ab/<digest>.zst; tmp/ for what is
// being written; corrupt/ for what failed verification.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <functional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/artifacts/artifact_store.h"
#include "common/artifacts/zstd_stream.h"
#include "common/base/digest.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"

namespace dovetail {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
// Compression must save a tenth, else readers pay for nothing.
constexpr double kWorthFraction = 0.9;
// A temporary this old belongs to a process that died.
constexpr int64_t kStaleSeconds = 24 * 3600;

absl::Status MakeDirectory(const std::string& directory) {
  for (size_t slash = directory.find('/', 1);; slash = directory.find('/', slash + 1)) {
    const std::string part = directory.substr(0, slash);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
      return ErrnoStatus(errno, absl::StrCat("cannot make the artifact directory ", part));
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", directory));
  const int failed = fsync(fd);
  const int error = errno;
  close(fd);
  // Some shared file systems cannot sync a directory (EINVAL) and need not.
  if (failed && error != EINVAL) {
    return ErrnoStatus(error, absl::StrCat("cannot sync ", directory));
  }
  return absl::OkStatus();
}

bool Exists(const std::string& file) {
  struct stat info;
  return stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// Feeds a file to `sink` in blocks.
absl::Status ReadBlocks(const std::string& file, const ByteSink& sink) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", file));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::string block(kBlockBytes, '\0');
  while (true) {
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("cannot read ", file));
    if (got == 0) return absl::OkStatus();
    RETURN_IF_ERROR(sink(absl::string_view(block.data(), static_cast<size_t>(got))));
  }
}

// A temporary file that vanishes unless it is renamed to its place.
class TemporaryFile {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryFile>> Make(std::string path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path));
    return std::unique_ptr<TemporaryFile>(new TemporaryFile(std::move(path), fd));
  }
  ~TemporaryFile() {
    if (fd_ >= 0) close(fd_);
    if (!path_.empty()) unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  absl::Status Write(absl::string_view bytes) {
    size_bytes_ += static_cast<int64_t>(bytes.size());
    return WriteAll(fd_, bytes, absl::StrCat("cannot write ", path_));
  }
  absl::Status MoveTo(const std::string& file) {
    if (fsync(fd_) != 0) return ErrnoStatus(errno, absl::StrCat("cannot write ", path_));
    if (rename(path_.c_str(), file.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("cannot write ", file));
    }
    path_.clear();
    return absl::OkStatus();
  }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  TemporaryFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
  int64_t size_bytes_ = 0;
};

class DirectoryStore : public ArtifactStore {
 public:
  explicit DirectoryStore(std::string directory) : directory_(std::move(directory)) {}

  absl::Status Open() {
    RETURN_IF_ERROR(MakeDirectory(directory_));
    for (const char* part : {"/objects", "/tmp", "/corrupt"}) {
      RETURN_IF_ERROR(MakeDirectory(directory_ + part));
    }
    if (access((directory_ + "/tmp").c_str(), W_OK) != 0) {
      return ErrnoStatus(errno, absl::StrCat("cannot write the artifact directory ", directory_));
    }
    RemoveStaleTemporaries();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Put(absl::string_view bytes) override {
    const std::string digest = Sha256Hex(bytes);
    if (!Find(digest).empty()) return digest;
    return Store([bytes](const ByteSink& sink) { return sink(bytes); });
  }

  absl::StatusOr<std::string> PutFile(const std::string& file) override {
    Sha256Hasher hasher;
    RETURN_IF_ERROR(ReadBlocks(file, [&hasher](absl::string_view bytes) {
      hasher.Update(bytes);
      return absl::OkStatus();
    }));
    const std::string digest = hasher.FinishHex();
    if (!Find(digest).empty()) return digest;
    ASSIGN_OR_RETURN(const std::string stored,
                     Store([&file](const ByteSink& sink) { return ReadBlocks(file, sink); }));
    if (stored != digest) {
      return absl::AbortedError(absl::StrCat(file, " changed while it was being stored"));
    }
    return digest;
  }

  absl::StatusOr<std::string> Get(const std::string& digest) override {
    std::string bytes;
    RETURN_IF_ERROR(Load(digest, [&bytes](absl::string_view block) {
      bytes.append(block.data(), block.size());
      return absl::OkStatus();
    }));
    return bytes;
  }

  absl::Status GetFile(const std::string& digest, const std::string& file) override {
    ASSIGN_OR_RETURN(auto temporary,
                     TemporaryFile::Make(absl::StrCat(file, ".", UniqueName(), ".tmp")));
    RETURN_IF_ERROR(
        Load(digest, [&temporary](absl::string_view block) { return temporary->Write(block); }));
    return temporary->MoveTo(file);
  }

  absl::StatusOr<std::vector<std::string>> FindMissing(
      const std::vector<std::string>& digests) override {
    std::vector<std::string> missing;
    for (const std::string& digest : digests) {
      if (!IsSha256Hex(digest)) return NotADigest(digest);
      if (Find(digest).empty()) missing.push_back(digest);
    }
    return missing;
  }

 private:
  using Source = std::function<absl::Status(const ByteSink&)>;

  static absl::Status NotADigest(absl::string_view text) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a SHA-256 digest: '", text.substr(0, 80), "'"));
  }

  std::string ObjectFile(const std::string& digest) const {
    return absl::StrCat(directory_, "/objects/", digest.substr(0, 2), "/", digest);
  }

  // The stored file, or "". Precondition: a digest.
  std::string Find(const std::string& digest) const {
    const std::string plain = ObjectFile(digest);
    if (Exists(plain + ".zst")) return plain + ".zst";
    return Exists(plain) ? plain : "";
  }

  absl::StatusOr<std::unique_ptr<TemporaryFile>> NewTemporary() const {
    return TemporaryFile::Make(absl::StrCat(directory_, "/tmp/", UniqueName()));
  }

  // Compressed first, and once more as it is where that saved too little.
  absl::StatusOr<std::string> Store(const Source& source) {
    ASSIGN_OR_RETURN(auto packed, NewTemporary());
    ZstdCompressor compressor([&packed](absl::string_view bytes) { return packed->Write(bytes); });
    Sha256Hasher packed_hasher;
    int64_t size_bytes = 0;
    RETURN_IF_ERROR(source([&](absl::string_view bytes) {
      packed_hasher.Update(bytes);
      size_bytes += static_cast<int64_t>(bytes.size());
      return compressor.Write(bytes);
    }));
    RETURN_IF_ERROR(compressor.Finish());
    const std::string digest = packed_hasher.FinishHex();
    if (packed->size_bytes() < kWorthFraction * size_bytes) {
      RETURN_IF_ERROR(Place(*packed, digest, ".zst"));
      return digest;
    }
    ASSIGN_OR_RETURN(auto plain, NewTemporary());
    Sha256Hasher plain_hasher;
    RETURN_IF_ERROR(source([&](absl::string_view bytes) {
      plain_hasher.Update(bytes);
      return plain->Write(bytes);
    }));
    const std::string plain_digest = plain_hasher.FinishHex();
    RETURN_IF_ERROR(Place(*plain, plain_digest, ""));
    return plain_digest;
  }

  absl::Status Place(TemporaryFile& temporary, const std::string& digest,
                     absl::string_view suffix) {
    const std::string file = ObjectFile(digest);
    const std::string parent = file.substr(0, file.rfind('/'));
    RETURN_IF_ERROR(MakeDirectory(parent));
    RETURN_IF_ERROR(temporary.MoveTo(absl::StrCat(file, suffix)));
    return SyncDirectory(parent);
  }

  absl::Status Load(const std::string& digest, const ByteSink& sink) {
    if (!IsSha256Hex(digest)) return NotADigest(digest);
    const std::string file = Find(digest);
    if (file.empty()) return absl::NotFoundError(absl::StrCat("no artifact ", digest));
    Sha256Hasher hasher;
    const ByteSink check = [&](absl::string_view bytes) {
      hasher.Update(bytes);
      return sink(bytes);
    };
    absl::Status status;
    if (absl::string_view(file).substr(file.size() - 4) == ".zst") {
      ZstdDecompressor decompressor(check);
      status = ReadBlocks(
          file, [&decompressor](absl::string_view bytes) { return decompressor.Write(bytes); });
      if (status.ok()) status = decompressor.Finish();
    } else {
      status = ReadBlocks(file, check);
    }
    if (status.ok() && hasher.FinishHex() != digest) {
      status = absl::DataLossError("the bytes have another digest");
    }
    if (!absl::IsDataLoss(status)) return status;
    const std::string aside = absl::StrCat(directory_, "/corrupt/", digest, ".", UniqueName());
    rename(file.c_str(), aside.c_str());
    return absl::DataLossError(absl::StrCat("artifact ", digest, " is corrupt: ", status.message(),
                                            "; set aside as ", aside));
  }

  void RemoveStaleTemporaries() const {
    const std::string directory = directory_ + "/tmp";
    DIR* entries = opendir(directory.c_str());
    if (entries == nullptr) return;
    const int64_t now = time(nullptr);
    while (const dirent* entry = readdir(entries)) {
      const std::string file = absl::StrCat(directory, "/", entry->d_name);
      struct stat info;
      if (stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
          info.st_mtime < now - kStaleSeconds) {
        unlink(file.c_str());
      }
    }
    closedir(entries);
  }

  const std::string directory_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ArtifactStore>> OpenDirectoryStore(const std::string& directory) {
  auto store = std::make_unique<DirectoryStore>(directory);
  RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace dovetail

#include "services/worker/train/probe_cache.h"

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"

namespace dovetail::train {

absl::StatusOr<std::string> FileDigest(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("cannot read ", file));
  Sha256Hasher hasher;
  std::vector<char> buffer(1 << 20);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         stream.gcount() > 0) {
    hasher.Update(buffer.data(), static_cast<size_t>(stream.gcount()));
  }
  return hasher.FinishHex();
}

ProbeCache::ProbeCache(const TaskContext& context, const std::string& task,
                       const std::string& network_digest, const std::string& dataset_digest) {
  if (context.cache_directory.empty()) return;
  directory_ = context.cache_directory + "/probes";
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) directory_.clear();
  const auto info = FindTaskInfo(task);
  prefix_ = absl::StrCat(task, "/", info.ok() ? (*info)->version : 0, "/", context.seed, "/",
                         network_digest, "/", dataset_digest, "/");
}

absl::StatusOr<Probe> ProbeCache::GetOrRun(
    const Value& point, const std::function<absl::StatusOr<Probe>()>& run) const {
  if (directory_.empty()) return run();
  const std::string file =
      absl::StrCat(directory_, "/", Sha256Hex(absl::StrCat(prefix_, point.ToJson())));
  // The accuracy travels in the network's provenance, so that one file is one probe.
  if (absl::StatusOr<nn::Network> kept = nn::ReadNetworkFile(file); kept.ok()) {
    Probe probe{*std::move(kept), 0};
    probe.validation_accuracy = probe.network.provenance["validation_accuracy"].AsNumber();
    return probe;
  }
  ASSIGN_OR_RETURN(Probe probe, run());
  nn::Network stored = probe.network;
  stored.provenance = Value(Value::Map());
  stored.provenance.Set("validation_accuracy", probe.validation_accuracy);
  (void)nn::WriteNetworkFile(stored, file);  // a full disk costs a later run time, nothing else
  return probe;
}

}  // namespace dovetail::train

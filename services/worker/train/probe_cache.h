// Results of the inner probes of automatic tasks, kept on disk by content: an interrupted search
// goes on where it was and ends with the same result. Called from automatic prune and scale.
#ifndef DOVETAIL_SERVICES_WORKER_TRAIN_PROBE_CACHE_H_
#define DOVETAIL_SERVICES_WORKER_TRAIN_PROBE_CACHE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/value.h"
#include "services/worker/nn/network.h"
#include "services/worker/tasks/task.h"

namespace dovetail::train {

struct Probe {
  nn::Network network;
  double validation_accuracy = 0;
};

class ProbeCache {
 public:
  // Keeps nothing where the worker has no cache directory. `task_version` and the inputs' digests
  // are in every key.
  ProbeCache(const TaskContext& context, const std::string& task, const std::string& network_digest,
             const std::string& dataset_digest);

  // The kept result for `point`, or what `run` says, kept from then on. Errors: those of `run`; a
  // cache that cannot be written is no error.
  absl::StatusOr<Probe> GetOrRun(const Value& point,
                                 const std::function<absl::StatusOr<Probe>()>& run) const;

 private:
  std::string directory_;  // "": none
  std::string prefix_;
};

// SHA-256 of a file's bytes. Errors: NotFound.
absl::StatusOr<std::string> FileDigest(const std::string& file);

}  // namespace dovetail::train

#endif  // DOVETAIL_SERVICES_WORKER_TRAIN_PROBE_CACHE_H_

// The daemon: everything that link needs, made and wired. Called by main.cc.
#ifndef DOVETAIL_SERVICES_WORKER_DAEMON_H_
#define DOVETAIL_SERVICES_WORKER_DAEMON_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "services/worker/tasks/task.h"

namespace dovetail {

struct DaemonOptions {
  std::string coordinator;         // "unix:/path" or "host:port"
  std::string id;                  // "": host, process and time
  std::string work_directory;      // caches and attempts; workers of one machine may share it
  int slots = 0;                   // CPU slots; 0: as many as the machine has CPUs
  int64_t lifetime_seconds = 0;    // drain after this long; 0: never
  double cache_limit_gb = 20;      // of inputs, and as much again of what tasks keep
  int64_t memory_per_slot_mb = 0;  // of a task; 0: four fifths of the memory over the slots
  bool require_cage = false;       // refuse to start without bubblewrap
  std::string metrics_host = "0.0.0.0";
  int metrics_port = 0;  // 0: off; -1: any free port
  std::string token_file;
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;
  std::string log_level = "info";
  bool log_json = false;
  std::string log_file;  // "": standard error
};

// Where a worker keeps its files when not told: below /var/lib for root, else the user's state
// directory.
std::string DefaultWorkDirectory();

// Until drained. SIGTERM and SIGINT drain; the second of them calls off what runs.
// Errors: one clear line of what to correct.
absl::Status RunDaemon(const DaemonOptions& options, const TaskRegistry& registry);

}  // namespace dovetail

#endif  // DOVETAIL_SERVICES_WORKER_DAEMON_H_

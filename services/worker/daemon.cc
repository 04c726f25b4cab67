#include "services/worker/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/artifacts/remote_store.h"
#include "common/base/clock.h"
#include "common/base/file_io.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "services/worker/link/attempt_runner.h"
#include "services/worker/link/capabilities.h"
#include "services/worker/link/coordinator_client.h"
#include "services/worker/link/input_cache.h"
#include "services/worker/link/worker_loop.h"
#include "services/worker/run_command.h"
#include "services/worker/sandbox/run_caged.h"
#include "services/worker/sandbox/work_area.h"

namespace dovetail {
namespace {

constexpr double kMemoryFraction = 0.8;
// Batch systems and `timeout` send the same signal to a process and to its group: a second one that
// comes at once is the first one's echo.
constexpr int64_t kSecondSignalMs = 1'000;

absl::Status StartLogging(const DaemonOptions& options) {
  LogOptions log;
  log.logger = "worker";
  RETURN_IF_ERROR(ParseLogLevel(options.log_level, log.level));
  log.json = options.log_json;
  log.file = options.log_file;
  return InitLogging(log);
}

int SlotCount(const DaemonOptions& options) {
  if (options.slots > 0) return options.slots;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int64_t MemoryPerSlotBytes(const DaemonOptions& options) {
  if (options.memory_per_slot_mb > 0) return options.memory_per_slot_mb << 20;
  const double total =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return static_cast<int64_t>(kMemoryFraction * total / SlotCount(options));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const DaemonOptions& options,
                                                       bool own_connection) {
  rpc::ChannelOptions channel;
  channel.tls.ca_file = options.tls_ca;
  channel.tls.certificate_file = options.tls_certificate;
  channel.tls.key_file = options.tls_key;
  channel.own_connection = own_connection;
  if (!options.token_file.empty()) {
    ASSIGN_OR_RETURN(channel.token, rpc::ReadTokenFile(options.token_file));
  }
  return rpc::MakeChannel(options.coordinator, channel);
}

link::WorkerDescription Describe(const DaemonOptions& options, const TaskRegistry& registry) {
  link::Capabilities capabilities = link::ProbeCapabilities(registry.Names());
  link::WorkerDescription worker;
  worker.id = options.id.empty() ? UniqueName() : options.id;
  char host[256] = "unknown";
  gethostname(host, sizeof(host) - 1);
  worker.host = host;
  worker.capabilities = std::move(capabilities.names);
  worker.tools = std::move(capabilities.tools);
  worker.task_versions = link::TaskVersions(registry.Names());
  worker.slots = SlotCount(options);
  worker.version = DOVETAIL_VERSION;
  return worker;
}

link::AttemptOptions MakeAttemptOptions(const DaemonOptions& options, int64_t cache_limit_bytes) {
  link::AttemptOptions attempt;
  attempt.worker_binary = OwnBinary();
  // Where this is not below /usr, the cage would not show it; modules that it loads lie beside it.
  const std::string own = OwnBinary();
  attempt.readable = {own.substr(0, own.rfind('/'))};
  attempt.task_cache = options.work_directory + "/task-cache";
  attempt.task_cache_limit_bytes = cache_limit_bytes;
  attempt.memory_per_slot_bytes = MemoryPerSlotBytes(options);
  if (options.require_cage) attempt.cage = sandbox::CageKind::kBubblewrap;
  return attempt;
}

// Turns SIGTERM and SIGINT into drain, then stop. The signals are blocked in every thread made
// after it, so make it first.
class SignalWatch {
 public:
  SignalWatch() {
    sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }
  void Start(link::StopSignal* stop) {
    thread_ = std::thread([this, stop] {
      int64_t first_ms = 0;
      while (true) {
        int signal = 0;
        sigwait(&signals_, &signal);
        if (signal == SIGUSR1) return;
        const int64_t now_ms = SystemClock().SteadyMs();
        if (first_ms == 0) {
          first_ms = now_ms;
          LogInfo("signal: draining; another calls off what runs", {{"signal", signal}});
          stop->Drain();
        } else if (now_ms - first_ms >= kSecondSignalMs) {
          LogInfo("second signal: calling off what runs", {{"signal", signal}});
          stop->Stop();
        }
      }
    });
  }
  ~SignalWatch() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }

 private:
  sigset_t signals_;
  std::thread thread_;
};

}  // namespace

std::string DefaultWorkDirectory() {
  if (geteuid() == 0) return "/var/lib/dovetail/worker";
  if (const char* state = getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') {
    return absl::StrCat(state, "/dovetail/worker");
  }
  const char* home = getenv("HOME");
  return absl::StrCat(home == nullptr ? "/tmp" : home, "/.local/state/dovetail/worker");
}

absl::Status RunDaemon(const DaemonOptions& options, const TaskRegistry& registry) {
  SignalWatch signals;
  RETURN_IF_ERROR(StartLogging(options));
  if (options.require_cage && !sandbox::BubblewrapWorks()) {
    return absl::FailedPreconditionError(
        "--require-cage: bubblewrap does not work here; install the package bubblewrap, or allow "
        "user name spaces");
  }
  const int64_t cache_limit_bytes = static_cast<int64_t>(options.cache_limit_gb * 1e9);
  ASSIGN_OR_RETURN(const auto area, sandbox::WorkArea::Open(options.work_directory + "/attempts"));
  ASSIGN_OR_RETURN(const auto channel, Connect(options, false));
  ASSIGN_OR_RETURN(const auto heartbeat_channel, Connect(options, true));

  MetricsRegistry registry_of_metrics;
  link::WorkerMetrics metrics(registry_of_metrics);
  ASSIGN_OR_RETURN(
      const auto metrics_server,
      MetricsServer::Start(registry_of_metrics, {options.metrics_host, options.metrics_port}));

  const auto remote = MakeRemoteStore(channel);
  link::InputCache inputs(options.work_directory + "/inputs", cache_limit_bytes, remote.get(),
                          &metrics);
  link::CoordinatorClient coordinator(channel, heartbeat_channel, Describe(options, registry));
  link::StopSignal stop([&coordinator] { coordinator.StopLeasing(); });
  link::AttemptRunner runner(MakeAttemptOptions(options, cache_limit_bytes), area.get(), &inputs,
                             remote.get(), &stop, &metrics);
  signals.Start(&stop);

  link::LoopOptions loop_options;
  loop_options.slots = SlotCount(options);
  loop_options.lifetime_ms = options.lifetime_seconds * 1000;
  link::WorkerLoop loop(
      loop_options, &coordinator,
      [&runner](link::RunningAttempt& attempt) { return runner.Run(attempt); }, &stop, &metrics);
  LogInfo("worker ready", {{"worker", coordinator.worker().id},
                           {"coordinator", options.coordinator},
                           {"slots", loop_options.slots},
                           {"capabilities", absl::StrJoin(coordinator.worker().capabilities, ",")},
                           {"metrics_port", metrics_server ? metrics_server->port() : 0},
                           {"caged", sandbox::BubblewrapWorks()}});
  return loop.Run();
}

}  // namespace dovetail

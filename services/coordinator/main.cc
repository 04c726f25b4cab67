// dovetail-coordinator: reads its options, opens the store, takes the lead, serves until told to
// stop.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/artifacts/artifact_store.h"
#include "common/base/status_macros.h"
#include "common/convert/job_convert.h"
#include "common/rpc/channel.h"
#include "common/rpc/server.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "services/coordinator/api/artifact_service.h"
#include "services/coordinator/api/exploration_service.h"
#include "services/coordinator/api/worker_service.h"
#include "services/coordinator/coordinator_metrics.h"
#include "services/coordinator/fit.h"
#include "services/coordinator/leader.h"
#include "services/coordinator/store/postgres/postgres_store.h"

namespace dovetail {
namespace {

struct Options {
  std::string listen = "127.0.0.1:7070";
  std::string advertise;
  std::string database = "host=/var/run/postgresql dbname=dovetail";
  std::string artifacts = "artifacts";
  int metrics_port = 0;
  std::string log_level = "info";
  bool log_json = false;
  double lease_seconds = 30;
  double heartbeat_seconds = 3;
  double task_timeout_seconds = 3600;
  int database_connections = 4;
  int search_threads = 1;
  rpc::TlsOptions tls;
};

void AddOptions(CLI::App& app, Options& options) {
  app.set_config("--config", "", "a TOML or INI file whose keys are the options below");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--listen", options.listen, "unix:/path or host:port to serve gRPC on")
      ->capture_default_str();
  app.add_option("--advertise", options.advertise,
                 "where others reach this coordinator, one address for each; default: --listen");
  app.add_option("--database", options.database, "PostgreSQL connection string")
      ->capture_default_str();
  app.add_option("--artifacts", options.artifacts, "directory of the artifact store")
      ->capture_default_str();
  app.add_option("--metrics-port", options.metrics_port, "port of /metrics; 0: off, -1: any free")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->capture_default_str();
  app.add_flag("--log-json", options.log_json, "log lines as JSON objects");
  app.add_option("--lease-seconds", options.lease_seconds,
                 "term of a worker's lease on an attempt, renewed by heartbeats")
      ->capture_default_str()
      ->check(CLI::Range(0.5, 86400.0));
  app.add_option("--heartbeat-seconds", options.heartbeat_seconds,
                 "how often workers beat; at most a fifth of the lease")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--task-timeout-seconds", options.task_timeout_seconds,
                 "time that one attempt of a task may take")
      ->capture_default_str()
      ->check(CLI::Range(1.0, 1e7));
  app.add_option("--database-connections", options.database_connections,
                 "connections for reads of the API")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  app.add_option("--search-threads", options.search_threads,
                 "threads that fit models and pick points")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--tls-cert", options.tls.certificate_file, "PEM certificate of this server");
  app.add_option("--tls-key", options.tls.key_file, "PEM key of the certificate");
  app.add_option("--tls-ca", options.tls.ca_file,
                 "PEM certificates of those who sign clients: asks every client for one");
}

const std::string& Advertised(const Options& options) {
  return options.advertise.empty() ? options.listen : options.advertise;
}

// Waits up to `wait_ms` for a signal to stop. Once asked to, it stays so.
bool StopRequested(int64_t wait_ms) {
  static bool requested = false;
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  const timespec wait{wait_ms / 1000, (wait_ms % 1000) * 1'000'000};
  requested = requested || sigtimedwait(&stop_signals, nullptr, &wait) >= 0;
  return requested;
}

// Stands by while another coordinator leads and answers. Three checks half a second apart that it
// does not: this one takes over; the epoch in the database fences the other, should it live on.
absl::Status WaitForTheLead(const Options& options, store::Store& store, Leader& leader) {
  std::string watched;
  for (int misses = 0; misses < 3 && !StopRequested(misses == 0 ? 0 : 500);) {
    ASSIGN_OR_RETURN(const std::string address, store.LeaderAddress());
    if (address.empty() || address == Advertised(options)) return absl::OkStatus();
    rpc::ChannelOptions channel_options;
    channel_options.tls = options.tls;
    channel_options.own_connection = true;
    const auto channel = rpc::MakeChannel(address, channel_options);
    if (!channel.ok() || !rpc::CheckHealth(*channel, 1'000).ok()) {
      ++misses;
      continue;
    }
    misses = 0;
    if (watched != address) {
      watched = address;
      leader.StandBy(address);
      Log(LogLevel::kInfo, "standing by", {{"leader", address}});
    }
    if (StopRequested(500)) break;
  }
  return absl::OkStatus();
}

absl::Status Serve(const Options& options) {
  if (5 * options.heartbeat_seconds > options.lease_seconds) {
    return absl::InvalidArgumentError(
        "--heartbeat-seconds is more than a fifth of --lease-seconds");
  }
  static const SystemClock clock;
  ASSIGN_OR_RETURN_WITH(const std::unique_ptr<ArtifactStore> artifacts,
                        OpenDirectoryStore(options.artifacts), "--artifacts");
  store::PostgresOptions database;
  database.connection_string = options.database;
  database.pool_size = options.database_connections;
  ASSIGN_OR_RETURN_WITH(const std::unique_ptr<store::Store> store,
                        store::OpenPostgresStore(database), "--database");

  LeaderOptions leading;
  leading.address = Advertised(options);
  leading.dispatch.lease_ms = static_cast<int64_t>(1000 * options.lease_seconds);
  leading.dispatch.heartbeat_ms = static_cast<int64_t>(1000 * options.heartbeat_seconds);
  leading.dispatch.default_timeout_ms = static_cast<int64_t>(1000 * options.task_timeout_seconds);
  leading.search_threads = options.search_threads;
  ExplorationDependencies dependencies;
  dependencies.store = store.get();
  dependencies.artifacts = artifacts.get();
  dependencies.clock = &clock;
  dependencies.fits = FitsPart;
  dependencies.parse_spec = [](const std::string& json) -> absl::StatusOr<JobSpec> {
    ASSIGN_OR_RETURN(const v1::JobSpec proto, convert::JobSpecFromJson(json));
    return convert::JobSpecFromProto(proto);
  };
  Leader leader(leading, dependencies);
  MetricsRegistry registry;
  ExportLeader(registry, leader);
  MetricsServerOptions metrics;
  metrics.port = options.metrics_port;
  ASSIGN_OR_RETURN(const auto metrics_server, MetricsServer::Start(registry, metrics));

  WorkerPool readers(options.database_connections);
  api::ApiContext context;
  context.leader = &leader;
  context.store = store.get();
  context.artifacts = artifacts.get();
  context.readers = &readers;
  context.clock = &clock;
  api::ExplorationService exploration(context);
  api::WorkerService workers(context);
  api::ArtifactServiceOptions uploads;
  uploads.upload_directory = options.artifacts + "/.uploads";
  api::ArtifactService artifact_service(context, uploads);

  // The address first: a process that cannot serve must not depose one that does.
  rpc::ServerOptions serving;
  serving.tls = options.tls;
  ASSIGN_OR_RETURN(
      const auto server,
      rpc::RpcServer::Start(options.listen, serving, {&exploration, &workers, &artifact_service}));
  server->SetServing(false);
  RETURN_IF_ERROR(WaitForTheLead(options, *store, leader));
  if (StopRequested(0)) return absl::OkStatus();
  RETURN_IF_ERROR(leader.Start());
  server->SetServing(true);
  Log(LogLevel::kInfo, "serving",
      {{"address", server->address()},
       {"metrics_port", metrics_server == nullptr ? 0 : metrics_server->port()}});

  while (!StopRequested(200) && !leader.deposed()) {
  }
  server->SetServing(false);
  leader.Stop();  // answers what is open
  server->Shutdown(2'000);
  if (leader.deposed()) return absl::AbortedError("another coordinator has taken the lead");
  Log(LogLevel::kInfo, "stopped");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app{"Dovetail's coordinator: jobs, search, dispatch."};
  Options options;
  AddOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  // Before any thread: only the main thread takes these.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  LogOptions logging;
  logging.logger = "coordinator";
  logging.json = options.log_json;
  absl::Status status = ParseLogLevel(options.log_level, logging.level);
  if (status.ok()) status = InitLogging(logging);
  if (status.ok()) status = Serve(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "dovetail-coordinator: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace dovetail

int main(int argc, char** argv) { return dovetail::Main(argc, argv); }

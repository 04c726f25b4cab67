// Metrics for Prometheus: counters, gauges, histograms, and the port they are read on. Called from
// every room that runs in a daemon. This room alone includes prometheus-cpp.
//
// Names are dovetail_<room>_<what>_<unit|total>; labels have few values (task, outcome: yes; trial:
// no). Look a handle up once and keep it.
#ifndef DOVETAIL_COMMON_TELEMETRY_METRICS_H_
#define DOVETAIL_COMMON_TELEMETRY_METRICS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace dovetail {

using MetricLabels = std::map<std::string, std::string>;

// Handles are small, copyable, thread-safe and valid as long as their registry. One that was made
// by default does nothing, so that metrics are optional in tests.
class Counter {
 public:
  void Increment(double by = 1) const;

 private:
  friend class MetricsRegistry;
  void* counter_ = nullptr;
};

class Gauge {
 public:
  void Set(double value) const;
  void Add(double by) const;

 private:
  friend class MetricsRegistry;
  void* gauge_ = nullptr;
};

class Histogram {
 public:
  void Observe(double value) const;

 private:
  friend class MetricsRegistry;
  void* histogram_ = nullptr;
};

// Upper bounds in seconds: of calls (0.5 ms to 10 s) and of tasks (50 ms to 2 h).
const std::vector<double>& CallSecondsBuckets();
const std::vector<double>& TaskSecondsBuckets();

// Thread-safe.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  // The same name and labels give the same metric. Precondition: a name of the form above, and the
  // same kind and help wherever it is used (else the process ends: a programmer's mistake).
  Counter AddCounter(const std::string& name, const std::string& help,
                     const MetricLabels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         const std::vector<double>& bounds, const MetricLabels& labels = {});

  // `refresh` runs before every scrape, on the scraping thread: for gauges that are read off some
  // state. It must not block, and everything it uses must outlive the registry's server.
  void OnScrape(std::function<void()> refresh);

  // What a scrape returns.
  std::string Text() const;

 private:
  friend class MetricsServer;
  struct State;
  std::shared_ptr<State> state_;
};

struct MetricsServerOptions {
  std::string host = "0.0.0.0";
  int port = 0;  // 0: off; -1: any free port
};

// Serves GET /metrics until destroyed.
class MetricsServer {
 public:
  // Null where port is 0. `registry` may be destroyed before the server.
  // Errors: FailedPrecondition: the port is in use or may not be bound; InvalidArgument: no port.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const MetricsRegistry& registry,
                                                              const MetricsServerOptions& options);
  ~MetricsServer();
  int port() const { return port_; }

 private:
  MetricsServer();

  struct State;
  std::unique_ptr<State> state_;
  int port_ = 0;
};

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_TELEMETRY_METRICS_H_

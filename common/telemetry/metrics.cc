#include "common/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <exception>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail {

void Counter::Increment(double by) const {
  if (counter_ != nullptr) static_cast<prometheus::Counter*>(counter_)->Increment(by);
}

void Gauge::Set(double value) const {
  if (gauge_ != nullptr) static_cast<prometheus::Gauge*>(gauge_)->Set(value);
}

void Gauge::Add(double by) const {
  if (gauge_ != nullptr) static_cast<prometheus::Gauge*>(gauge_)->Increment(by);
}

void Histogram::Observe(double value) const {
  if (histogram_ != nullptr) static_cast<prometheus::Histogram*>(histogram_)->Observe(value);
}

const std::vector<double>& CallSecondsBuckets() {
  static const auto* const bounds = new std::vector<double>{
      0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};
  return *bounds;
}

const std::vector<double>& TaskSecondsBuckets() {
  static const auto* const bounds = new std::vector<double>{
      0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200};
  return *bounds;
}

struct MetricsRegistry::State : public prometheus::Collectable {
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<std::function<void()>> run;
    {
      std::lock_guard lock(mutex);
      run = refresh;
    }
    for (const auto& one : run) one();
    return registry.Collect();
  }

  prometheus::Registry registry;
  mutable std::mutex mutex;
  std::vector<std::function<void()>> refresh;
};

MetricsRegistry::MetricsRegistry() : state_(std::make_shared<State>()) {}
MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::AddCounter(const std::string& name, const std::string& help,
                                    const MetricLabels& labels) {
  Counter handle;
  handle.counter_ = &prometheus::BuildCounter()
                         .Name(name)
                         .Help(help)
                         .Register(state_->registry)
                         .Add({labels.begin(), labels.end()});
  return handle;
}

Gauge MetricsRegistry::AddGauge(const std::string& name, const std::string& help,
                                const MetricLabels& labels) {
  Gauge handle;
  handle.gauge_ = &prometheus::BuildGauge()
                       .Name(name)
                       .Help(help)
                       .Register(state_->registry)
                       .Add({labels.begin(), labels.end()});
  return handle;
}

Histogram MetricsRegistry::AddHistogram(const std::string& name, const std::string& help,
                                        const std::vector<double>& bounds,
                                        const MetricLabels& labels) {
  Histogram handle;
  handle.histogram_ = &prometheus::BuildHistogram()
                           .Name(name)
                           .Help(help)
                           .Register(state_->registry)
                           .Add({labels.begin(), labels.end()}, bounds);
  return handle;
}

void MetricsRegistry::OnScrape(std::function<void()> refresh) {
  std::lock_guard lock(state_->mutex);
  state_->refresh.push_back(std::move(refresh));
}

std::string MetricsRegistry::Text() const {
  return prometheus::TextSerializer().Serialize(state_->Collect());
}

struct MetricsServer::State {
  // The exposer holds only a weak reference.
  std::shared_ptr<prometheus::Collectable> metrics;
  std::unique_ptr<prometheus::Exposer> exposer;
};

MetricsServer::MetricsServer() : state_(std::make_unique<State>()) {}
MetricsServer::~MetricsServer() = default;

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const MetricsRegistry& registry, const MetricsServerOptions& options) {
  if (options.port == 0) return nullptr;
  if (options.port < -1 || options.port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("metrics port ", options.port, " is none: 1 to 65535, 0 for no metrics"));
  }
  const std::string address =
      absl::StrCat(options.host, ":", options.port == -1 ? 0 : options.port);
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  try {
    server->state_->exposer = std::make_unique<prometheus::Exposer>(address, 2);
    server->state_->metrics = registry.state_;
    server->state_->exposer->RegisterCollectable(server->state_->metrics, "/metrics");
    server->port_ = server->state_->exposer->GetListeningPorts().at(0);
  } catch (const std::exception&) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot serve metrics on ", address, ": the port is in use or may not be bound; choose ",
        "another --metrics-port, or 0 for none"));
  }
  return server;
}

}  // namespace dovetail

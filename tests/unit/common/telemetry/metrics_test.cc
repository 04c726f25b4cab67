#include "common/telemetry/metrics.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/http_get.h"
#include "tests/support/status_matchers.h"

namespace dovetail {
namespace {

using ::testing::HasSubstr;
using testing::HttpGet;
using testing::StatusIs;

TEST(MetricsTest, AScrapeSeesCountersGaugesAndHistograms) {
  MetricsRegistry registry;
  const Counter tasks =
      registry.AddCounter("dovetail_worker_tasks_total", "Tasks run", {{"task", "prune"}});
  const Gauge slots = registry.AddGauge("dovetail_worker_free_slots_count", "Free slots");
  const Histogram seconds =
      registry.AddHistogram("dovetail_worker_task_seconds", "Of tasks", {1, 10});
  tasks.Increment();
  tasks.Increment(2);
  seconds.Observe(3);
  registry.OnScrape([slots] { slots.Set(4); });
  MetricsServerOptions options;
  options.host = "127.0.0.1";
  options.port = -1;
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(registry, options));
  const std::string text = HttpGet(server->port(), "/metrics");
  EXPECT_THAT(text, HasSubstr("dovetail_worker_tasks_total{task=\"prune\"} 3"));
  EXPECT_THAT(text, HasSubstr("dovetail_worker_free_slots_count 4"));
  EXPECT_THAT(text, HasSubstr("dovetail_worker_task_seconds_bucket{le=\"10\"} 1"));
}

TEST(MetricsTest, TheSameNameAndLabelsAreOneMetric) {
  MetricsRegistry registry;
  registry.AddCounter("dovetail_x_y_total", "h", {{"a", "1"}}).Increment();
  registry.AddCounter("dovetail_x_y_total", "h", {{"a", "1"}}).Increment();
  EXPECT_THAT(registry.Text(), HasSubstr("dovetail_x_y_total{a=\"1\"} 2"));
}

TEST(MetricsTest, ADefaultHandleDoesNothing) {
  Counter().Increment();
  Gauge().Set(1);
  Histogram().Observe(1);
}

TEST(MetricsServerTest, APortInUseIsAClearError) {
  MetricsRegistry registry;
  MetricsServerOptions options;
  options.host = "127.0.0.1";
  options.port = -1;
  ASSERT_OK_AND_ASSIGN(const auto first, MetricsServer::Start(registry, options));
  options.port = first->port();
  EXPECT_THAT(MetricsServer::Start(registry, options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in use")));
}

TEST(MetricsServerTest, PortZeroIsOffAndOthersAreChecked) {
  MetricsRegistry registry;
  ASSERT_OK_AND_ASSIGN(const auto none, MetricsServer::Start(registry, {}));
  EXPECT_EQ(none, nullptr);
  MetricsServerOptions options;
  options.port = 70000;
  EXPECT_THAT(MetricsServer::Start(registry, options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("70000")));
}

}  // namespace
}  // namespace dovetail

// Every panel's PromQL and SQL against a real Prometheus and PostgreSQL while a job runs: the query
// must be understood and, but for panels that show trouble, must see data.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/artifacts/remote_store.h"
#include "common/base/file_io.h"
#include "common/convert/job_convert.h"
#include "common/rpc/channel.h"
#include "services/worker/sandbox/run_caged.h"
#include "tests/integration/dashboards/dashboard_files.h"
#include "tests/support/http_get.h"
#include "tests/support/service.h"
#include "tests/support/status_matchers.h"

namespace dovetail {
namespace {

using testing::PanelQuery;
using testing::PollUntil;
using testing::Service;

constexpr const char* kDeploy = DOVETAIL_SOURCE_DIR "/deploy/";

// The jets, one epoch of everything, sparse designs of few bits: a trial takes seconds.
v1::JobSpec SmallJob(const std::string& network, const std::string& dataset) {
  return convert::JobSpecFromJson(absl::StrCat(
                                      R"({
    "name": "seen", "network": {"digest": ")",
                                      network, R"("}, "dataset": {"digest": ")", dataset, R"("},
    "Part": "xcu250-figd2104-2L-e",
    "flow": {"tasks": [
      {"task": "prune", "params": {"rate": "= rate", "epochs": 1}},
      {"task": "quantize", "params": {"weight_bits": 3, "activation_bits": 5, "epochs": 1}},
      {"task": "evaluate"}, {"task": "lower_rtl"}, {"task": "synthesize"}]},
    "space": {"variables": [
      {"name": "rate", "type": "VARIABLE_TYPE_CONTINUOUS", "min": 0.9, "max": 0.97}]},
    "search": {"strategy": "random", "seed": 7},
    "objectives": [{"metric": "accuracy", "goal": "GOAL_MAXIMIZE"},
                   {"metric": "lut", "goal": "GOAL_MINIMIZE"}],
    "budget": {"trials": 4}})"))
      .value();
}

std::string UrlEncode(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(c)) {
      encoded.push_back(c);
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return encoded;
}

// Debian's Prometheus on the repository's configuration, scraping every second; killed when it
// goes.
class Prometheus {
 public:
  Prometheus(const std::string& directory, int coordinator_port, int worker_port)
      : port_(testing::FreePort()) {
    const auto write = [&](const std::string& name, const std::string& text) {
      EXPECT_OK(WriteFileAtomically(directory + "/" + name, text));
    };
    std::string config = *ReadFile(absl::StrCat(kDeploy, "prometheus/prometheus.yml"));
    config = absl::StrReplaceAll(config, {{"_interval: 10s", "_interval: 1s"}, {"targets/", ""}});
    write("prometheus.yml", config);
    write("alerts.yml", *ReadFile(absl::StrCat(kDeploy, "prometheus/alerts.yml")));
    write("coordinators.yml", absl::StrCat("- targets: ['127.0.0.1:", coordinator_port, "']\n"));
    write("workers.yml", absl::StrCat("- targets: ['127.0.0.1:", worker_port, "']\n"));
    command_.argv = {"prometheus", "--config.file=" + directory + "/prometheus.yml",
                     "--storage.tsdb.path=" + directory + "/data",
                     absl::StrCat("--web.listen-address=127.0.0.1:", port_)};
    command_.cage = sandbox::CageKind::kPlain;
    command_.cancel = &cancel_;
    command_.stderr_file = directory + "/prometheus.log";
    thread_ = std::thread([this] { sandbox::RunCaged(command_).status().IgnoreError(); });
  }
  ~Prometheus() {
    cancel_ = true;
    thread_.join();
  }

  bool Ready() const {
    return testing::HttpGet(port_, "/-/ready").find("Ready") != std::string::npos;
  }
  // Series with a finite value; an error text where the query is not understood.
  absl::StatusOr<int> Count(const std::string& query) const {
    const std::string body = testing::HttpGet(port_, "/api/v1/query?query=" + UrlEncode(query));
    ASSIGN_OR_RETURN(const Value answer, Value::FromJson(body));
    if (answer["status"].AsString() != "success") {
      return absl::InvalidArgumentError(answer["error"].AsString());
    }
    int count = 0;
    for (const Value& series : answer["data"]["result"].AsList()) {
      count += series["value"].AsList()[1].AsString() != "NaN";
    }
    return count;
  }
  // What the alert rules say of themselves.
  std::string Rules() const { return testing::HttpGet(port_, "/api/v1/rules"); }

 private:
  const int port_;
  sandbox::CommandSpec command_;
  std::atomic<bool> cancel_{false};
  std::thread thread_;
};

// Rows, as the role that Grafana uses.
absl::StatusOr<int> CountRows(const std::string& database, const std::string& sql) {
  const testing::CommandOutput output = testing::RunCommand(
      {"psql", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAt", "-c", "SET ROLE dovetail_grafana",
       "-c", absl::StrCat("SELECT 'rows=' || count(*) FROM (", sql, ") q")});
  const size_t at = output.text.find("rows=");
  if (output.exit_code != 0 || at == std::string::npos) {
    return absl::InvalidArgumentError(output.text);
  }
  return std::stoi(output.text.substr(at + 5));
}

class DashboardsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sandbox::FindProgram("prometheus").empty()) GTEST_SKIP() << "no prometheus here";
    Service::Options options;
    options.coordinator_metrics_port = testing::FreePort();
    options.worker_metrics_port = testing::FreePort();
    ASSERT_OK_AND_ASSIGN(service_, Service::Start(1, options));
    prometheus_ = std::make_unique<Prometheus>(directory_.path(), options.coordinator_metrics_port,
                                               options.worker_metrics_port);
    ASSERT_TRUE(PollUntil([&] { return prometheus_->Ready(); }, 30));
  }
  int64_t SubmitJob() {
    const auto channel = rpc::MakeChannel(service_->address(), {}).value();
    const auto artifacts = MakeRemoteStore(channel);
    const std::string jets = absl::StrCat(kDeploy, "examples/jets/");
    v1::SubmitJobRequest request;
    *request.mutable_spec() = SmallJob(artifacts->PutFile(jets + "jet_dnn.onnx").value(),
                                       artifacts->PutFile(jets + "jets.npz").value());
    v1::Job job;
    EXPECT_OK(rpc::Call({}, [&](grpc::ClientContext* context) {
      return service_->exploration().SubmitJob(context, request, &job);
    }));
    return job.id();
  }
  absl::StatusOr<int> Ask(const PanelQuery& query, int64_t job_id) const {
    const std::string text = testing::FillMacros(query.text, job_id);
    return query.is_sql ? CountRows(service_->database(), text) : prometheus_->Count(text);
  }

  testing::TempDir directory_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Prometheus> prometheus_;
};

TEST_F(DashboardsTest, EveryPanelSeesDataDuringAJob) {
  std::vector<PanelQuery> open;
  for (const char* file : {"fleet.json", "job.json"}) {
    ASSERT_OK_AND_ASSIGN(const Value dashboard, testing::ReadDashboard(absl::StrCat(
                                                    kDeploy, "grafana/dashboards/", file)));
    const std::vector<PanelQuery> queries = testing::PanelQueries(dashboard);
    open.insert(open.end(), queries.begin(), queries.end());
  }
  EXPECT_GE(open.size(), 40u);
  const int64_t job_id = SubmitJob();
  // A panel is done with once its query was understood and saw something.
  PollUntil(
      [&] {
        std::erase_if(open, [&](const PanelQuery& query) {
          const absl::StatusOr<int> count = Ask(query, job_id);
          EXPECT_OK(count) << query.dashboard << ", " << query.panel << ": " << query.text;
          return !count.ok() || *count > 0 || query.may_be_empty;
        });
        return open.empty();
      },
      240);
  for (const PanelQuery& query : open) {
    ADD_FAILURE() << query.dashboard << ", " << query.panel << " saw nothing: " << query.text;
  }
  if (!open.empty()) ADD_FAILURE() << service_->Logs();
  const std::string rules = prometheus_->Rules();
  EXPECT_EQ(rules.find("\"health\":\"err\""), std::string::npos) << rules;
  EXPECT_NE(rules.find("DovetailOldLease"), std::string::npos);
}

TEST_F(DashboardsTest, GrafanasRoleReadsTheViewsAndNothingElse) {
  EXPECT_OK(CountRows(service_->database(), "SELECT * FROM dashboard.jobs"));
  for (const char* table : {"jobs", "trials", "artifacts", "actions"}) {
    EXPECT_THAT(CountRows(service_->database(), absl::StrCat("SELECT * FROM dovetail.", table)),
                testing::StatusIs(absl::StatusCode::kInvalidArgument,
                                  ::testing::HasSubstr("permission denied")));
  }
}

}  // namespace
}  // namespace dovetail

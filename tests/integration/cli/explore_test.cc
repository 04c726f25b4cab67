// `dovetail explore` as a user runs it: real processes, a private database, real tasks.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "services/cli/local/places.h"
#include "services/cli/local/process.h"
#include "tests/support/status_matchers.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

// No training, no hardware: seconds, not minutes. service_test runs the whole flow.
constexpr char kJob[] = R"(name: small
network: {file: jet_dnn.onnx}
dataset: {file: jets.npz}
Part: xcu250-figd2104-2L-e
flow:
  tasks:
    - task: quantize
      params: {weight_bits: = weight_bits, activation_bits: = activation_bits, epochs: 0}
    - task: evaluate
space:
  variables:
    - {name: weight_bits, type: integer, min: 3, max: 5}
    - {name: activation_bits, type: integer, min: 4, max: 6}
search: {strategy: sobol}
objectives:
  - {metric: accuracy, goal: maximize}
budget: {trials: 6}
references:
  - {name: baseline, cfg: {quantize.Precision: "ap_fixed<18,8>"}}
)";

std::string Read(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

class ExploreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/dvt_explore_XXXXXX";
    directory_ = mkdtemp(name);
    fs::permissions(directory_, fs::perms(0755));
    const std::string jets = DOVETAIL_SOURCE_DIR "/deploy/examples/jets";
    for (const char* file : {"jet_dnn.onnx", "jets.npz"}) {
      fs::create_symlink(jets + "/" + file, directory_ + "/" + file);
    }
    Write(kJob);
  }
  void TearDown() override {
    (void)RunProgram({kDovetail, "--state", State(), "stop"});
    fs::remove_all(directory_);
  }

  void Write(const std::string& job) { std::ofstream(directory_ + "/job.yaml") << job; }
  std::string State() const { return directory_ + "/state"; }
  // Standard error and output, then "rc=N".
  std::string Shell(const std::string& script) {
    const auto output = RunProgram({"sh", "-c", "cd " + directory_ + "; " + script});
    return output.ok() ? *output : std::string(output.status().message());
  }
  std::string Explore(const std::string& options) {
    return Shell(std::string(kDovetail) + " --state " + State() + " explore job.yaml " + options +
                 " 2>&1; echo rc=$?");
  }
  bool ServiceRuns() const {
    const auto places = FindPlaces(State());
    for (const char* process : {"coordinator", "worker-1", "worker-2"}) {
      if (LivingProcess(places->pid_file(process)) != 0) return true;
    }
    return fs::exists(places->postgres_data() + "/postmaster.pid");
  }

  static constexpr const char* kDovetail = DOVETAIL_BINARY_DIR "/bin/dovetail";
  std::string directory_;
};

TEST_F(ExploreTest, RunsToItsFrontAndStopsWhatItStarted) {
  const std::string output = Explore("--trials 3");
  EXPECT_THAT(output, EndsWith("rc=0\n"));
  EXPECT_THAT(output, HasSubstr("Pareto front:"));
  EXPECT_THAT(output, HasSubstr("baseline"));
  EXPECT_FALSE(ServiceRuns());
  const std::string trials = Read(directory_ + "/out/small/trials.csv");
  EXPECT_THAT(trials, HasSubstr("trial,state,accuracy,dsp,lut,ff,bram,latency_cycles,"
                                "initiation_interval_cycles,estimated_critical_path_ns,"
                                "latency_ns_at_target,timing,weight_bits,activation_bits\n"));
  EXPECT_EQ(std::count(trials.begin(), trials.end(), '\n'), 4);
  EXPECT_THAT(Read(directory_ + "/out/small/front.csv"), HasSubstr(",succeeded,0."));
  EXPECT_THAT(Read(directory_ + "/out/small/report.html"), HasSubstr("</html>"));
}

TEST_F(ExploreTest, InterruptedItStopsEverythingAndResumesTheSameJob) {
  const std::string interrupted =
      Shell(std::string(kDovetail) + " --state " + State() +
            " explore job.yaml > log 2>&1 & pid=$!; i=0; "
            "while [ $i -lt 3000 ] && ! grep -q '^running' log; do sleep 0.1; i=$((i+1)); done; "
            "kill -INT $pid; wait $pid; echo rc=$?; cat log");
  EXPECT_THAT(interrupted, HasSubstr("rc=130\n"));
  EXPECT_THAT(interrupted, HasSubstr("go on with `dovetail explore --resume job.yaml`"));
  EXPECT_FALSE(ServiceRuns());
  EXPECT_FALSE(fs::exists(directory_ + "/out"));

  const std::string changed = Explore("--resume --trials 5");
  EXPECT_THAT(changed, HasSubstr("has changed since job 1"));
  EXPECT_THAT(changed, EndsWith("rc=1\n"));

  const std::string resumed = Explore("--resume");
  EXPECT_THAT(resumed, HasSubstr("going on with job 1 (small)"));
  EXPECT_THAT(resumed, EndsWith("rc=0\n"));
  const std::string trials = Read(directory_ + "/out/small/trials.csv");
  EXPECT_EQ(std::count(trials.begin(), trials.end(), '\n'), 7);
}

struct BadInput {
  const char* from;
  const char* to;
  const char* message;
};

TEST_F(ExploreTest, BadInputIsOneLineAndStartsNothing) {
  const BadInput cases[] = {
      {"jet_dnn.onnx", "none.onnx", "job.yaml:2: network.file none.onnx: No such file"},
      {"objectives:", "objetives:", "unknown key \"objetives\" in the file; did you mean"},
      {"xcu250-figd2104-2L-e", "xcx1", "job.yaml:4: Part: "},
      {"trials: 6", "trials: 0", "job.yaml:17: budget: no limit is set"},
      {"min: 3", "min: 14", "min 14 is not below max 5"},
      {"goal: maximize", "goal: most", "one of minimize, maximize"},
  };
  for (const BadInput& one : cases) {
    std::string job = kJob;
    job.replace(job.find(one.from), std::string(one.from).size(), one.to);
    Write(job);
    const std::string output = Explore("");
    EXPECT_THAT(output, HasSubstr(one.message));
    EXPECT_THAT(output, EndsWith("rc=2\n"));
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 2) << output;
  }
  EXPECT_FALSE(fs::exists(directory_ + "/out"));
  EXPECT_FALSE(fs::exists(State()));
}

TEST_F(ExploreTest, FileThatIsNoNetworkFailsTheJobWithTheCause) {
  fs::remove(directory_ + "/jet_dnn.onnx");
  std::ofstream(directory_ + "/jet_dnn.onnx") << "this is not ONNX";
  const std::string output = Explore("");
  EXPECT_THAT(output, HasSubstr("job 1 failed: "));
  EXPECT_THAT(output, EndsWith("rc=1\n"));
  EXPECT_FALSE(fs::exists(directory_ + "/out"));
  EXPECT_FALSE(ServiceRuns());
}

}  // namespace
}  // namespace dovetail::cli

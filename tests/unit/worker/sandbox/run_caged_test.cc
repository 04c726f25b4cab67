#include "services/worker/sandbox/run_caged.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/file_io.h"
#include "gtest/gtest.h"
#include "services/worker/sandbox/process_tree.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::sandbox {
namespace {

using dovetail::testing::StatusIs;
using dovetail::testing::TempDir;
using ::testing::_;
using ::testing::HasSubstr;

// Sleeps in a session of its own, adopted by nobody: what a badly behaved tool leaves behind.
constexpr const char* kDoubleForked =
    "import os, sys, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        open(sys.argv[1] + '.tmp', 'w').write(str(os.getpid()))\n"
    "        os.rename(sys.argv[1] + '.tmp', sys.argv[1])\n"
    "        time.sleep(1000)\n"
    "    os._exit(0)\n"
    "time.sleep(float(sys.argv[2]))\n";

bool Waited(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// Dead, whether or not anyone has reaped it.
bool Gone(pid_t pid) {
  const auto stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  return !stat.ok() || stat->find(") Z") != std::string::npos;
}

class RunCagedTest : public ::testing::TestWithParam<CageKind> {
 protected:
  void SetUp() override {
    if (GetParam() == CageKind::kBubblewrap && !BubblewrapWorks()) {
      GTEST_SKIP() << "bubblewrap does not work here";
    }
  }
  CommandSpec Spec(std::vector<std::string> argv) {
    CommandSpec spec;
    spec.argv = std::move(argv);
    spec.cage = GetParam();
    spec.writable = {directory_.path()};
    return spec;
  }
  CommandSpec Shell(const std::string& script) { return Spec({"/bin/sh", "-c", script}); }

  TempDir directory_;
};

TEST_P(RunCagedTest, OutputExitCodeAndUsageComeBack) {
  ASSERT_OK_AND_ASSIGN(const CommandResult result,
                       RunCaged(Shell("echo out; echo err >&2; exit 3")));
  EXPECT_EQ(result.stdout_text, "out\n");
  EXPECT_EQ(result.stderr_text, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(result.ok());
  EXPECT_GT(result.peak_rss_bytes, 100'000);
}

TEST_P(RunCagedTest, ArgumentsAreNotReadByAShell) {
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(Spec({"echo", "$(id)", "a b;c"})));
  EXPECT_EQ(result.stdout_text, "$(id) a b;c\n");
}

TEST_P(RunCagedTest, OnlyTheGivenEnvironmentIsSeen) {
  setenv("DOVETAIL_SECRET", "s3cret", 1);
  CommandSpec spec = Spec({"env"});
  spec.environment = {{"SEED", "7"}};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_THAT(result.stdout_text, HasSubstr("SEED=7"));
  EXPECT_THAT(result.stdout_text, ::testing::Not(HasSubstr("s3cret")));
}

TEST_P(RunCagedTest, StandardStreamsAreFiles) {
  ASSERT_OK(WriteFileAtomically(directory_ / "in", "fed"));
  CommandSpec spec = Shell("cat; pwd >&2");
  spec.stdin_file = directory_ / "in";
  spec.stdout_file = directory_ / "out";
  spec.stderr_file = directory_ / "err";
  ASSERT_OK(RunCaged(spec));
  EXPECT_EQ(*ReadFile(directory_ / "out"), "fed");
  EXPECT_EQ(*ReadFile(directory_ / "err"), directory_.path() + "\n");
}

TEST_P(RunCagedTest, LongOutputKeepsItsStartAndItsEnd) {
  CommandSpec spec = Shell("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last");
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_LT(result.stdout_text.size(), 2200u);
  EXPECT_THAT(result.stdout_text, ::testing::StartsWith("first\n"));
  EXPECT_THAT(result.stdout_text, ::testing::EndsWith("xxx\nlast\n"));
  EXPECT_THAT(result.stdout_text, HasSubstr("[... 2997964 bytes left out ...]"));
}

TEST_P(RunCagedTest, TimeOutKillsTheTreeWithADoubleForkedGrandchild) {
  CommandSpec spec = Spec({"python3", "-c", kDoubleForked, directory_ / "pid", "1000"});
  spec.timeout_ms = 1500;
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "pid")) << "the grandchild never started";
  EXPECT_TRUE(Descendants(getpid()).empty());
  EXPECT_THAT(CommandStatus("tool", spec, result),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("1.5 s")));
}

TEST_P(RunCagedTest, WhatACommandLeavesBehindDiesWithIt) {
  CommandSpec spec = Spec({"python3", "-c", kDoubleForked, directory_ / "pid", "0.3"});
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_TRUE(result.ok());
  EXPECT_TRUE(Descendants(getpid()).empty());
  if (GetParam() == CageKind::kPlain) {
    EXPECT_TRUE(Gone(std::stoi(*ReadFile(directory_ / "pid"))));
  }
}

TEST_P(RunCagedTest, CancelKillsTheTree) {
  std::atomic<bool> cancel{false};
  CommandSpec spec = Shell("echo x > started; sleep 1000");
  spec.cancel = &cancel;
  std::thread canceller([&] {
    Waited([&] { return std::filesystem::exists(directory_ / "started"); });
    cancel = true;
  });
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  canceller.join();
  EXPECT_TRUE(result.cancelled);
  EXPECT_TRUE(Descendants(getpid()).empty());
  EXPECT_THAT(CommandStatus("tool", spec, result), StatusIs(absl::StatusCode::kAborted, _));
}

TEST_P(RunCagedTest, ATreeThatTakesTooMuchMemoryIsKilled) {
  // Three processes below the limit of one, together above it.
  CommandSpec spec = Spec({"python3", "-c",
                           "import os, time\n"
                           "os.fork(); os.fork()\n"
                           "block = b'x' * 60_000_000\n"
                           "time.sleep(1000)\n"});
  spec.memory_limit_bytes = 150'000'000;
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_TRUE(result.memory_exceeded);
  EXPECT_GT(result.peak_rss_bytes, 150'000'000);
  EXPECT_THAT(CommandStatus("tool", spec, result),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit 143 MiB")));
}

TEST_P(RunCagedTest, OneProcessCannotAllocateBeyondTheLimit) {
  CommandSpec spec = Spec({"python3", "-c", "b'x' * 4_000_000_000"});
  spec.memory_limit_bytes = 200'000'000;
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.stderr_text, HasSubstr("MemoryError"));
  EXPECT_LT(result.peak_rss_bytes, 200'000'000);
}

TEST_P(RunCagedTest, FilesStopAtTheirLimit) {
  CommandSpec spec = Shell("head -c 10000000 /dev/zero > big");
  spec.file_limit_bytes = 1'000'000;
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(std::filesystem::file_size(directory_ / "big"), 1'000'000u);
}

TEST_P(RunCagedTest, ATreeThatFillsTheDiskIsKilled) {
  CommandSpec spec = Shell("head -c 3000000 /dev/zero > a; cp a b; sleep 1000");
  spec.disk_limit_bytes = 5'000'000;
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_TRUE(result.disk_exceeded);
  EXPECT_THAT(CommandStatus("tool", spec, result),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("wrote more than 4 MiB")));
}

TEST_P(RunCagedTest, ACommandDiesWithASupervisorThatIsKilled) {
  std::thread killer([&] {
    Waited([&] { return std::filesystem::exists(directory_ / "started"); });
    for (const pid_t pid : Descendants(getpid())) {
      const auto name = ReadFile("/proc/" + std::to_string(pid) + "/comm");
      if (name.ok() && *name == "cage\n") kill(pid, SIGKILL);
    }
  });
  EXPECT_THAT(RunCaged(Shell("echo x > started; exec sleep 1000")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("supervisor")));
  killer.join();
  EXPECT_TRUE(Waited([] { return Descendants(getpid()).empty(); }));
}

TEST_P(RunCagedTest, UsageOfGrandchildrenIsCounted) {
  CommandSpec spec = Shell("sh -c 'python3 -c \"x=b\\\"a\\\"*80000000; sum(range(1000000))\"'");
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec));
  EXPECT_TRUE(result.ok()) << result.stderr_text;
  EXPECT_GT(result.peak_rss_bytes, 80'000'000);
  EXPECT_GT(result.cpu_seconds, 0.01);
}

TEST_P(RunCagedTest, AMissingProgramIsNotFound) {
  EXPECT_THAT(RunCaged(Spec({"no-such-tool"})),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no-such-tool")));
  EXPECT_THAT(RunCaged(Spec({})), StatusIs(absl::StatusCode::kInvalidArgument, _));
}

TEST_P(RunCagedTest, CommandsAtOnceDoNotHoldEachOther) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto result = RunCaged(Shell("echo " + std::to_string(i)));
      if (result.ok() && result->stdout_text == std::to_string(i) + "\n") ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 8);
}

TEST_P(RunCagedTest, TheTreeDiesWithAParentThatIsKilled) {
  const CommandSpec spec = Spec({"python3", "-c", kDoubleForked, directory_ / "pid", "1000"});
  BubblewrapWorks();
  const pid_t parent = fork();
  if (parent == 0) {
    RunCaged(spec).status().IgnoreError();
    _exit(0);
  }
  ASSERT_TRUE(Waited([&] { return std::filesystem::exists(directory_ / "pid"); }));
  const std::vector<pid_t> tree = Descendants(parent);
  EXPECT_GE(tree.size(), 3u);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  for (const pid_t pid : tree) {
    EXPECT_TRUE(Waited([pid] { return Gone(pid); })) << pid;
  }
}

INSTANTIATE_TEST_SUITE_P(Cages, RunCagedTest,
                         ::testing::Values(CageKind::kPlain, CageKind::kBubblewrap),
                         [](const auto& info) {
                           return info.param == CageKind::kPlain ? "Plain" : "Bubblewrap";
                         });

class BubblewrapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!BubblewrapWorks()) GTEST_SKIP() << "bubblewrap does not work here";
    spec_.cage = CageKind::kBubblewrap;
    spec_.writable = {directory_.path()};
  }
  TempDir directory_;
  CommandSpec spec_;
};

TEST_F(BubblewrapTest, ThereIsNoNetwork) {
  spec_.argv = {"python3", "-c",
                "import socket\n"
                "print([name for _, name in socket.if_nameindex()])\n"
                "s = socket.socket(); s.settimeout(2)\n"
                "try: s.connect(('192.0.2.1', 80))\n"
                "except OSError as error: print(error)\n"};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_THAT(result.stdout_text, HasSubstr("['lo']"));
  EXPECT_THAT(result.stdout_text, HasSubstr("Network is unreachable"));
}

TEST_F(BubblewrapTest, OnlyTheGivenDirectoriesAreWritableAndTmpIsPrivate) {
  TempDir secret;
  ASSERT_OK(WriteFileAtomically(secret / "token", "t"));
  spec_.argv = {"/bin/sh", "-c",
                "echo y > mine; echo x > /tmp/private; touch /usr/bad; cat " + (secret / "token") +
                    "; cat /etc/shadow; ls /root /home"};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "mine"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/private"));
  EXPECT_FALSE(std::filesystem::exists("/usr/bad"));
  EXPECT_EQ(result.stdout_text, "");
  EXPECT_THAT(result.stderr_text, HasSubstr("Read-only file system"));
}

TEST_F(BubblewrapTest, TheKernelsSettingsCannotBeWrittenEvenByRoot) {
  // What is there already is written, so that a cage with a hole does no harm.
  ASSERT_OK_AND_ASSIGN(const std::string pattern, ReadFile("/proc/sys/kernel/core_pattern"));
  spec_.argv = {"python3", "-c",
                "import sys\n"
                "open('/proc/sys/kernel/core_pattern', 'w').write(sys.argv[1])\n",
                pattern};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_THAT(result.stderr_text, HasSubstr("Read-only file system"));
}

TEST_F(BubblewrapTest, ThereAreNoCapabilities) {
  spec_.argv = {"/bin/sh", "-c",
                "grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status; mount -t tmpfs none /usr"};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_THAT(result.stdout_text, HasSubstr("CapEff:\t0000000000000000\n"));
  EXPECT_THAT(result.stdout_text, HasSubstr("CapPrm:\t0000000000000000\n"));
  EXPECT_FALSE(result.ok());
}

TEST_F(BubblewrapTest, ReadableFilesAreSeenAndNotWritable) {
  TempDir inputs;
  ASSERT_OK(WriteFileAtomically(inputs / "in", "data"));
  spec_.readable = {inputs / "in"};
  spec_.argv = {"/bin/sh", "-c", "cat " + (inputs / "in") + "; echo x > " + (inputs / "in")};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_EQ(result.stdout_text, "data");
  EXPECT_EQ(*ReadFile(inputs / "in"), "data");
}

TEST_F(BubblewrapTest, ACageInsideACageIsPlain) {
  spec_.argv = {"/bin/sh", "-c", "echo $DOVETAIL_CAGED"};
  ASSERT_OK_AND_ASSIGN(const CommandResult result, RunCaged(spec_));
  EXPECT_EQ(result.stdout_text, "1\n");
  EXPECT_FALSE(InsideCage());
}

}  // namespace
}  // namespace dovetail::sandbox

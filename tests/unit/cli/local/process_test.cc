#include "services/cli/local/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::cli {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() : directory_(::dovetail::testing::ScratchDirectory() + "process_test") {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~ProcessTest() override { StopDaemon(PidFile(), 0); }
  std::string PidFile() const { return directory_ + "/p.pid"; }
  std::string LogFile() const { return directory_ + "/p.log"; }
  std::string directory_;
};

TEST_F(ProcessTest, OutputOfAProgramIsReturned) {
  ASSERT_OK_AND_ASSIGN(const std::string output,
                       RunProgram({"sh", "-c", "echo out; echo err >&2"}));
  EXPECT_EQ(output, "out\nerr\n");
}

TEST_F(ProcessTest, FailureIsItsLastLine) {
  EXPECT_THAT(RunProgram({"sh", "-c", "echo first; echo 'the cause'; echo; exit 3"}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("the cause")));
}

TEST_F(ProcessTest, MissingProgramIsNotFound) {
  EXPECT_THAT(RunProgram({"dovetail-no-such-program"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("dovetail-no-such-program")));
  EXPECT_THAT(StartDaemon({"dovetail-no-such-program"}, LogFile(), PidFile()),
              StatusIs(absl::StatusCode::kNotFound, ::testing::_));
}

TEST_F(ProcessTest, ProgramThatLeavesADaemonBehindIsNotWaitedFor) {
  // The daemon keeps the output open.
  ASSERT_OK_AND_ASSIGN(const std::string output,
                       RunProgram({"sh", "-c", "sleep 20 & echo $!; exit 0"}));
  kill(std::stoi(output), SIGKILL);
}

TEST_F(ProcessTest, DaemonHasASessionOfItsOwnAndIsStopped) {
  ASSERT_OK(StartDaemon({"sleep", "60"}, LogFile(), PidFile()));
  const pid_t pid = LivingProcess(PidFile());
  ASSERT_GT(pid, 0);
  EXPECT_EQ(getsid(pid), pid);
  StopDaemon(PidFile(), 5000);
  EXPECT_EQ(LivingProcess(PidFile()), 0);
  EXPECT_FALSE(std::filesystem::exists(PidFile()));
}

TEST_F(ProcessTest, DaemonThatIgnoresTheRequestIsKilledWithItsGroup) {
  ASSERT_OK(StartDaemon({"sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"}, LogFile(),
                        PidFile()));
  StopDaemon(PidFile(), 50);
  EXPECT_EQ(LivingProcess(PidFile()), 0);
}

TEST_F(ProcessTest, NumberOfAnotherProcessIsNotTaken) {
  // This very process, said to have begun at another time.
  std::ofstream(PidFile()) << getpid() << " 1\n";
  EXPECT_EQ(LivingProcess(PidFile()), 0);
  StopDaemon(PidFile(), 0);  // and it is not killed
}

TEST_F(ProcessTest, LastLineOfALogSkipsEmptyOnes) {
  std::ofstream(LogFile()) << "one\ntwo\n\n  \n";
  EXPECT_EQ(LastLine(LogFile()), "two");
  EXPECT_EQ(LastLine(directory_ + "/none"), "");
}

}  // namespace
}  // namespace dovetail::cli

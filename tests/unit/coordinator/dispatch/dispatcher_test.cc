#include "services/coordinator/dispatch/dispatcher.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace dovetail::dispatch {
namespace {

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() : dispatcher_(DispatchOptions{}, &clock_) {}

  static Action MakeAction(const std::string& name) {
    Action action;
    action.tenant = "t";
    action.task = "evaluate";
    action.parameters.Set("name", name);
    return action;
  }
  static WorkerOffer MakeWorker(const std::string& id, int slots = 1) {
    WorkerOffer worker;
    worker.id = id;
    worker.slots = slots;
    return worker;
  }
  static ActionResult Ok(const std::string& output = "d") {
    ActionResult result;
    result.outcome = Outcome::kOk;
    result.outputs["network"] = output;
    return result;
  }
  static ActionResult Failed(Outcome outcome) {
    ActionResult result;
    result.outcome = outcome;
    return result;
  }
  Assignment LeaseOne(const std::string& worker) {
    const auto assignments = dispatcher_.Lease(MakeWorker(worker), 1, changes_);
    EXPECT_EQ(assignments.size(), 1u);
    return assignments.empty() ? Assignment{} : assignments[0];
  }

  FakeClock clock_;
  Dispatcher dispatcher_;
  std::vector<store::Change> changes_;
  std::vector<Finished> finished_;
};

TEST_F(DispatcherTest, EqualActionsRunOnceAndServeAllWaiters) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  dispatcher_.Submit(MakeAction("x"), {2, 7, 3}, 0, 0, changes_);
  const Assignment assignment = LeaseOne("w1");
  EXPECT_TRUE(dispatcher_.Lease(MakeWorker("w2"), 1, changes_).empty());
  EXPECT_TRUE(dispatcher_.Complete("w1", assignment.key, 1, Ok(), changes_, finished_).accepted);
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(finished_[0].waiters, (std::vector<Waiter>{{1, 1, 1}, {2, 7, 3}}));
}

TEST_F(DispatcherTest, RepeatedCompletionIsADuplicate) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment assignment = LeaseOne("w1");
  dispatcher_.Complete("w1", assignment.key, 1, Ok(), changes_, finished_);
  const Completion again = dispatcher_.Complete("w1", assignment.key, 1, Ok(), changes_, finished_);
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(finished_.size(), 1u);
}

TEST_F(DispatcherTest, ExpiredLeaseIsGivenToAnotherWorkerAndTheFirstIsToldToStop) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment first = LeaseOne("w1");
  clock_.AdvanceMs(31'000);
  dispatcher_.Tick(changes_, finished_);
  clock_.AdvanceMs(1'000);
  dispatcher_.Tick(changes_, finished_);
  const Assignment second = LeaseOne("w2");
  EXPECT_EQ(second.key, first.key);
  EXPECT_EQ(second.attempt, 2);
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w1"), first.key, 1), Verdict::kCancel);
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w2"), first.key, 2), Verdict::kContinue);
}

TEST_F(DispatcherTest, HeartbeatsKeepTheLease) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment assignment = LeaseOne("w1");
  for (int i = 0; i < 20; ++i) {
    clock_.AdvanceMs(10'000);
    EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w1"), assignment.key, 1), Verdict::kContinue);
    dispatcher_.Tick(changes_, finished_);
  }
  EXPECT_EQ(dispatcher_.counters().expired_leases, 0);
}

TEST_F(DispatcherTest, FencedAttemptsGoodResultIsAcceptedAndTheNewerIsCancelled) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment first = LeaseOne("w1");
  clock_.AdvanceMs(40'000);
  dispatcher_.Tick(changes_, finished_);
  clock_.AdvanceMs(1'000);
  dispatcher_.Tick(changes_, finished_);
  LeaseOne("w2");
  EXPECT_TRUE(dispatcher_.Complete("w1", first.key, 1, Ok(), changes_, finished_).accepted);
  EXPECT_EQ(finished_.size(), 1u);
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w2"), first.key, 2), Verdict::kCancel);
  // The newer attempt's equal result changes nothing.
  const Completion late = dispatcher_.Complete("w2", first.key, 2, Ok(), changes_, finished_);
  EXPECT_FALSE(late.nondeterministic);
  EXPECT_EQ(finished_.size(), 1u);
}

TEST_F(DispatcherTest, StaleFailureChangesNothing) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment first = LeaseOne("w1");
  clock_.AdvanceMs(40'000);
  dispatcher_.Tick(changes_, finished_);
  clock_.AdvanceMs(1'000);
  dispatcher_.Tick(changes_, finished_);
  LeaseOne("w2");
  EXPECT_FALSE(dispatcher_.Complete("w1", first.key, 1, Failed(Outcome::kBug), changes_, finished_)
                   .accepted);
  EXPECT_TRUE(finished_.empty());
}

TEST_F(DispatcherTest, OtherBytesForAFinishedActionAreNondeterministic) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment first = LeaseOne("w1");
  clock_.AdvanceMs(40'000);
  dispatcher_.Tick(changes_, finished_);
  clock_.AdvanceMs(1'000);
  dispatcher_.Tick(changes_, finished_);
  LeaseOne("w2");
  dispatcher_.Complete("w2", first.key, 2, Ok("one"), changes_, finished_);
  EXPECT_TRUE(
      dispatcher_.Complete("w1", first.key, 1, Ok("other"), changes_, finished_).nondeterministic);
}

TEST_F(DispatcherTest, InfrastructureFailuresAreRetriedThenGivenUp) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    clock_.AdvanceMs(120'000);
    dispatcher_.Tick(changes_, finished_);
    const Assignment assignment = LeaseOne("w" + std::to_string(attempt));
    dispatcher_.Complete("w", assignment.key, attempt, Failed(Outcome::kInfrastructure), changes_,
                         finished_);
  }
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(finished_[0].result.outcome, Outcome::kInfrastructure);
}

TEST_F(DispatcherTest, AttemptsOfAnActionAskedForAgainGoOnCounting) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 4, changes_);
  EXPECT_EQ(LeaseOne("w1").attempt, 5);
}

TEST_F(DispatcherTest, LicenceRefusalsAreNeverGivenUp) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  for (int attempt = 1; attempt <= 30; ++attempt) {
    clock_.AdvanceMs(120'000);
    dispatcher_.Tick(changes_, finished_);
    const Assignment assignment = LeaseOne("w1");
    dispatcher_.Complete("w1", assignment.key, attempt, Failed(Outcome::kLicence), changes_,
                         finished_);
  }
  EXPECT_TRUE(finished_.empty());
}

TEST_F(DispatcherTest, TimeoutIsTriedOnceMoreWithALargerBudget) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  const Assignment first = LeaseOne("w1");
  dispatcher_.Complete("w1", first.key, 1, Failed(Outcome::kTimeout), changes_, finished_);
  const Assignment second = LeaseOne("w1");
  EXPECT_EQ(second.timeout_ms, 2 * first.timeout_ms);
  dispatcher_.Complete("w1", first.key, 2, Failed(Outcome::kTimeout), changes_, finished_);
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(finished_[0].result.outcome, Outcome::kTimeout);
}

TEST_F(DispatcherTest, ActionNobodyWaitsForIsStopped) {
  dispatcher_.Submit(MakeAction("x"), {1, 1, 1}, 0, 0, changes_);
  dispatcher_.Submit(MakeAction("x"), {1, 2, 1}, 0, 0, changes_);
  const Assignment assignment = LeaseOne("w1");
  dispatcher_.Detach({1, 1, 1}, changes_);
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w1"), assignment.key, 1), Verdict::kContinue);
  dispatcher_.Detach({1, 2, 1}, changes_);
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w1"), assignment.key, 1), Verdict::kCancel);
  EXPECT_EQ(dispatcher_.leased_count(), 0u);
}

TEST_F(DispatcherTest, CapabilitiesToolsAndTenantDecideWhoMayRun) {
  Action action = MakeAction("x");
  action.capabilities = {"yosys"};
  action.tools = {{"yosys", "0.23"}};
  dispatcher_.Submit(action, {1, 1, 1}, 0, 0, changes_);
  WorkerOffer worker = MakeWorker("w1");
  EXPECT_TRUE(dispatcher_.Lease(worker, 1, changes_).empty());
  worker.capabilities = {"yosys"};
  worker.tools = {{"yosys", "0.9"}};
  EXPECT_TRUE(dispatcher_.Lease(worker, 1, changes_).empty());
  worker.tools = {{"yosys", "0.23"}};
  worker.tenant = "other";
  EXPECT_TRUE(dispatcher_.Lease(worker, 1, changes_).empty());
  worker.tenant = "t";
  EXPECT_EQ(dispatcher_.Lease(worker, 1, changes_).size(), 1u);
}

TEST_F(DispatcherTest, FailingWorkerIsQuarantined) {
  for (int i = 0; i < 5; ++i) {
    dispatcher_.Submit(MakeAction(std::to_string(i)), {1, i, 1}, 0, 0, changes_);
    const Assignment assignment = LeaseOne("bad");
    dispatcher_.Complete("bad", assignment.key, assignment.attempt,
                         Failed(Outcome::kInfrastructure), changes_, finished_);
    clock_.AdvanceMs(10);
  }
  dispatcher_.Submit(MakeAction("next"), {1, 100, 1}, 0, 0, changes_);
  EXPECT_TRUE(dispatcher_.Lease(MakeWorker("bad"), 1, changes_).empty());
  EXPECT_EQ(dispatcher_.Lease(MakeWorker("good"), 1, changes_).size(), 1u);
}

TEST_F(DispatcherTest, AfterATakeoverARunningAttemptGoesOnAndASilentOneIsRetried) {
  store::ActionRecord record;
  record.action = MakeAction("x");
  record.key = ActionKey(record.action);
  record.attempt_count = 3;
  dispatcher_.Restore(record, {1, 1, 1}, 0);
  EXPECT_TRUE(dispatcher_.Lease(MakeWorker("w2"), 1, changes_).empty());
  EXPECT_EQ(dispatcher_.Heartbeat(MakeWorker("w1"), record.key, 3), Verdict::kContinue);
  clock_.AdvanceMs(31'000);
  dispatcher_.Tick(changes_, finished_);
  clock_.AdvanceMs(1'000);
  dispatcher_.Tick(changes_, finished_);
  EXPECT_EQ(LeaseOne("w2").attempt, 4);
}

}  // namespace
}  // namespace dovetail::dispatch

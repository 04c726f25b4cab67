#include "services/coordinator/dispatch/ready_queue.h"

#include <gtest/gtest.h>

#include <map>

namespace dovetail::dispatch {
namespace {

const auto kAny = [](const std::string&) { return true; };

TEST(ReadyQueueTest, WithinAJobPriorityThenAgeDecides) {
  ReadyQueue queue;
  queue.Push({.key = "old", .tenant = "t", .job_id = 1, .priority = 0, .order = 1});
  queue.Push({.key = "new", .tenant = "t", .job_id = 1, .priority = 0, .order = 2});
  queue.Push({.key = "urgent", .tenant = "t", .job_id = 1, .priority = 5, .order = 3});
  ReadyQueue::Entry entry;
  ASSERT_TRUE(queue.PopFirst(kAny, entry));
  EXPECT_EQ(entry.key, "urgent");
  ASSERT_TRUE(queue.PopFirst(kAny, entry));
  EXPECT_EQ(entry.key, "old");
  ASSERT_TRUE(queue.PopFirst(kAny, entry));
  EXPECT_EQ(entry.key, "new");
  EXPECT_FALSE(queue.PopFirst(kAny, entry));
}

TEST(ReadyQueueTest, TenantsShareEquallyHoweverManyJobsTheyHave) {
  ReadyQueue queue;
  for (int i = 0; i < 300; ++i) {
    queue.Push({.key = "a" + std::to_string(i), .tenant = "a", .job_id = 1 + i % 10, .order = i});
    queue.Push({.key = "b" + std::to_string(i), .tenant = "b", .job_id = 100, .order = i});
  }
  std::map<std::string, int> served;
  ReadyQueue::Entry entry;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(queue.PopFirst(kAny, entry));
    ++served[entry.tenant];
    queue.Charge(entry.tenant, entry.job_id, 10);
  }
  EXPECT_EQ(served["a"], 100);
  EXPECT_EQ(served["b"], 100);
}

TEST(ReadyQueueTest, AnIdleTenantDoesNotSaveUpItsShare) {
  ReadyQueue queue;
  for (int i = 0; i < 100; ++i) {
    queue.Push({.key = "a" + std::to_string(i), .tenant = "a", .job_id = 1, .order = i});
  }
  ReadyQueue::Entry entry;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queue.PopFirst(kAny, entry));
    queue.Charge("a", 1, 10);
  }
  for (int i = 0; i < 100; ++i) {
    queue.Push({.key = "b" + std::to_string(i), .tenant = "b", .job_id = 2, .order = i});
  }
  std::map<std::string, int> served;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(queue.PopFirst(kAny, entry));
    ++served[entry.tenant];
    queue.Charge(entry.tenant, entry.job_id, 10);
  }
  EXPECT_EQ(served["a"], 20);
  EXPECT_EQ(served["b"], 20);
}

TEST(ReadyQueueTest, WhatDoesNotFitIsPassedOver) {
  ReadyQueue queue;
  queue.Push({.key = "big", .tenant = "t", .job_id = 1, .order = 1});
  queue.Push({.key = "small", .tenant = "t", .job_id = 1, .order = 2});
  ReadyQueue::Entry entry;
  ASSERT_TRUE(queue.PopFirst([](const std::string& key) { return key == "small"; }, entry));
  EXPECT_EQ(entry.key, "small");
  EXPECT_TRUE(queue.Contains("big"));
}

}  // namespace
}  // namespace dovetail::dispatch

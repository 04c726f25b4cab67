#include "common/rpc/backoff.h"

#include <gtest/gtest.h>

namespace dovetail::rpc {
namespace {

TEST(BackoffTest, WaitsDoubleUpToTheLimitWithJitter) {
  Backoff backoff(100, 500, 7);
  for (const int64_t whole_ms : {100, 200, 400, 500, 500, 500}) {
    const int64_t wait_ms = backoff.NextMs();
    EXPECT_GE(wait_ms, whole_ms / 2);
    EXPECT_LE(wait_ms, whole_ms);
  }
}

TEST(BackoffTest, ResetStartsAgain) {
  Backoff backoff(100, 10'000, 7);
  for (int i = 0; i < 6; ++i) backoff.NextMs();
  backoff.Reset();
  EXPECT_LE(backoff.NextMs(), 100);
}

TEST(BackoffTest, SameSeedSameWaits) {
  Backoff a(100, 10'000, 3);
  Backoff b(100, 10'000, 3);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(a.NextMs(), b.NextMs());
}

}  // namespace
}  // namespace dovetail::rpc

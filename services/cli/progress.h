// Live progress of a job: one line that is rewritten on a terminal, plain lines elsewhere.
#ifndef DOVETAIL_SERVICES_CLI_PROGRESS_H_
#define DOVETAIL_SERVICES_CLI_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "dovetail/v1/exploration_service.pb.h"
#include "dovetail/v1/job.pb.h"

namespace dovetail::cli {

// Time left by the rate since this command began to follow. Not thread-safe.
class EtaEstimate {
 public:
  // `finished`: trials that have ended, in total. Returns seconds left, below 0 while unknown.
  double Update(int finished, int wanted, int64_t now_ms);

 private:
  bool started_ = false;
  int start_finished_ = 0;
  int64_t start_ms_ = 0;
};

// "running  12/40 trials, 7 feasible, front 5, best 6,025 LUT at 0.7563, 3:20 left". Pure.
std::string ProgressText(const v1::Job& job, const v1::GetFrontResponse& front, double eta_seconds);

// What the front's best is, by the job's objectives: the fewest LUTs within a point of the float
// network where both are measured, else the best value of the first objective. "" for none.
std::string BestText(const v1::Job& job, const v1::GetFrontResponse& front);

// Not thread-safe.
class ProgressPrinter {
 public:
  ProgressPrinter(FILE* stream, bool terminal) : stream_(stream), terminal_(terminal) {}
  ~ProgressPrinter() { Close(); }
  // On a terminal the line is rewritten; elsewhere it is printed where `key` has changed.
  void Show(const std::string& line, const std::string& key);
  // A line that stays.
  void Say(const std::string& line);
  void Close();

 private:
  void Erase();

  FILE* stream_;
  bool terminal_;
  size_t shown_ = 0;
  std::string last_key_;
};

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_PROGRESS_H_

// Parameter constraints: expressions over a job's scalar variables, true where a point is legal
// ("reuse * parallel <= 64 and strategy != 'latency'"). Called by Space only. The only includer of
// muParser.
#ifndef DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_PARAMETER_CONSTRAINT_H_
#define DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_PARAMETER_CONSTRAINT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace dovetail::search {

// One compiled expression. Numbers, + - * / ^, comparisons, and/or/not (also && || !), and
// muParser's functions (min, max, abs, sqrt, log2, ...). Strings in quotes compare with == and !=
// to the levels of categorical variables: every distinct string has a code. Not thread-safe.
class ParameterConstraint {
 public:
  // `names` are the variables that may be used; `codes` gives each string level its number.
  // Errors: InvalidArgument: the syntax is wrong or a name is unknown (names the nearest).
  static absl::StatusOr<std::unique_ptr<ParameterConstraint>> Compile(
      const std::string& expression, const std::vector<std::string>& names,
      const std::map<std::string, double>& codes);
  ~ParameterConstraint();

  const std::string& expression() const;
  // Indices into `names` of those the expression uses.
  const std::vector<int>& used() const;
  // values[i] is the value of names[used()[i]]. A result that is not a number counts as false.
  bool Holds(const std::vector<double>& values) const;

 private:
  struct State;
  explicit ParameterConstraint(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dovetail::search

#endif  // DOVETAIL_SERVICES_COORDINATOR_SEARCH_SPACE_PARAMETER_CONSTRAINT_H_

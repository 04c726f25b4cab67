// Expressions in flows: "= weight_bits + 2", "= evaluate.accuracy >= 0.7 and dsp < 100". Compiled
// once, evaluated against names that the caller looks up. Arithmetic by muParser; user text never
// reaches anything else. Called by the flow's checks and its interpreter.
#ifndef DOVETAIL_SERVICES_COORDINATOR_FLOW_EXPRESSION_H_
#define DOVETAIL_SERVICES_COORDINATOR_FLOW_EXPRESSION_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/domain/value.h"

namespace dovetail::flow {

// The value of a name; nullopt where it has none now.
using NameLookup = std::function<std::optional<Value>(const std::string&)>;

// Numbers, + - * / ^ ( ), comparisons, and/or/not (also && || !), c ? a : b, true, false, strings
// in quotes (== and != and as results), names ("rate", "evaluate.accuracy"), elements of lists
// ("bits[2]", "order[step]", from 0), and muParser's functions (min, max, abs, sqrt, exp, ln, log2,
// log10, ...) with floor, ceil, round and mod. Thread-safe.
class Expression {
 public:
  // `text` without the leading "=".
  // Errors: InvalidArgument: the syntax is wrong.
  static absl::StatusOr<std::shared_ptr<const Expression>> Compile(absl::string_view text);
  virtual ~Expression() = default;

  virtual const std::string& text() const = 0;
  // All names it reads, each once, in order of appearance.
  virtual const std::vector<std::string>& names() const = 0;
  // A number or a string; of an expression that is a single name, that name's value as it is.
  // Comparisons give 1 and 0.
  // Errors: NotFound: a name has no value; InvalidArgument: a value of the wrong kind, an index
  // outside its list, or a result that is no finite number.
  virtual absl::StatusOr<Value> Evaluate(const NameLookup& lookup) const = 0;
};

// True for a string that holds an expression: it begins with "=".
bool IsExpression(const Value& value);

// A parameter's value with expressions anywhere inside it.
class Binding {
 public:
  Binding() = default;
  // Errors: InvalidArgument.
  static absl::StatusOr<Binding> Compile(const Value& value);

  const Value& source() const { return source_; }
  bool is_literal() const { return expressions_.empty(); }
  std::vector<std::string> names() const;
  // The value with every expression replaced by its result. Errors: as Expression::Evaluate.
  absl::StatusOr<Value> Evaluate(const NameLookup& lookup) const;

 private:
  Value source_;
  std::map<std::string, std::shared_ptr<const Expression>> expressions_;  // by their text
};

}  // namespace dovetail::flow

#endif  // DOVETAIL_SERVICES_COORDINATOR_FLOW_EXPRESSION_H_

// A JSON-like value: task parameters, CFG, points of a search space, log entries.
// Called from every room. Canonical text (sorted keys, shortest round-trip numbers) is what digests
// are taken of. Knows nothing of protobuf.
#ifndef DOVETAIL_COMMON_DOMAIN_VALUE_H_
#define DOVETAIL_COMMON_DOMAIN_VALUE_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace dovetail {

// Copyable; compares by content. Numbers are doubles; integers up to 2^53 are exact and print
// without a point. NaN and infinities cannot be printed as JSON and become null.
class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::map<std::string, Value>;

  Value() = default;
  Value(bool b) : data_(b) {}                                     // NOLINT: implicit by design
  Value(double number) : data_(number) {}                         // NOLINT
  Value(int number) : data_(static_cast<double>(number)) {}       // NOLINT
  Value(int64_t number) : data_(static_cast<double>(number)) {}   // NOLINT
  Value(uint64_t number) : data_(static_cast<double>(number)) {}  // NOLINT
  Value(const char* text) : data_(std::string(text)) {}           // NOLINT
  Value(std::string text) : data_(std::move(text)) {}             // NOLINT
  Value(absl::string_view text) : data_(std::string(text)) {}     // NOLINT
  Value(List list) : data_(std::move(list)) {}                    // NOLINT
  Value(Map map) : data_(std::move(map)) {}                       // NOLINT

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_number() const { return std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_list() const { return std::holds_alternative<List>(data_); }
  bool is_map() const { return std::holds_alternative<Map>(data_); }

  // Of the wrong kind: the type's zero (false, 0, "", empty). Check first where it matters.
  bool AsBool() const { return is_bool() && std::get<bool>(data_); }
  double AsNumber() const { return is_number() ? std::get<double>(data_) : 0.0; }
  const std::string& AsString() const;
  const List& AsList() const;
  const Map& AsMap() const;

  // The member of a map; a null Value where absent or not a map.
  const Value& operator[](const std::string& key) const;
  // Makes this a map if it is null. Precondition: null or a map.
  Value& Set(const std::string& key, Value value);
  void Append(Value value);
  bool Has(const std::string& key) const;

  // One line of canonical JSON.
  std::string ToJson() const;
  // Errors: InvalidArgument with the byte position. Depth is limited to 100.
  static absl::StatusOr<Value> FromJson(absl::string_view json);

  friend bool operator==(const Value& a, const Value& b) { return a.data_ == b.data_; }
  friend bool operator!=(const Value& a, const Value& b) { return !(a == b); }

 private:
  std::variant<std::monostate, bool, double, std::string, List, Map> data_;
};

// Shortest decimal text that reads back as `number`; integers up to 2^53 without a point.
std::string NumberToText(double number);

}  // namespace dovetail

#endif  // DOVETAIL_COMMON_DOMAIN_VALUE_H_

#include "common/domain/search_space.h"

#include "common/base/digest.h"

namespace dovetail {

Value PointToValue(const Point& point) { return Value(Value::Map(point.begin(), point.end())); }

Point PointFromValue(const Value& value) {
  return Point(value.AsMap().begin(), value.AsMap().end());
}

std::string PointDigest(const Point& point) { return Sha256Hex(PointToValue(point).ToJson()); }

}  // namespace dovetail

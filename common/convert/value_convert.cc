#include "common/convert/value_convert.h"

#include <utility>

namespace dovetail::convert {

Value ValueFromProto(const google::protobuf::Value& proto) {
  switch (proto.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return Value(proto.bool_value());
    case google::protobuf::Value::kNumberValue:
      return Value(proto.number_value());
    case google::protobuf::Value::kStringValue:
      return Value(proto.string_value());
    case google::protobuf::Value::kListValue: {
      Value::List list;
      list.reserve(proto.list_value().values_size());
      for (const auto& element : proto.list_value().values()) {
        list.push_back(ValueFromProto(element));
      }
      return Value(std::move(list));
    }
    case google::protobuf::Value::kStructValue:
      return ValueFromStruct(proto.struct_value());
    default:
      return Value();
  }
}

Value ValueFromStruct(const google::protobuf::Struct& proto) { return Value(MapFromStruct(proto)); }

std::map<std::string, Value> MapFromStruct(const google::protobuf::Struct& proto) {
  std::map<std::string, Value> map;
  for (const auto& [key, member] : proto.fields()) map.emplace(key, ValueFromProto(member));
  return map;
}

google::protobuf::Value ValueToProto(const Value& value) {
  google::protobuf::Value proto;
  if (value.is_bool()) {
    proto.set_bool_value(value.AsBool());
  } else if (value.is_number()) {
    proto.set_number_value(value.AsNumber());
  } else if (value.is_string()) {
    proto.set_string_value(value.AsString());
  } else if (value.is_list()) {
    auto* list = proto.mutable_list_value();
    for (const Value& element : value.AsList()) *list->add_values() = ValueToProto(element);
  } else if (value.is_map()) {
    *proto.mutable_struct_value() = ValueToStruct(value);
  } else {
    proto.set_null_value(google::protobuf::NULL_VALUE);
  }
  return proto;
}

google::protobuf::Struct ValueToStruct(const Value& value) { return MapToStruct(value.AsMap()); }

google::protobuf::Struct MapToStruct(const std::map<std::string, Value>& map) {
  google::protobuf::Struct proto;
  for (const auto& [key, member] : map) (*proto.mutable_fields())[key] = ValueToProto(member);
  return proto;
}

google::protobuf::Timestamp TimestampFromMs(int64_t ms) {
  int64_t seconds = ms / 1000;
  int64_t rest_ms = ms % 1000;
  if (rest_ms < 0) {
    rest_ms += 1000;
    --seconds;
  }
  google::protobuf::Timestamp proto;
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(rest_ms * 1'000'000));
  return proto;
}

int64_t TimestampToMs(const google::protobuf::Timestamp& proto) {
  return proto.seconds() * 1000 + proto.nanos() / 1'000'000;
}

}  // namespace dovetail::convert

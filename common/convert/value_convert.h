// Value <-> google.protobuf.Value and Struct, milliseconds <-> Timestamp.
// Called by the other converters and by servicers. Validates nothing.
#ifndef DOVETAIL_COMMON_CONVERT_VALUE_CONVERT_H_
#define DOVETAIL_COMMON_CONVERT_VALUE_CONVERT_H_

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/domain/value.h"

namespace dovetail::convert {

Value ValueFromProto(const google::protobuf::Value& proto);
Value ValueFromStruct(const google::protobuf::Struct& proto);
std::map<std::string, Value> MapFromStruct(const google::protobuf::Struct& proto);

google::protobuf::Value ValueToProto(const Value& value);
// Anything but a map becomes an empty Struct.
google::protobuf::Struct ValueToStruct(const Value& value);
google::protobuf::Struct MapToStruct(const std::map<std::string, Value>& map);

// Milliseconds since the Unix epoch.
google::protobuf::Timestamp TimestampFromMs(int64_t ms);
int64_t TimestampToMs(const google::protobuf::Timestamp& proto);

}  // namespace dovetail::convert

#endif  // DOVETAIL_COMMON_CONVERT_VALUE_CONVERT_H_

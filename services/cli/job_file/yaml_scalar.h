// Scalars of a YAML file: what type they have, and setting a field from one. Pure.
#ifndef DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_SCALAR_H_
#define DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_SCALAR_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace dovetail::cli {

// UTF-8 without control characters.
bool IsText(absl::string_view text);
// At most 60 characters, for messages.
std::string ShortText(const std::string& text);

// yaml-cpp's tags: "?" plain, "!" quoted, else what the file says.
bool HasPlainTag(const std::string& tag);
bool IsQuoted(const std::string& tag);

// "a whole number", "one of none, dataset, first_layer".
std::string TypeText(const google::protobuf::FieldDescriptor& field);

// Sets a scalar field, or adds to a repeated one. Quoted text is a string and nothing else.
// Errors: InvalidArgument saying what the field is.
absl::Status SetScalar(const std::string& text, bool quoted,
                       const google::protobuf::FieldDescriptor& field,
                       google::protobuf::Message* message);

// YAML 1.2's core schema: null, booleans, decimal numbers; anything else is a string.
// Errors: InvalidArgument: a number that is not finite.
absl::Status SetFreeValue(const std::string& text, bool quoted, google::protobuf::Value* value);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_SCALAR_H_

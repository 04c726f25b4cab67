// YAML -> any protobuf message, by reflection over its descriptor: one key for each field, under
// its JSON name (or its own), enums in lower case without their prefix, Struct and Value free-form.
// Called for job files. Knows no message in particular.
#ifndef DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_MESSAGE_H_
#define DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_MESSAGE_H_

#include <google/protobuf/message.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace dovetail::cli {

// What a hostile file may cost at most.
struct YamlLimits {
  size_t max_bytes = 1 << 20;
  int max_depth = 64;
  int max_nodes = 100'000;  // aliases count as often as they are used
};

struct YamlOptions {
  std::string file_name;  // for messages
  YamlLimits limits;
  // Full names of fields that a file may not set ("dovetail.v1.FlowTask.line").
  std::function<bool(const google::protobuf::FieldDescriptor&)> hidden;
  // Told of every field that is set, with the line of its key.
  std::function<void(google::protobuf::Message*, const google::protobuf::FieldDescriptor&,
                     int line)>
      on_field;
  // Told of every message that was opened (a map in the file), with its line.
  std::function<void(google::protobuf::Message*, int line)> on_message;
};

// Errors: InvalidArgument, one line "file:line:column: cause": not YAML; an unknown, repeated or
// misspelt key (names the nearest); a value of another type; a limit is passed.
absl::Status ParseYamlMessage(absl::string_view text, const YamlOptions& options,
                              google::protobuf::Message* message);

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_JOB_FILE_YAML_MESSAGE_H_

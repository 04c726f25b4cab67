#include "services/cli/job_file/yaml_message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/struct.pb.h>
#include <yaml-cpp/yaml.h>

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "services/cli/job_file/yaml_scalar.h"

namespace dovetail::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class Parser {
 public:
  explicit Parser(const YamlOptions& options) : options_(options) {}

  absl::Status ParseMessage(const YAML::Node& node, const std::string& what, Message* message);
  absl::Status Wrong(const YAML::Mark& mark, absl::string_view why) const {
    if (mark.is_null())
      return absl::InvalidArgumentError(absl::StrCat(options_.file_name, ": ", why));
    return absl::InvalidArgumentError(
        absl::StrCat(options_.file_name, ":", mark.line + 1, ":", mark.column + 1, ": ", why));
  }

 private:
  // Every node is entered through here: it counts, however often an alias repeats it.
  absl::Status Enter(const YAML::Node& node);
  absl::StatusOr<const FieldDescriptor*> FindField(const YAML::Node& key, const std::string& what,
                                                   const Message& message) const;
  absl::Status ParseField(const YAML::Node& node, const FieldDescriptor& field, Message* message);
  absl::Status ParseOne(const YAML::Node& node, const FieldDescriptor& field, Message* message);
  absl::Status ParseScalar(const YAML::Node& node, const FieldDescriptor& field, Message* message);
  absl::Status ParseStringMap(const YAML::Node& node, const FieldDescriptor& field,
                              Message* message);
  absl::Status ParseStruct(const YAML::Node& node, const std::string& what,
                           google::protobuf::Struct* value);
  absl::Status ParseValue(const YAML::Node& node, const std::string& what,
                          google::protobuf::Value* value);
  absl::Status CheckKey(const YAML::Node& key, const std::string& what,
                        std::set<std::string>& seen) const;

  const YamlOptions& options_;
  int nodes_ = 0;
  int depth_ = 0;

  friend class Level;
};

// One level deeper for as long as it lives.
class Level {
 public:
  explicit Level(Parser& parser) : parser_(parser) { ++parser_.depth_; }
  ~Level() { --parser_.depth_; }

 private:
  Parser& parser_;
};

std::string KindOf(const YAML::Node& node) {
  if (node.IsMap()) return "a map";
  if (node.IsSequence()) return "a list";
  if (node.IsNull()) return "nothing";
  return absl::StrCat("\"", ShortText(node.Scalar()), "\"");
}

absl::Status Parser::Enter(const YAML::Node& node) {
  if (++nodes_ > options_.limits.max_nodes) {
    return Wrong(node.Mark(), absl::StrCat("more than ", options_.limits.max_nodes,
                                           " values, counting each use of an alias"));
  }
  if (depth_ > options_.limits.max_depth) {
    return Wrong(node.Mark(),
                 absl::StrCat("nested deeper than ", options_.limits.max_depth, " levels"));
  }
  return absl::OkStatus();
}

absl::Status Parser::CheckKey(const YAML::Node& key, const std::string& what,
                              std::set<std::string>& seen) const {
  if (!key.IsScalar()) return Wrong(key.Mark(), absl::StrCat("a key of ", what, " is not a word"));
  if (!seen.insert(key.Scalar()).second) {
    return Wrong(key.Mark(), absl::StrCat("\"", ShortText(key.Scalar()), "\" is there twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<const FieldDescriptor*> Parser::FindField(const YAML::Node& key,
                                                         const std::string& what,
                                                         const Message& message) const {
  std::vector<std::string> known;
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (options_.hidden && options_.hidden(*field)) continue;
    if (key.Scalar() == field->json_name() || key.Scalar() == field->name()) return field;
    known.push_back(field->json_name());
  }
  return Wrong(key.Mark(),
               absl::StrCat("unknown key \"", ShortText(key.Scalar()), "\" in ", what,
                            "; did you mean \"", NearestName(ShortText(key.Scalar()), known),
                            "\"? Known: ", absl::StrJoin(known, ", ")));
}

absl::Status Parser::ParseMessage(const YAML::Node& node, const std::string& what,
                                  Message* message) {
  const Level level(*this);
  RETURN_IF_ERROR(Enter(node));
  if (!node.IsMap()) {
    return Wrong(node.Mark(), absl::StrCat(what, " is a map of keys, not ", KindOf(node)));
  }
  if (options_.on_message) options_.on_message(message, node.Mark().line + 1);
  std::set<std::string> seen;
  std::set<const FieldDescriptor*> seen_fields;
  for (const auto& entry : node) {
    RETURN_IF_ERROR(CheckKey(entry.first, what, seen));
    ASSIGN_OR_RETURN(const FieldDescriptor* field, FindField(entry.first, what, *message));
    if (!seen_fields.insert(field).second) {
      return Wrong(entry.first.Mark(), absl::StrCat("\"", field->json_name(), "\" is there twice"));
    }
    if (options_.on_field) options_.on_field(message, *field, entry.first.Mark().line + 1);
    // "key:" with nothing after it is as good as absent, but for free-form values.
    if (entry.second.IsNull() && !field->is_repeated() &&
        field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    RETURN_IF_ERROR(ParseField(entry.second, *field, message));
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseField(const YAML::Node& node, const FieldDescriptor& field,
                                Message* message) {
  if (field.is_map()) return ParseStringMap(node, field, message);
  if (!field.is_repeated()) return ParseOne(node, field, message);
  const Level level(*this);
  RETURN_IF_ERROR(Enter(node));
  if (!node.IsSequence()) {
    return Wrong(node.Mark(), absl::StrCat(field.json_name(), " is a list, not ", KindOf(node)));
  }
  for (const auto& element : node) RETURN_IF_ERROR(ParseOne(element, field, message));
  return absl::OkStatus();
}

absl::Status Parser::ParseOne(const YAML::Node& node, const FieldDescriptor& field,
                              Message* message) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return ParseScalar(node, field, message);
  }
  const Reflection* reflection = message->GetReflection();
  Message* child = field.is_repeated() ? reflection->AddMessage(message, &field)
                                       : reflection->MutableMessage(message, &field);
  const std::string& type = field.message_type()->full_name();
  if (type == "google.protobuf.Struct") {
    return ParseStruct(node, field.json_name(), static_cast<google::protobuf::Struct*>(child));
  }
  if (type == "google.protobuf.Value") {
    return ParseValue(node, field.json_name(), static_cast<google::protobuf::Value*>(child));
  }
  return ParseMessage(node, field.json_name(), child);
}

absl::Status Parser::ParseScalar(const YAML::Node& node, const FieldDescriptor& field,
                                 Message* message) {
  RETURN_IF_ERROR(Enter(node));
  if (!node.IsScalar()) {
    return Wrong(node.Mark(),
                 absl::StrCat(field.json_name(), " is ", TypeText(field), ", not ", KindOf(node)));
  }
  if (!HasPlainTag(node.Tag())) {
    return Wrong(node.Mark(), absl::StrCat("the tag ", ShortText(node.Tag()), " is not allowed"));
  }
  const absl::Status status = SetScalar(node.Scalar(), IsQuoted(node.Tag()), field, message);
  return status.ok() ? status : Wrong(node.Mark(), status.message());
}

absl::Status Parser::ParseStringMap(const YAML::Node& node, const FieldDescriptor& field,
                                    Message* message) {
  const Level level(*this);
  RETURN_IF_ERROR(Enter(node));
  if (!node.IsMap()) {
    return Wrong(node.Mark(), absl::StrCat(field.json_name(), " is a map, not ", KindOf(node)));
  }
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  std::set<std::string> seen;
  for (const auto& entry : node) {
    RETURN_IF_ERROR(CheckKey(entry.first, field.json_name(), seen));
    Message* pair = message->GetReflection()->AddMessage(message, &field);
    RETURN_IF_ERROR(ParseScalar(entry.first, key_field, pair));
    RETURN_IF_ERROR(ParseScalar(entry.second, value_field, pair));
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseStruct(const YAML::Node& node, const std::string& what,
                                 google::protobuf::Struct* value) {
  const Level level(*this);
  RETURN_IF_ERROR(Enter(node));
  if (!node.IsMap()) return Wrong(node.Mark(), absl::StrCat(what, " is a map, not ", KindOf(node)));
  std::set<std::string> seen;
  for (const auto& entry : node) {
    RETURN_IF_ERROR(CheckKey(entry.first, what, seen));
    RETURN_IF_ERROR(ParseValue(entry.second, absl::StrCat(what, ".", entry.first.Scalar()),
                               &(*value->mutable_fields())[entry.first.Scalar()]));
  }
  return absl::OkStatus();
}

absl::Status Parser::ParseValue(const YAML::Node& node, const std::string& what,
                                google::protobuf::Value* value) {
  const Level level(*this);
  RETURN_IF_ERROR(Enter(node));
  if (node.IsMap()) return ParseStruct(node, what, value->mutable_struct_value());
  if (node.IsSequence()) {
    for (const auto& element : node) {
      RETURN_IF_ERROR(ParseValue(element, what, value->mutable_list_value()->add_values()));
    }
    value->mutable_list_value();
    return absl::OkStatus();
  }
  if (node.IsNull()) {
    value->set_null_value(google::protobuf::NULL_VALUE);
    return absl::OkStatus();
  }
  if (!HasPlainTag(node.Tag())) {
    return Wrong(node.Mark(), absl::StrCat("the tag ", ShortText(node.Tag()), " is not allowed"));
  }
  const absl::Status status = SetFreeValue(node.Scalar(), IsQuoted(node.Tag()), value);
  return status.ok() ? status : Wrong(node.Mark(), absl::StrCat(what, ": ", status.message()));
}

}  // namespace

absl::Status ParseYamlMessage(absl::string_view text, const YamlOptions& options,
                              Message* message) {
  Parser parser(options);
  if (text.size() > options.limits.max_bytes) {
    return parser.Wrong(YAML::Mark::null_mark(),
                        absl::StrCat("the file has ", text.size(), " bytes; the limit is ",
                                     options.limits.max_bytes));
  }
  if (!IsText(text)) {
    return parser.Wrong(YAML::Mark::null_mark(),
                        "not a text file (it has bytes that no UTF-8 text "
                        "has)");
  }
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || documents[0].IsNull()) {
      return parser.Wrong(YAML::Mark::null_mark(), "the file is empty");
    }
    if (documents.size() > 1) {
      return parser.Wrong(documents[1].Mark(), "a second document begins here; one file, one job");
    }
    return parser.ParseMessage(documents[0], "the file", message);
  } catch (const YAML::Exception& error) {
    return parser.Wrong(error.mark, absl::StrCat("not YAML: ", error.msg));
  } catch (const std::exception& error) {
    return parser.Wrong(YAML::Mark::null_mark(), absl::StrCat("not YAML: ", error.what()));
  }
}

}  // namespace dovetail::cli

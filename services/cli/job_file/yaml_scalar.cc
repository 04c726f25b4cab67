#include "services/cli/job_file/yaml_scalar.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"

namespace dovetail::cli {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

template <typename Number>
std::optional<Number> ParseNumber(absl::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// Only what begins like one: from_chars also reads "inf" and "nan".
std::optional<double> ParseDouble(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(c) && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E') {
      return std::nullopt;
    }
  }
  const std::optional<double> number = ParseNumber<double>(text);
  if (number && !std::isfinite(*number)) return std::nullopt;
  return number;
}

std::optional<bool> ParseBool(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  return std::nullopt;
}

bool IsNotFinite(const std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  return lower == ".inf" || lower == "-.inf" || lower == "+.inf" || lower == ".nan" ||
         lower == "nan" || lower == "inf" || lower == "-inf";
}

// NORMALIZATION_FIRST_LAYER of Normalization -> "first_layer"; "" for the unspecified one.
std::string EnumName(const EnumDescriptor& descriptor, int index) {
  std::string prefix;
  for (const char c : descriptor.name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(c));
  }
  prefix.push_back('_');
  std::string name = descriptor.value(index)->name();
  if (name.rfind(prefix, 0) == 0) name.erase(0, prefix.size());
  return name == "UNSPECIFIED" ? "" : absl::AsciiStrToLower(name);
}

std::vector<std::string> EnumNames(const EnumDescriptor& descriptor) {
  std::vector<std::string> names;
  for (int i = 0; i < descriptor.value_count(); ++i) {
    if (std::string name = EnumName(descriptor, i); !name.empty()) names.push_back(name);
  }
  return names;
}

absl::Status NotOfType(const FieldDescriptor& field, const std::string& text) {
  return absl::InvalidArgumentError(
      absl::StrCat(field.json_name(), " is ", TypeText(field), ", not \"", ShortText(text), "\""));
}

absl::Status SetEnum(const std::string& text, const FieldDescriptor& field,
                     google::protobuf::Message* message) {
  const EnumDescriptor& descriptor = *field.enum_type();
  for (int i = 0; i < descriptor.value_count(); ++i) {
    if (text.empty() || EnumName(descriptor, i) != text) continue;
    message->GetReflection()->SetEnum(message, &field, descriptor.value(i));
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field.json_name(), " is ", TypeText(field), ", not \"", ShortText(text),
      "\"; did you mean \"", NearestName(ShortText(text), EnumNames(descriptor)), "\"?"));
}

}  // namespace

bool IsText(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = text[i];
    if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') return false;
    const int extra = c < 0x80         ? 0
                      : (c >> 5) == 6  ? 1
                      : (c >> 4) == 14 ? 2
                      : (c >> 3) == 30 ? 3
                                       : -1;
    if (extra < 0 || i + extra >= text.size() + (extra == 0 ? 1 : 0)) return false;
    for (int k = 1; k <= extra; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    i += extra + 1;
  }
  return true;
}

std::string ShortText(const std::string& text) {
  std::string shortened = text.substr(0, 60);
  for (char& c : shortened) {
    if (absl::ascii_iscntrl(c)) c = ' ';
  }
  if (text.size() > 60) {
    // Never end inside a character of several bytes.
    while (!shortened.empty() && (static_cast<unsigned char>(shortened.back()) & 0x80) != 0) {
      shortened.pop_back();
    }
    shortened += "...";
  }
  return shortened;
}

bool HasPlainTag(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str";
}

bool IsQuoted(const std::string& tag) { return tag == "!" || tag == "tag:yaml.org,2002:str"; }

std::string TypeText(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number from 0";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a finite number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", absl::StrJoin(EnumNames(*field.enum_type()), ", "));
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a map";
  }
  return "";
}

absl::Status SetScalar(const std::string& text, bool quoted, const FieldDescriptor& field,
                       google::protobuf::Message* message) {
  const auto* reflection = message->GetReflection();
  // Sets the field, or appends to it.
  const auto put = [&](auto set, auto add, auto value) {
    field.is_repeated() ? (reflection->*add)(message, &field, value)
                        : (reflection->*set)(message, &field, value);
    return absl::OkStatus();
  };
  using Reflection = google::protobuf::Reflection;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    field.is_repeated() ? reflection->AddString(message, &field, text)
                        : reflection->SetString(message, &field, text);
    return absl::OkStatus();
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) return SetEnum(text, field, message);
  if (quoted) return NotOfType(field, text);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      if (const auto v = ParseNumber<int32_t>(text)) {
        return put(&Reflection::SetInt32, &Reflection::AddInt32, *v);
      }
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      if (const auto v = ParseNumber<int64_t>(text)) {
        return put(&Reflection::SetInt64, &Reflection::AddInt64, *v);
      }
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      if (const auto v = ParseNumber<uint64_t>(text)) {
        return put(&Reflection::SetUInt64, &Reflection::AddUInt64, *v);
      }
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (const auto v = ParseDouble(text)) {
        return put(&Reflection::SetDouble, &Reflection::AddDouble, *v);
      }
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (const auto v = ParseBool(text)) {
        return put(&Reflection::SetBool, &Reflection::AddBool, *v);
      }
      break;
    default:
      break;
  }
  return NotOfType(field, text);
}

absl::Status SetFreeValue(const std::string& text, bool quoted, google::protobuf::Value* value) {
  if (quoted) {
    value->set_string_value(text);
    return absl::OkStatus();
  }
  if (IsNotFinite(text)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a finite number"));
  }
  if (const auto boolean = ParseBool(text)) {
    value->set_bool_value(*boolean);
  } else if (const auto number = ParseDouble(text)) {
    value->set_number_value(*number);
  } else {
    value->set_string_value(text);
  }
  return absl::OkStatus();
}

}  // namespace dovetail::cli

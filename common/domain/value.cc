#include "common/domain/value.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dovetail {
namespace {

constexpr int kMaxDepth = 100;

void AppendQuoted(const std::string& text, std::string& out) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void AppendJson(const Value& value, std::string& out) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.AsBool() ? "true" : "false";
  } else if (value.is_number()) {
    out += std::isfinite(value.AsNumber()) ? NumberToText(value.AsNumber()) : "null";
  } else if (value.is_string()) {
    AppendQuoted(value.AsString(), out);
  } else if (value.is_list()) {
    out += '[';
    bool first = true;
    for (const Value& element : value.AsList()) {
      if (!first) out += ',';
      first = false;
      AppendJson(element, out);
    }
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const auto& [key, member] : value.AsMap()) {
      if (!first) out += ',';
      first = false;
      AppendQuoted(key, out);
      out += ':';
      AppendJson(member, out);
    }
    out += '}';
  }
}

Value Convert(const nlohmann::json& json) {
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return Value(json.get<bool>());
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
    case nlohmann::json::value_t::number_float:
      return Value(json.get<double>());
    case nlohmann::json::value_t::string:
      return Value(json.get<std::string>());
    case nlohmann::json::value_t::array: {
      Value::List list;
      list.reserve(json.size());
      for (const auto& element : json) list.push_back(Convert(element));
      return Value(std::move(list));
    }
    case nlohmann::json::value_t::object: {
      Value::Map map;
      for (const auto& [key, member] : json.items()) map.emplace(key, Convert(member));
      return Value(std::move(map));
    }
    default:
      return Value();
  }
}

}  // namespace

std::string NumberToText(double number) {
  if (number == 0.0) return "0";
  if (std::abs(number) < 0x1p53 && number == std::trunc(number)) {
    return std::to_string(static_cast<int64_t>(number));
  }
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), number);
  return std::string(buffer, result.ptr);
}

const std::string& Value::AsString() const {
  static const std::string empty;
  return is_string() ? std::get<std::string>(data_) : empty;
}

const Value::List& Value::AsList() const {
  static const List empty;
  return is_list() ? std::get<List>(data_) : empty;
}

const Value::Map& Value::AsMap() const {
  static const Map empty;
  return is_map() ? std::get<Map>(data_) : empty;
}

const Value& Value::operator[](const std::string& key) const {
  static const Value null;
  const Map& map = AsMap();
  const auto it = map.find(key);
  return it == map.end() ? null : it->second;
}

Value& Value::Set(const std::string& key, Value value) {
  if (is_null()) data_ = Map();
  Value& member = std::get<Map>(data_)[key];
  member = std::move(value);
  return *this;
}

void Value::Append(Value value) {
  if (is_null()) data_ = List();
  std::get<List>(data_).push_back(std::move(value));
}

bool Value::Has(const std::string& key) const { return AsMap().contains(key); }

std::string Value::ToJson() const {
  std::string out;
  AppendJson(*this, out);
  return out;
}

absl::StatusOr<Value> Value::FromJson(absl::string_view json) {
  const auto limit_depth = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMaxDepth) throw std::length_error("nested deeper than 100 levels");
    return true;
  };
  try {
    return Convert(nlohmann::json::parse(json.begin(), json.end(), limit_depth));
  } catch (const nlohmann::json::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("not JSON at byte ", error.byte, ": ", error.what()));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", error.what()));
  }
}

}  // namespace dovetail

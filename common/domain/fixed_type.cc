#include "common/domain/fixed_type.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace dovetail {
namespace {

constexpr std::array<std::pair<const char*, Quantization>, 7> kQuantizationNames = {{
    {"TRN", Quantization::kTrn},
    {"TRN_ZERO", Quantization::kTrnZero},
    {"RND", Quantization::kRnd},
    {"RND_ZERO", Quantization::kRndZero},
    {"RND_MIN_INF", Quantization::kRndMinInf},
    {"RND_INF", Quantization::kRndInf},
    {"RND_CONV", Quantization::kRndConv},
}};

constexpr std::array<std::pair<const char*, Overflow>, 5> kOverflowNames = {{
    {"WRAP", Overflow::kWrap},
    {"SAT", Overflow::kSat},
    {"SAT_ZERO", Overflow::kSatZero},
    {"SAT_SYM", Overflow::kSatSym},
    {"WRAP_SM", Overflow::kWrapSm},
}};

template <typename Names, typename Mode>
bool ParseMode(absl::string_view text, const Names& names, Mode& mode) {
  std::string name = absl::AsciiStrToUpper(absl::StripAsciiWhitespace(text));
  if (absl::StartsWith(name, "AP_")) name = name.substr(3);
  for (const auto& [known, value] : names) {
    if (name == known) {
      mode = value;
      return true;
    }
  }
  return false;
}

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a fixed-point type: ", why,
                   "; write for example ap_fixed<16,6,AP_RND,AP_SAT>"));
}

}  // namespace

std::string QuantizationToText(Quantization mode) {
  for (const auto& [name, value] : kQuantizationNames) {
    if (value == mode) return absl::StrCat("AP_", name);
  }
  return "AP_TRN";
}

std::string OverflowToText(Overflow mode) {
  for (const auto& [name, value] : kOverflowNames) {
    if (value == mode) return absl::StrCat("AP_", name);
  }
  return "AP_WRAP";
}

std::string FixedTypeToText(const FixedType& type) {
  std::string text = absl::StrCat(type.is_signed ? "ap_fixed<" : "ap_ufixed<", type.width_bits, ",",
                                  type.integer_bits);
  const bool default_overflow = type.overflow == Overflow::kWrap;
  if (type.quantization != Quantization::kTrn || !default_overflow) {
    absl::StrAppend(&text, ",", QuantizationToText(type.quantization));
  }
  if (!default_overflow) absl::StrAppend(&text, ",", OverflowToText(type.overflow));
  return text + ">";
}

absl::StatusOr<FixedType> ParseFixedType(absl::string_view text) {
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  const size_t open = rest.find('<');
  if (open == absl::string_view::npos || !absl::ConsumeSuffix(&rest, ">")) {
    return Malformed(text, "no <...>");
  }
  std::string family = absl::AsciiStrToLower(absl::StripAsciiWhitespace(rest.substr(0, open)));
  if (absl::StartsWith(family, "ap_")) family = family.substr(3);
  const std::vector<std::string> arguments = absl::StrSplit(rest.substr(open + 1), ',');
  FixedType type;
  const bool is_integer = family == "int" || family == "uint";
  if (!is_integer && family != "fixed" && family != "ufixed") {
    return Malformed(text, "the family is none of fixed, ufixed, int, uint");
  }
  type.is_signed = family == "fixed" || family == "int";
  if (!absl::SimpleAtoi(arguments[0], &type.width_bits) || type.width_bits < 1 ||
      type.width_bits > 64) {
    return Malformed(text, "the width is not in 1..64");
  }
  if (is_integer) {
    type.integer_bits = type.width_bits;
    if (arguments.size() != 1) return Malformed(text, "an integer type has one argument");
    return type;
  }
  if (arguments.size() < 2 || arguments.size() > 4) {
    return Malformed(text, "a fixed type has 2 to 4 arguments");
  }
  if (!absl::SimpleAtoi(arguments[1], &type.integer_bits) || type.integer_bits < -256 ||
      type.integer_bits > 256) {
    return Malformed(text, "the integer bits are not in -256..256");
  }
  if (arguments.size() > 2 && !ParseMode(arguments[2], kQuantizationNames, type.quantization)) {
    return Malformed(text, "unknown quantisation mode");
  }
  if (arguments.size() > 3 && !ParseMode(arguments[3], kOverflowNames, type.overflow)) {
    return Malformed(text, "unknown overflow mode");
  }
  return type;
}

}  // namespace dovetail

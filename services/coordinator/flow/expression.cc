#include "services/coordinator/flow/expression.h"

#include <muParser.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::flow {
namespace {

constexpr size_t kMaxLength = 4000;
constexpr int kMaxDepth = 50;
// Strings take part as numbers that no measurement reaches and no arithmetic on them hits:
// 2^50 + 1/4 + 1024 times their index.
constexpr double kStringBase = 0x1p50 + 0.25;
constexpr double kStringStep = 1024;

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsNameChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool IsDigit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

// A value that the formula reads: a name, or an element of the list it names.
struct Slot {
  std::string name;
  std::shared_ptr<const Expression> index;  // null: the value itself
};

// The text in muParser's language: names and strings become v0, v1, ...
struct Formula {
  std::string text;
  std::vector<Slot> slots;            // v0, v1, ...
  std::vector<std::string> literals;  // s0, s1, ...: strings in quotes
  std::vector<std::string> names;     // distinct, those in indices too
};

class Translator {
 public:
  Translator(absl::string_view text, int depth) : text_(text), depth_(depth) {}

  absl::StatusOr<Formula> Translate() {
    if (text_.size() > kMaxLength) return Error("it is longer than 4000 characters");
    while (at_ < text_.size()) RETURN_IF_ERROR(Next());
    if (open_ != 0) return Error("a bracket is not closed");
    return std::move(formula_);
  }

 private:
  absl::Status Next() {
    const char c = text_[at_];
    if (c == '\'' || c == '"') return String(c);
    if (IsNameStart(c)) return Name();
    if (IsDigit(c) || c == '.') return Number();
    if (c == '=' || c == '!' || c == '<' || c == '>') return Comparison(c);
    if (c == '(' && ++open_ > kMaxDepth) return Error("it is nested too deeply");
    if (c == ')' && --open_ < 0) return Error("a bracket is closed that was not opened");
    if (!absl::StrContains("+-*/^()?:&|, \t\n", absl::string_view(&c, 1))) {
      return Error(absl::StrCat("the character '", std::string(1, c), "' means nothing here"));
    }
    formula_.text.push_back(c == '\n' || c == '\t' ? ' ' : c);
    ++at_;
    return absl::OkStatus();
  }

  absl::Status String(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == absl::string_view::npos) return Error("a quote is not closed");
    const std::string literal(text_.substr(at_ + 1, end - at_ - 1));
    absl::StrAppend(&formula_.text, " s", formula_.literals.size(), " ");
    formula_.literals.push_back(literal);
    at_ = end + 1;
    return absl::OkStatus();
  }

  // A whole number, so that the e of 1e-3 is not taken for a name.
  absl::Status Number() {
    const size_t begin = at_;
    while (at_ < text_.size() && (IsNameChar(text_[at_]) || text_[at_] == '.' ||
                                  ((text_[at_] == '-' || text_[at_] == '+') &&
                                   (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))) {
      ++at_;
    }
    absl::StrAppend(&formula_.text, text_.substr(begin, at_ - begin));
    return absl::OkStatus();
  }

  // muParser would take a single "=" for an assignment.
  absl::Status Comparison(char c) {
    const bool two = at_ + 1 < text_.size() && text_[at_ + 1] == '=';
    if (c == '=' && !two) return Error("a comparison is written ==");
    absl::StrAppend(&formula_.text, text_.substr(at_, two ? 2 : 1));
    at_ += two ? 2 : 1;
    return absl::OkStatus();
  }

  absl::Status Name() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (IsNameChar(text_[at_]) ||
            (text_[at_] == '.' && at_ + 1 < text_.size() && IsNameStart(text_[at_ + 1])))) {
      ++at_;
    }
    const std::string word(text_.substr(begin, at_ - begin));
    if (word == "and") return Append("&&");
    if (word == "or") return Append("||");
    if (word == "not") return Append("!");
    if (word == "true") return Append("1");
    if (word == "false") return Append("0");
    size_t next = at_;
    while (next < text_.size() && text_[next] == ' ') ++next;
    if (next < text_.size() && text_[next] == '(') {
      absl::StrAppend(&formula_.text, " ", word);  // muParser wants the bracket right behind it
      at_ = next;
      return absl::OkStatus();
    }
    AddName(word);
    Slot slot{word, nullptr};
    if (next < text_.size() && text_[next] == '[') {
      at_ = next;
      RETURN_IF_ERROR(Index(slot));
    }
    absl::StrAppend(&formula_.text, " v", formula_.slots.size(), " ");
    formula_.slots.push_back(std::move(slot));
    return absl::OkStatus();
  }

  absl::Status Index(Slot& slot) {
    int open = 0;
    size_t end = at_;
    for (; end < text_.size(); ++end) {
      if (text_[end] == '[') ++open;
      if (text_[end] == ']' && --open == 0) break;
    }
    if (end == text_.size()) return Error("a bracket [ is not closed");
    if (depth_ > 3) return Error("it is nested too deeply");
    ASSIGN_OR_RETURN(slot.index, CompileAt(text_.substr(at_ + 1, end - at_ - 1), depth_ + 1));
    for (const std::string& name : slot.index->names()) AddName(name);
    at_ = end + 1;
    return absl::OkStatus();
  }

  absl::Status Append(const std::string& word) {
    absl::StrAppend(&formula_.text, " ", word, " ");
    return absl::OkStatus();
  }

  void AddName(const std::string& name) {
    std::vector<std::string>& names = formula_.names;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }

  absl::Status Error(absl::string_view why) const {
    return absl::InvalidArgumentError(
        absl::StrCat("expression \"", text_.substr(0, 200), "\": ", why));
  }

 public:
  static absl::StatusOr<std::shared_ptr<const Expression>> CompileAt(absl::string_view text,
                                                                     int depth);

 private:
  const absl::string_view text_;
  const int depth_;
  size_t at_ = 0;
  int open_ = 0;
  Formula formula_;
};

class MuExpression : public Expression {
 public:
  MuExpression(std::string text, Formula formula)
      : text_(std::move(text)),
        formula_(std::move(formula)),
        values_(formula_.slots.size(), 1.0),
        literal_codes_(formula_.literals.size(), 0.0) {
    is_name_ = formula_.slots.size() == 1 && absl::StripAsciiWhitespace(formula_.text) == "v0";
  }

  absl::Status Prepare() {
    try {
      parser_.DefineInfixOprt("!", [](double v) { return v == 0.0 ? 1.0 : 0.0; });
      parser_.DefineFun("mod", [](double a, double b) { return std::fmod(a, b); });
      parser_.DefineFun("floor", [](double a) { return std::floor(a); });
      parser_.DefineFun("ceil", [](double a) { return std::ceil(a); });
      parser_.DefineFun("round", [](double a) { return std::round(a); });
      for (size_t i = 0; i < values_.size(); ++i) {
        parser_.DefineVar(absl::StrCat("v", i), &values_[i]);
      }
      for (size_t i = 0; i < literal_codes_.size(); ++i) {
        literal_codes_[i] = Code(formula_.literals[i], formula_.literals);
        parser_.DefineVar(absl::StrCat("s", i), &literal_codes_[i]);
      }
      parser_.SetExpr(formula_.text);
      int results = 0;
      parser_.Eval(results);
      if (results != 1) return Error("it has more than one result");
    } catch (const mu::Parser::exception_type& error) {
      return Error(error.GetMsg());
    }
    return absl::OkStatus();
  }

  const std::string& text() const override { return text_; }
  const std::vector<std::string>& names() const override { return formula_.names; }

  absl::StatusOr<Value> Evaluate(const NameLookup& lookup) const override {
    std::vector<std::string> strings = formula_.literals;
    std::vector<double> numbers;
    for (const Slot& slot : formula_.slots) {
      ASSIGN_OR_RETURN(Value value, Read(slot, lookup));
      if (is_name_) return value;
      if (value.is_string()) {
        numbers.push_back(Code(value.AsString(), strings));
      } else if (value.is_number() || value.is_bool()) {
        numbers.push_back(value.is_bool() ? value.AsBool() : value.AsNumber());
      } else {
        return Error(absl::StrCat("\"", slot.name, "\" is a list or a map, not a number"));
      }
    }
    double result = 0;
    try {
      std::lock_guard lock(mutex_);
      std::copy(numbers.begin(), numbers.end(), values_.begin());
      result = parser_.Eval();
    } catch (const mu::Parser::exception_type& error) {
      return Error(error.GetMsg());
    }
    if (!std::isfinite(result)) return Error("the result is not a finite number");
    if (strings.empty() || std::abs(result) < 0x1p49) return Value(result);
    const double index = (result - kStringBase) / kStringStep;
    if (index >= 0 && index == std::floor(index) && index < static_cast<double>(strings.size())) {
      return Value(strings[static_cast<size_t>(index)]);
    }
    return Error("it calculates with a string");
  }

 private:
  // Equal strings have equal codes, also those that only now turn up.
  static double Code(const std::string& text, std::vector<std::string>& strings) {
    const auto it = std::find(strings.begin(), strings.end(), text);
    const double index = static_cast<double>(it - strings.begin());
    if (it == strings.end()) strings.push_back(text);
    return kStringBase + kStringStep * index;
  }

  absl::StatusOr<Value> Read(const Slot& slot, const NameLookup& lookup) const {
    std::optional<Value> value = lookup(slot.name);
    if (!value.has_value()) {
      return absl::NotFoundError(
          absl::StrCat("expression \"", text_, "\": \"", slot.name, "\" has no value here"));
    }
    if (slot.index == nullptr) return *std::move(value);
    ASSIGN_OR_RETURN(const Value index, slot.index->Evaluate(lookup));
    const Value::List& list = value->AsList();
    const double i = index.AsNumber();
    if (!value->is_list() || !index.is_number() || i != std::floor(i) || i < 0 ||
        i >= static_cast<double>(list.size())) {
      return Error(absl::StrCat("\"", slot.name, "\" has no element ", index.ToJson()));
    }
    return list[static_cast<size_t>(i)];
  }

  absl::Status Error(absl::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat("expression \"", text_, "\": ", why));
  }

  const std::string text_;
  Formula formula_;
  bool is_name_ = false;
  mutable std::mutex mutex_;            // of what follows: muParser binds to these addresses
  mutable std::vector<double> values_;  // v0, v1, ...
  std::vector<double> literal_codes_;   // s0, s1, ...
  mu::Parser parser_;
};

absl::StatusOr<std::shared_ptr<const Expression>> Translator::CompileAt(absl::string_view text,
                                                                        int depth) {
  ASSIGN_OR_RETURN(Formula formula, Translator(text, depth).Translate());
  auto expression = std::make_shared<MuExpression>(std::string(absl::StripAsciiWhitespace(text)),
                                                   std::move(formula));
  RETURN_IF_ERROR(expression->Prepare());
  return expression;
}

absl::Status Collect(const Value& value,
                     std::map<std::string, std::shared_ptr<const Expression>>& expressions) {
  if (IsExpression(value)) {
    const std::string& text = value.AsString();
    ASSIGN_OR_RETURN(expressions[text], Expression::Compile(absl::string_view(text).substr(1)));
  }
  for (const Value& element : value.AsList()) RETURN_IF_ERROR(Collect(element, expressions));
  for (const auto& [key, member] : value.AsMap()) RETURN_IF_ERROR(Collect(member, expressions));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Expression>> Expression::Compile(absl::string_view text) {
  return Translator::CompileAt(text, 0);
}

bool IsExpression(const Value& value) { return absl::StartsWith(value.AsString(), "="); }

absl::StatusOr<Binding> Binding::Compile(const Value& value) {
  Binding binding;
  binding.source_ = value;
  RETURN_IF_ERROR(Collect(value, binding.expressions_));
  return binding;
}

std::vector<std::string> Binding::names() const {
  std::vector<std::string> names;
  for (const auto& [text, expression] : expressions_) {
    names.insert(names.end(), expression->names().begin(), expression->names().end());
  }
  return names;
}

absl::StatusOr<Value> Binding::Evaluate(const NameLookup& lookup) const {
  if (is_literal()) return source_;
  const std::function<absl::StatusOr<Value>(const Value&)> replace =
      [&](const Value& value) -> absl::StatusOr<Value> {
    if (IsExpression(value)) return expressions_.at(value.AsString())->Evaluate(lookup);
    if (value.is_list()) {
      Value::List list;
      for (const Value& element : value.AsList()) {
        ASSIGN_OR_RETURN(Value replaced, replace(element));
        list.push_back(std::move(replaced));
      }
      return Value(std::move(list));
    }
    if (value.is_map()) {
      Value::Map map;
      for (const auto& [key, member] : value.AsMap()) {
        ASSIGN_OR_RETURN(map[key], replace(member));
      }
      return Value(std::move(map));
    }
    return value;
  };
  return replace(source_);
}

}  // namespace dovetail::flow

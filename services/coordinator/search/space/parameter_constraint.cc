#include "services/coordinator/search/space/parameter_constraint.h"

#include <muParser.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"

namespace dovetail::search {

struct ParameterConstraint::State {
  std::string expression;
  std::vector<int> used;
  std::vector<double> slots;  // muParser binds to their addresses: never resized after Compile
  mutable mu::Parser parser;
};

namespace {

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool IsNameChar(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// muParser knows neither strings that compare nor the words and, or, not: strings become the codes
// of their levels, the words operators. Collects the names of variables on the way.
absl::StatusOr<std::string> Translate(const std::string& text,
                                      const std::map<std::string, double>& codes,
                                      std::vector<std::string>& names) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == '\'' || c == '"') {
      const size_t end = text.find(c, i + 1);
      if (end == std::string::npos) {
        return absl::InvalidArgumentError(
            absl::StrCat("constraint \"", text, "\": a quote is not closed"));
      }
      const std::string level = text.substr(i + 1, end - i - 1);
      const auto it = codes.find(level);
      if (it == codes.end()) {
        return absl::InvalidArgumentError(absl::StrCat("constraint \"", text, "\": '", level,
                                                       "' is a level of no categorical variable"));
      }
      absl::StrAppend(&out, "(", static_cast<int64_t>(it->second), ")");
      i = end + 1;
    } else if (IsNameStart(c)) {
      size_t end = i;
      while (end < text.size() && IsNameChar(text[end])) ++end;
      const std::string word = text.substr(i, end - i);
      size_t next = end;
      while (next < text.size() && text[next] == ' ') ++next;
      if (word == "and") {
        out += "&&";
      } else if (word == "or") {
        out += "||";
      } else if (word == "not") {
        out += "!";
      } else {
        out += word;
        if (next >= text.size() || text[next] != '(') names.push_back(word);
      }
      i = end;
    } else if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') {
      // A number whole, so that the e of 1e-3 is not taken for a name.
      size_t end = i;
      while (end < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '.' ||
              ((text[end] == '-' || text[end] == '+') &&
               (text[end - 1] == 'e' || text[end - 1] == 'E')))) {
        ++end;
      }
      out.append(text, i, end - i);
      i = end;
    } else {
      out.push_back(c);
      ++i;
    }
  }
  return out;
}

}  // namespace

ParameterConstraint::ParameterConstraint(std::unique_ptr<State> state) : state_(std::move(state)) {}
ParameterConstraint::~ParameterConstraint() = default;
const std::string& ParameterConstraint::expression() const { return state_->expression; }
const std::vector<int>& ParameterConstraint::used() const { return state_->used; }

absl::StatusOr<std::unique_ptr<ParameterConstraint>> ParameterConstraint::Compile(
    const std::string& expression, const std::vector<std::string>& names,
    const std::map<std::string, double>& codes) {
  auto state = std::make_unique<State>();
  state->expression = expression;
  std::vector<std::string> words;
  ASSIGN_OR_RETURN(std::string text, Translate(expression, codes, words));
  for (const std::string& word : words) {
    const auto it = std::find(names.begin(), names.end(), word);
    if (it == names.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("constraint \"", expression, "\": no scalar variable \"", word,
                       "\"; did you mean \"", NearestName(word, names), "\"?"));
    }
    const int index = static_cast<int>(it - names.begin());
    if (std::find(state->used.begin(), state->used.end(), index) == state->used.end()) {
      state->used.push_back(index);
    }
  }
  state->slots.assign(state->used.size(), 1.0);
  try {
    state->parser.DefineInfixOprt("!", [](double v) { return v == 0.0 ? 1.0 : 0.0; });
    state->parser.DefineFun("mod", [](double a, double b) { return std::fmod(a, b); });
    state->parser.DefineFun("floor", [](double a) { return std::floor(a); });
    state->parser.DefineFun("ceil", [](double a) { return std::ceil(a); });
    for (size_t i = 0; i < state->used.size(); ++i) {
      state->parser.DefineVar(names[state->used[i]], &state->slots[i]);
    }
    state->parser.SetExpr(text);
    state->parser.Eval();
  } catch (const mu::Parser::exception_type& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("constraint \"", expression, "\": ", error.GetMsg()));
  }
  return std::unique_ptr<ParameterConstraint>(new ParameterConstraint(std::move(state)));
}

bool ParameterConstraint::Holds(const std::vector<double>& values) const {
  for (size_t i = 0; i < values.size(); ++i) state_->slots[i] = values[i];
  try {
    const double result = state_->parser.Eval();
    return std::isfinite(result) && result != 0.0;
  } catch (const mu::Parser::exception_type&) {
    return false;
  }
}

}  // namespace dovetail::search

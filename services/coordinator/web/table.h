// A table of text, and how it looks as CSV, in a terminal and in HTML. Pure.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_TABLE_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace dovetail::report {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header
};

// RFC 4180 with "\n" for line ends.
std::string ToCsv(const Table& table);
// Columns aligned, numbers to the right, two blanks between; every line begins with `indent`.
std::string ToText(const Table& table, absl::string_view indent);
std::string ToHtml(const Table& table);

// &, <, >, quotes as entities.
std::string EscapeHtml(absl::string_view text);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_TABLE_H_

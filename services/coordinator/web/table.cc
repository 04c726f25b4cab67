#include "services/coordinator/web/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace dovetail::report {
namespace {

bool LooksNumeric(const std::string& text) {
  return !text.empty() &&
         (absl::ascii_isdigit(text[0]) ||
          (text.size() > 1 && (text[0] == '-' || text[0] == '+') && absl::ascii_isdigit(text[1])));
}

// Columns a terminal gives to UTF-8 text, taking every character as one wide.
size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::string CsvCell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

void AppendCsvRow(const std::vector<std::string>& cells, std::string& out) {
  for (size_t i = 0; i < cells.size(); ++i) {
    absl::StrAppend(&out, i > 0 ? "," : "", CsvCell(cells[i]));
  }
  out += '\n';
}

}  // namespace

std::string ToCsv(const Table& table) {
  std::string out;
  AppendCsvRow(table.header, out);
  for (const auto& row : table.rows) AppendCsvRow(row, out);
  return out;
}

std::string ToText(const Table& table, absl::string_view indent) {
  const size_t columns = table.header.size();
  std::vector<size_t> widths(columns);
  std::vector<bool> numeric(columns, true);
  for (size_t c = 0; c < columns; ++c) {
    widths[c] = Width(table.header[c]);
    for (const auto& row : table.rows) {
      widths[c] = std::max(widths[c], Width(row[c]));
      if (!row[c].empty() && !LooksNumeric(row[c])) numeric[c] = false;
    }
  }
  std::string out;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line(indent);
    for (size_t c = 0; c < columns; ++c) {
      const std::string blanks(widths[c] - Width(cells[c]), ' ');
      absl::StrAppend(&line, c > 0 ? "  " : "", numeric[c] ? blanks : "", cells[c],
                      numeric[c] ? "" : blanks);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&out, line, "\n");
  };
  append(table.header);
  for (const auto& row : table.rows) append(row);
  return out;
}

std::string ToHtml(const Table& table) {
  std::string out = "<table><thead><tr>";
  for (const std::string& cell : table.header) {
    absl::StrAppend(&out, "<th>", EscapeHtml(cell), "</th>");
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (const std::string& cell : row) {
      absl::StrAppend(&out, LooksNumeric(cell) ? "<td class=\"n\">" : "<td>", EscapeHtml(cell),
                      "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table>\n";
}

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

}  // namespace dovetail::report

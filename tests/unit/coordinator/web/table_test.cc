#include "services/coordinator/web/table.h"

#include <gtest/gtest.h>

namespace dovetail::report {
namespace {

TEST(TableTest, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(ToCsv({{"a", "b"}, {{"1", "x,y"}, {"", "say \"hi\"\nthere"}}}),
            "a,b\n1,\"x,y\"\n,\"say \"\"hi\"\"\nthere\"\n");
}

TEST(TableTest, TextAlignsNumbersRightAndWordsLeft) {
  EXPECT_EQ(ToText({{"name", "lut"}, {{"a", "9"}, {"long", "12,000"}}}, "  "),
            "  name     lut\n"
            "  a          9\n"
            "  long  12,000\n");
}

TEST(TableTest, HtmlEscapesEverything) {
  const std::string html = ToHtml({{"<h>"}, {{"<script>alert('1')</script>"}}});
  EXPECT_EQ(html.find("<script>"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&#39;1&#39;)"), std::string::npos);
}

}  // namespace
}  // namespace dovetail::report

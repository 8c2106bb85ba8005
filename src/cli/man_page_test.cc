#include "cli/man_page.h"

#include <gtest/gtest.h>

#include "cli/roff.h"

namespace firn::cli {
namespace {

TEST(RoffTest, NothingIsARequestOrAnEscape) {
  EXPECT_EQ(roff("a\\b --c 'd' ~e"), "a\\eb \\-\\-c \\(aqd\\(aq \\(tie");
  EXPECT_EQ(roff_paragraphs(".so file\n'br\nplain"), ".PP\n\\&.so file\n\\(aqbr\nplain\n");
}

TEST(RoffTest, IndentedLinesAreItemsOrTyped) {
  EXPECT_EQ(roff_paragraphs("Words:\n  ro   as in\n       mount\n  typed -x\n\nEnd."),
            ".PP\nWords:\n.RS 4\n.TP\n\\fBro\\fR\nas in mount\n.PP\n.nf\ntyped \\-x\n.fi\n.RE\n.PP\nEnd.\n");
}

TEST(ManPageTest, APageTellsWhatTheCommandTakes) {
  const CommandTree leaf{.name = "set",
                         .brief = "Set it",
                         .manual = "Reads firn.toml.",
                         .options = {{.names = {"--pin"}, .value = "TEXT", .help = "Pin", .choices = {"hot"}}},
                         .arguments = {{.value = "PATH", .help = "A file", .required = true}}};
  const CommandTree tree{.name = "firn", .commands = {{.name = "tier", .commands = {leaf}}}};
  const std::string page = man_page(tree, {"tier", "set"}).value();
  EXPECT_TRUE(page.starts_with(".TH firn\\-tier\\-set 1 ")) << page;
  EXPECT_TRUE(page.contains("\\fBfirn tier set\\fR [\\fIOPTIONS\\fR] \\fIPATH\\fR\n")) << page;
  EXPECT_TRUE(page.contains(".TP\n\\fB\\-\\-pin\\fR \\fITEXT\\fR\nPin (hot)\n")) << page;
  EXPECT_TRUE(page.contains("firn.toml\\fR\n")) << "the file that its text names: " << page;
  EXPECT_FALSE(page.contains("FIRN_URL")) << "what it has nothing to do with";
  EXPECT_TRUE(page.ends_with(".SH SEE ALSO\n\\fBfirn\\-tier\\fR(1)\n")) << page;
  EXPECT_EQ(man_page(tree, {"tier", "get"}).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace firn::cli

#include "cli/completion.h"

#include <gtest/gtest.h>

namespace firn::cli {
namespace {

CommandTree tree() {
  const Parameter mode{.names = {"-m", "--mode"}, .value = "MODE", .help = "It's [how]: fast", .choices = {"a", "b"}};
  const Parameter path{.value = "PATH", .help = "A file", .repeats = true};
  const CommandTree leaf{.name = "set", .brief = "Set it", .options = {mode}, .arguments = {path}};
  const CommandTree parent{.name = "tier", .brief = "Tiers", .commands = {leaf}};
  return {.name = "firn", .commands = {parent}};
}

TEST(CompletionTest, WhatAValueIsCalledSaysWhatCompletesIt) {
  EXPECT_EQ(completes({.value = "FILE"}), Completes::kFiles);
  EXPECT_EQ(completes({.value = "MOUNTPOINT"}), Completes::kFolders);
  EXPECT_EQ(completes({.value = "TEXT"}), Completes::kNothing);
  EXPECT_EQ(completes({.value = "FILE", .choices = {"one"}}), Completes::kChoices);
}

TEST(CompletionTest, EveryCommandIsVisitedWithItsPath) {
  std::vector<std::string> paths;
  walk(tree(), [&](const std::string& path, const CommandTree&) { paths.push_back(path); });
  EXPECT_EQ(paths, (std::vector<std::string>{"", "tier", "tier set"}));
  const CommandTree whole = tree();
  EXPECT_EQ(find(whole, {"tier", "set"})->name, "set");
  EXPECT_EQ(find(whole, {"tier", "get"}), nullptr);
}

TEST(CompletionTest, BashKnowsWordsAndValues) {
  const std::string script = bash_completion(tree());
  EXPECT_TRUE(script.contains("'tier set')\n      commands='' options='-m --mode'\n      valued='-m --mode' ;;"))
      << script;
  EXPECT_TRUE(script.contains("'tier set -m' | 'tier set --mode') takes='a b' ;;")) << script;
  EXPECT_TRUE(script.contains("'tier set '[0-9]*) takes=@files ;;")) << script;
}

TEST(CompletionTest, ZshReadsHelpAsText) {
  const std::string script = zsh_completion(tree());
  EXPECT_TRUE(script.contains(R"('(-m --mode)--mode=[It'\''s \[how\]\: fast]:MODE:(a b)')")) << script;
}

TEST(CompletionTest, FishReadsHelpAsText) {
  const std::string script = fish_completion(tree());
  EXPECT_TRUE(script.contains("'--mode\tIt\\'s [how]: fast'")) << script;
}

}  // namespace
}  // namespace firn::cli

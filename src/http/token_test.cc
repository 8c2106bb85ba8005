// Tokens: their text, and what is asked about them.
#include "http/token.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "http/token_answers.h"

namespace firn::http {
namespace {

constexpr const char* kGolden =
    "firn tokens 1\n"
    "0123abcd ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad write 1000 100 4,24 1700000000 0 "
    "=/photos/a%20b =laptop%20of%20Zo%C3%AB\n"
    "00000001 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 admin 0 0 - 1 2 = =\n";

std::vector<Token> golden() {
  return {{.id = "0123abcd",
           .hash = hash_of_secret("abc"),
           .name = "laptop of Zoë",
           .scope = "/photos/a b",
           .right = Right::kWrite,
           .uid = 1000,
           .gid = 100,
           .groups = {4, 24},
           .created_s = 1'700'000'000},
          {.id = "00000001", .hash = hash_of_secret(""), .right = Right::kAdmin, .created_s = 1, .expires_s = 2}};
}

TEST(Tokens, AreKeptAsTheFormatSays) {
  EXPECT_EQ(render_tokens(golden()), kGolden);
  const auto read = parse_tokens(kGolden);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(render_tokens(*read), kGolden);
  EXPECT_EQ(parse_tokens("")->size(), 0u);
  EXPECT_EQ(parse_tokens("firn tokens 1\n")->size(), 0u);
}

TEST(Tokens, OfADamagedFileAreNone) {
  const std::string text = kGolden;
  for (size_t cut = 1; cut + 1 < text.size(); ++cut)
    if (text[cut - 1] != '\n') EXPECT_FALSE(parse_tokens(text.substr(0, cut))) << cut;
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"tokens 1", "tokens 2"},
                                                                                 {" write ", " own "},
                                                                                 {" 1000 ", " -1 "},
                                                                                 {" 4,24 ", " 4, "},
                                                                                 {"=/photos", "=photos"},
                                                                                 {"=/photos", "/photos"},
                                                                                 {"ba7816", "xx7816"},
                                                                                 {"ba7816", "7816"},
                                                                                 {"%20b", "%zzb"},
                                                                                 {"%20b", "?b"},
                                                                                 {" 1700000000 0 ", " 1700000000 -5 "},
                                                                                 {"Zo", "Zo bla"},
                                                                                 {"0123abcd", "0123abcg"}}) {
    std::string damaged = text;
    damaged.replace(damaged.find(from), from.size(), to);
    const auto read = parse_tokens(damaged);
    ASSERT_FALSE(read) << damaged;
    EXPECT_EQ(read.error().code(), Code::kCorrupt);
  }
}

TEST(Tokens, AreFoundByTheirSecretAlone) {
  const std::vector<Token> tokens = golden();
  EXPECT_EQ(find_token(tokens, "abc"), &tokens[0]);
  EXPECT_EQ(find_token(tokens, "abd"), nullptr);
  SeededRandom random(1);
  const std::string secret = make_token_secret(random);
  EXPECT_EQ(secret.size(), 69u);
  EXPECT_TRUE(secret.starts_with("firn_"));
  EXPECT_NE(secret, make_token_secret(random));
  EXPECT_EQ(bearer_secret("Bearer  x "), "x");
  EXPECT_EQ(bearer_secret("Basic x"), std::nullopt);
  EXPECT_EQ(bearer_secret("Bearer"), std::nullopt);
}

class TokenAnswers : public testing::Test {
 protected:
  Result<TokenAnswer> ask(const std::string& method, const std::string& rest) {
    Request request{.method = method};
    EXPECT_TRUE(parse_target(std::string(kTokensPath) + rest, request).ok());
    Result<TokenAnswer> answer = answer_about_tokens(
        {.tokens = tokens_, .request = request, .now_s = 100, .default_uid = 5, .default_gid = 6, .random = random_});
    if (answer && answer->changed) tokens_ = *answer->changed;
    return answer;
  }
  Code refusal(const std::string& method, const std::string& rest) {
    const auto answer = ask(method, rest);
    return answer ? Code::kOk : answer.error().code();
  }

  SeededRandom random_{7};
  std::vector<Token> tokens_;
};

TEST_F(TokenAnswers, MakeListAndRevoke) {
  const auto made = ask("POST", "?name=x&path=//a//b/&right=write&uid=1&gid=2&groups=3,4&expires=200");
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->response.status, 201);
  const auto body = nlohmann::json::parse(made->response.body);
  ASSERT_EQ(tokens_.size(), 1u);
  EXPECT_EQ(find_token(tokens_, std::string(body.at("secret"))), &tokens_[0]);
  EXPECT_EQ(tokens_[0].scope, "/a/b");
  EXPECT_EQ(tokens_[0].groups, (std::vector<uint32_t>{3, 4}));
  EXPECT_TRUE(tokens_[0].expired(200));
  EXPECT_FALSE(tokens_[0].expired(199));
  const auto listed = nlohmann::json::parse(ask("GET", "")->response.body);
  EXPECT_EQ(listed.at("tokens").at(0).at("path"), "/a/b");
  EXPECT_FALSE(listed.at("tokens").at(0).contains("secret"));
  EXPECT_EQ(refusal("DELETE", "/none"), Code::kNotFound);
  EXPECT_EQ(ask("DELETE", "/" + tokens_[0].id)->response.status, 204);
  EXPECT_TRUE(tokens_.empty());
}

TEST_F(TokenAnswers, ByDefaultATokenReadsAsItsMaker) {
  ASSERT_TRUE(ask("POST", ""));
  EXPECT_EQ(tokens_[0].right, Right::kRead);
  EXPECT_EQ(tokens_[0].uid, 5u);
  EXPECT_EQ(tokens_[0].gid, 6u);
  EXPECT_EQ(tokens_[0].scope, "");
  EXPECT_FALSE(tokens_[0].expired(INT64_MAX));
}

TEST_F(TokenAnswers, RefuseWhatMakesNoSense) {
  for (const char* query : {"?right=own", "?path=a", "?path=/a/../b", "?uid=1", "?uid=x&gid=1", "?uid=4294967295&gid=1",
                            "?groups=1,x", "?expires=100", "?expires=x", "?expires=253402300800",
                            "?expires=9223372036854775807", "?right=admin&path=/a", "?name=a%0Ab"})
    EXPECT_EQ(refusal("POST", query), Code::kInvalid) << query;
  EXPECT_EQ(ask("PUT", "")->response.status, 405);
  EXPECT_TRUE(tokens_.empty());
}

}  // namespace
}  // namespace firn::http

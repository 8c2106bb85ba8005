// Programs that print credentials, and those that do everything else.
#include "object/s3/credential_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "io/test_environment.h"
#include "object/s3/bounded_program.h"
#include "object/s3/iso_time.h"

namespace firn::object::s3 {
namespace {

using Words = std::vector<std::string>;

TEST(SplitCommand, MakesWordsWithoutAShell) {
  EXPECT_EQ(split_command("/bin/tool  a\tb").value(), (Words{"/bin/tool", "a", "b"}));
  EXPECT_EQ(split_command("\"/a path/tool\" 'x y' z\"\"").value(), (Words{"/a path/tool", "x y", "z"}));
  EXPECT_EQ(split_command(R"(a\ b "c\"d" "e\f" 'g\h')").value(), (Words{"a b", "c\"d", "e\\f", "g\\h"}));
  EXPECT_EQ(split_command("tool '' \"\"").value(), (Words{"tool", "", ""}));
  EXPECT_EQ(split_command("tool $HOME `id` $(id) ; rm -rf * > x | y &").value(),
            (Words{"tool", "$HOME", "`id`", "$(id)", ";", "rm", "-rf", "*", ">", "x", "|", "y", "&"}));
  for (const char* wrong : {"tool \"a", "tool 'a", "", "  \t"}) EXPECT_EQ(split_command(wrong).error(), Code::kInvalid);
}

TEST(IsoTime, Parses) {
  constexpr int64_t kTime = 1767323045;  // 2026-01-02T03:04:05Z
  for (const char* text : {"2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05.678Z",
                           "2026-01-02T04:34:05+01:30", "2026-01-01T22:04:05-0500"})
    EXPECT_EQ(parse_iso_time(text), kTime) << text;
  for (const char* text : {"", "tomorrow", "2026-01-02", "2026-13-02T03:04:05Z", "2026-02-30T03:04:05Z",
                           "2026-01-02T25:04:05Z", "2026-01-02T03:04:05 soon", "2026-01-02T03:04:05+99:00"})
    EXPECT_EQ(parse_iso_time(text), std::nullopt) << text;
}

TEST(ProcessAnswer, IsReadAsItIsDocumented) {
  constexpr int64_t kNow = 1'700'000'000;
  const auto full = parse_process_answer(
      R"({"Version":1,"AccessKeyId":"k","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-01-02T03:04:05Z"})",
      kNow);
  ASSERT_TRUE(full) << full.error().to_string();
  EXPECT_EQ(full->access_key_id, "k");
  EXPECT_EQ(full->secret_access_key, "s");
  EXPECT_EQ(full->session_token, "t");
  EXPECT_EQ(full->expires_s, 1767323045);
  const auto lasting = parse_process_answer(R"({"Version": 1, "AccessKeyId": "k", "SecretAccessKey": "s"})", kNow);
  ASSERT_TRUE(lasting);
  EXPECT_EQ(lasting->expires_s, std::nullopt);
  EXPECT_EQ(lasting->session_token, "");
}

TEST(ProcessAnswer, AnythingElseIsRefusedAndNotRepeated) {
  constexpr int64_t kNow = 1'800'000'000;
  for (const char* wrong :
       {"", "SECRET", "[]", R"({"AccessKeyId":"SECRET","SecretAccessKey":"SECRET"})",
        R"({"Version":2,"AccessKeyId":"SECRET","SecretAccessKey":"SECRET"})", R"({"Version":1,"AccessKeyId":"SECRET"})",
        R"({"Version":1,"AccessKeyId":7,"SecretAccessKey":"SECRET"})",
        R"({"Version":1,"AccessKeyId":"SECRET","SecretAccessKey":"SECRET","Expiration":"soon"})",
        R"({"Version":1,"AccessKeyId":"SECRET","SecretAccessKey":"SECRET","Expiration":"2026-01-02T03:04:05Z"})"}) {
    const auto refused = parse_process_answer(wrong, kNow);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error(), Code::kInvalid);
    EXPECT_EQ(refused.error().message().find("SECRET"), std::string::npos) << refused.error().message();
  }
}

TEST(RunProgram, HandsOverWordsAndVariables) {
  const auto done = run_program({"sh", "-c", "printf '%s|' \"$0\" \"$1\" \"$MINE\"; cat; exit 3", "a b", "$HOME"},
                                {"MINE=1", "PATH=/usr/bin:/bin"}, {});
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->out, "a b|$HOME|1|");  // and nothing to read
  EXPECT_EQ(done->exit_code, 3);
}

TEST(RunProgram, EndsWhatDoesNotEndOrSaysTooMuch) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(run_program({"sleep", "60"}, {}, {.within_ns = 200'000'000}).error(), Code::kTimedOut);
  // It has ended, and what it has started goes on and holds its output.
  EXPECT_EQ(run_program({"sh", "-c", "/bin/sleep 60 &"}, {}, {.within_ns = 200'000'000}).error(), Code::kTimedOut);
  EXPECT_EQ(run_program({"sh", "-c", "while :; do echo much; done"}, {}, {.out_bytes = 1000}).error(), Code::kInvalid);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(run_program({"/nonexistent/tool"}, {}, {}).error(), Code::kNotFound);
  EXPECT_EQ(run_program({"/etc/passwd"}, {}, {}).error(), Code::kAccessDenied);
}

TEST(RunProgram, GivesUpWhatCannotBeKilled) {
  // Not in its own group any more: as if it were another user's.
  std::string file = ::testing::TempDir() + "firn_unkillable_XXXXXX";
  const int fd = ::mkstemp(file.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  const auto begin = std::chrono::steady_clock::now();
  const auto done = run_program(
      {"perl", "-e", "setpgrp(0, getpgrp(getppid())); open(F, '>', $ARGV[0]); print F $$; close(F); sleep 60", file},
      {"PATH=/usr/bin:/bin"}, {.within_ns = 2'000'000'000});
  EXPECT_EQ(done.error(), Code::kTimedOut);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  pid_t pid = 0;
  std::ifstream(file) >> pid;
  ::unlink(file.c_str());
  ASSERT_GT(pid, 1);
  EXPECT_EQ(::kill(pid, SIGKILL), 0) << "it was there still";
  // Once it has ended it is waited for.
  while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20))
    EXPECT_TRUE(run_program({"sleep", "0.01"}, {"PATH=/usr/bin:/bin"}, {}));
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(RunProgram, DoesNotStartWhatHasNoTime) {
  const std::string made = ::testing::TempDir() + "firn_not_started." + std::to_string(::getpid());
  EXPECT_EQ(run_program({"touch", made}, {}, {.within_ns = 0}).error(), Code::kTimedOut);
  EXPECT_NE(::access(made.c_str(), F_OK), 0);
}

class CredentialProcess : public ::testing::Test {
 protected:
  Environment where() {
    return {.variables = {{"AWS_SHARED_CREDENTIALS_FILE", environment->path("credentials")},
                          {"AWS_CONFIG_FILE", environment->path("config")},
                          {"AWS_EC2_METADATA_DISABLED", "true"},
                          {"PATH", "/usr/bin:/bin"}}};
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(environment->path(name)) << text; }
  // A program at a path with a blank in it, which the config file names.
  void make_program(const std::string& script) {
    write("my tool", "#!/bin/sh\n" + script);
    ASSERT_EQ(::chmod(environment->path("my tool").c_str(), 0700), 0);
    write("config", "[default]\ncredential_process = \"" + environment->path("my tool") + "\" --for 'a b'\n");
  }
  Result<Credentials> find() {
    const auto chain = standard_chain(where(), http, environment->pool());
    return environment->run(chain->get({}));
  }
  void expect_refused(const std::string& script, const std::string& why) {
    make_program(script);
    const auto refused = find();
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error(), Code::kAccessDenied) << refused.error().to_string();
    for (const std::string& part :
         {std::string("credential_process of the profile default"), std::string("my tool"), why})
      EXPECT_NE(refused.error().message().find(part), std::string::npos) << refused.error().message();
    EXPECT_EQ(refused.error().message().find("--for"), std::string::npos) << refused.error().message();
  }

  std::unique_ptr<io::TestEnvironment> environment = io::make_uring_environment();
  HttpClient http{{}};
};

TEST_F(CredentialProcess, IsAsked) {
  make_program("printf '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\"}' \"$1\" \"$2\"\n");
  const auto found = find();
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->access_key_id, "--for");
  EXPECT_EQ(found->secret_access_key, "a b");
  EXPECT_EQ(found->source, "credential_process of the profile default");
}

TEST_F(CredentialProcess, ComesAfterTheCredentialsFileAndBeforeTheConfigFilesKeys) {
  make_program("echo '{\"Version\":1,\"AccessKeyId\":\"process\",\"SecretAccessKey\":\"s\"}'\n");
  std::ofstream(environment->path("config"), std::ios::app)
      << "aws_access_key_id = config\naws_secret_access_key = s\n";
  EXPECT_EQ(find()->access_key_id, "process");
  write("credentials", "[default]\naws_access_key_id = file\naws_secret_access_key = s\n");
  EXPECT_EQ(find()->access_key_id, "file");
}

TEST_F(CredentialProcess, IsAskedAgainOnlyWhenWhatItSaidRunsOutOrIsRefused) {
  const std::string count = environment->path("count");
  make_program("echo x >> " + count +
               "\nprintf '{\"Version\":1,\"AccessKeyId\":\"k%d\",\"SecretAccessKey\":\"s\"}' $(wc -l < " + count +
               ")\n");
  const auto chain = standard_chain(where(), http, environment->pool());
  const auto first = environment->run(chain->get({}));
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ(first->access_key_id, "k1");
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "k1");
  chain->refuse(*first);
  EXPECT_EQ(environment->run(chain->get({}))->access_key_id, "k2");
}

TEST_F(CredentialProcess, SaysWhatIsWrong) {
  expect_refused("echo oops >&2\necho more >&2\necho SECRET\nexit 7\n", "exit code 7: oops");
  expect_refused("kill -9 $$\n", "a signal ended it");
  expect_refused("echo SECRET\n", "no JSON object");
  expect_refused("echo '{\"Version\":1}'\n", "no AccessKeyId");
  write("config", "[default]\ncredential_process = \"unclosed\n");
  EXPECT_NE(find().error().message().find("a quote is not closed"), std::string::npos);
  write("config", "[default]\ncredential_process = /nonexistent/tool\n");
  EXPECT_NE(find().error().message().find("cannot be started"), std::string::npos);
}

io::Task<Result<Credentials>> ask_within(CredentialChain* chain, int64_t within_ns) {
  co_return co_await chain->get(io::within(within_ns));
}
TEST_F(CredentialProcess, DoesNotHoldAnybodyUp) {
  make_program("exec sleep 60\n");
  const auto begin = std::chrono::steady_clock::now();
  const auto chain = standard_chain(where(), http, environment->pool());
  const auto refused = environment->run(ask_within(chain.get(), 300'000'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Code::kTimedOut);  // and may be asked again
  EXPECT_NE(refused.error().message().find("did not end in time"), std::string::npos) << refused.error().message();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

}  // namespace
}  // namespace firn::object::s3

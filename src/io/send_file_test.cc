// Socket::send_file: what a socket sends of a file, copied and not.
#include <gtest/gtest.h>

#include <csignal>
#include <random>

#include "io/socket.h"
#include "io/sync.h"
#include "io/test_environment.h"
#include "io/uring/uring_socket.h"

namespace firn::io {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

std::string random_text(size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

Task<std::unique_ptr<File>> make_file(Disk* disk, std::string path, const std::string* text) {
  auto file = co_await disk->open(std::move(path), {.write = true, .create = true});
  CHECK(file.has_value());
  CHECK((co_await (*file)->write(0, std::as_bytes(std::span(*text)))).has_value());
  co_return *std::move(file);
}

// Has no form of its own.
class CopyingSocket final : public Socket {
 public:
  Task<Result<size_t>> recv(std::span<std::byte>, Until) override { co_return size_t{0}; }
  Task<Result<void>> send(std::span<const std::byte> data, Until) override {
    sent.append(reinterpret_cast<const char*>(data.data()), data.size());
    co_return {};
  }
  void shutdown(Side) override {}
  std::string sent;
};

class SendFile : public Conformance {};

Task<void> send_copied(TestEnvironment* environment) {
  const std::string text = random_text(700'000);
  const auto file = co_await make_file(&environment->disk(), environment->path("f"), &text);
  CopyingSocket socket;
  uint64_t offset = 100;
  while (const size_t bytes = (co_await socket.send_file(*file, offset, text.size(), {})).value_or(0)) offset += bytes;
  EXPECT_EQ(offset, text.size());
  EXPECT_TRUE(socket.sent == text.substr(100));
  EXPECT_FALSE(socket.sends_pages());
  EXPECT_EQ(socket.most_unread_bytes(), 0u);
  EXPECT_TRUE(co_await socket.acknowledged(0, {}));
}

TEST_P(SendFile, CopiesWhatASocketHasNoFormFor) { environment->run(send_copied(environment.get())); }

FIRN_IO_BOTH_WORLDS(SendFile);

class SendPages : public testing::Test {
 protected:
  SendPages() { std::signal(SIGPIPE, SIG_IGN); }  // as the program does

  std::unique_ptr<TestEnvironment> environment_ = make_uring_environment();
};

struct Pair {
  std::unique_ptr<Socket> ours, theirs;
};

Task<Pair> connect_pair() {
  const auto listener = listen_tcp({"127.0.0.1", 0}).value();
  auto theirs = co_await connect_tcp(local_address_of(listener->fd()).value(), {});
  auto ours = co_await listener->accept({});
  co_return Pair{*std::move(ours), *std::move(theirs)};
}

// Reads `bytes`, or until the end.
Task<void> receive(Socket* socket, size_t bytes, int64_t pause_ns, std::string* into, Gate::Entry) {
  std::vector<std::byte> buffer(64 << 10);
  while (into->size() < bytes) {
    const auto got = co_await socket->recv(buffer, within(10 * kSecond));
    if (!got || *got == 0) co_return;
    into->append(reinterpret_cast<const char*>(buffer.data()), *got);
    if (pause_ns > 0) (void)co_await sleep_for(pause_ns);
  }
}

Task<void> send_all(Pair* pair, File* file, uint64_t offset, uint64_t end) {
  while (offset < end) {
    const auto sent = co_await pair->ours->send_file(*file, offset, end - offset, within(10 * kSecond));
    CO_REQUIRE(sent);
    CO_REQUIRE(*sent > 0);
    offset += *sent;
  }
}

Task<void> send_to_reader(TestEnvironment* environment, int64_t pause_ns) {
  const std::string text = random_text(9'000'001);
  const auto file = co_await make_file(&environment->disk(), environment->path("f"), &text);
  Pair pair = co_await connect_pair();
  EXPECT_TRUE(pair.ours->sends_pages());
  std::string received, echoed;
  Gate gate;
  detach(receive(pair.theirs.get(), text.size(), pause_ns, &received, gate.enter()));
  co_await send_all(&pair, file.get(), 1, text.size());
  // Past the end there is nothing; an ordinary send still waits until all of it is out.
  EXPECT_EQ((co_await pair.ours->send_file(*file, text.size(), 10, {})).value_or(1), 0u);
  EXPECT_TRUE(co_await pair.ours->send(std::as_bytes(std::span(text)).first(1), within(10 * kSecond)));
  EXPECT_TRUE(co_await pair.ours->acknowledged(0, within(10 * kSecond)));
  co_await gate.close();
  EXPECT_TRUE(received == text.substr(1) + text.front());
}

TEST_F(SendPages, SendsThePagesOfAFile) { environment_->run(send_to_reader(environment_.get(), 0)); }
TEST_F(SendPages, WaitsForASlowReader) { environment_->run(send_to_reader(environment_.get(), kSecond / 1000)); }

// The descriptor does not wait any more; what goes through the ring has to.
Task<void> go_on_with_the_ring(TestEnvironment* environment) {
  const std::string text = random_text(20'000'000);
  const auto file = co_await make_file(&environment->disk(), environment->path("f"), &text);
  Pair pair = co_await connect_pair();
  Gate gate;
  std::string received, answer;
  detach(receive(pair.ours.get(), 5, 0, &answer, gate.enter()));
  co_await send_all(&pair, file.get(), 0, 1000);
  detach(receive(pair.theirs.get(), text.size(), kSecond / 1000, &received, gate.enter()));
  const auto rest = std::as_bytes(std::span(text)).subspan(1000);
  EXPECT_TRUE(co_await pair.ours->send(rest, within(20 * kSecond)));
  EXPECT_TRUE(co_await pair.theirs->send(std::as_bytes(std::span("hello", 5)), within(kSecond)));
  co_await gate.close();
  EXPECT_TRUE(received == text);
  EXPECT_EQ(answer, "hello");
  std::byte byte{};
  EXPECT_EQ((co_await pair.ours->recv({&byte, 1}, within(kSecond / 100))).error().code(), Code::kTimedOut);
}

TEST_F(SendPages, LeavesTheRingsOperationsAsTheyWere) { environment_->run(go_on_with_the_ring(environment_.get())); }

Task<void> end_early(TestEnvironment* environment) {
  const std::string text = random_text(20'000'000);
  const auto file = co_await make_file(&environment->disk(), environment->path("f"), &text);
  Pair pair = co_await connect_pair();
  Result<size_t> sent = size_t{1};
  uint64_t offset = 0;
  while (sent) {
    sent = co_await pair.ours->send_file(*file, offset, text.size() - offset, within(kSecond / 20));
    offset += sent.value_or(0);
  }
  EXPECT_EQ(sent.error().code(), Code::kTimedOut);
  EXPECT_EQ((co_await pair.ours->acknowledged(0, within(kSecond / 20))).error().code(), Code::kTimedOut);
  EXPECT_TRUE(co_await pair.ours->acknowledged(offset, within(kSecond / 20)));
  CancelToken token;
  token.cancel();
  EXPECT_EQ((co_await pair.ours->send_file(*file, 0, 1, {.token = &token})).error().code(), Code::kInterrupted);
  EXPECT_EQ((co_await pair.ours->acknowledged(0, {.token = &token})).error().code(), Code::kInterrupted);
  pair.theirs.reset();
  Result<size_t> after = size_t{1};
  while (after) after = co_await pair.ours->send_file(*file, 0, text.size(), within(5 * kSecond));
  EXPECT_EQ(after.error().code(), Code::kUnavailable);
}

TEST_F(SendPages, EndsWithTheDeadlineTheTokenAndThePeer) { environment_->run(end_early(environment_.get())); }

Task<void> cut_off(TestEnvironment* environment) {
  const std::string text = random_text(20'000'000);
  const auto file = co_await make_file(&environment->disk(), environment->path("f"), &text);
  Pair pair = co_await connect_pair();
  const auto sent = co_await pair.ours->send_file(*file, 0, text.size(), within(kSecond));
  CO_REQUIRE(sent);
  EXPECT_TRUE(co_await file->truncate(*sent / 2));
  EXPECT_EQ((co_await pair.ours->send_file(*file, *sent, text.size(), within(kSecond))).value_or(1), 0u);
}

TEST_F(SendPages, FindsTheEndOfAFileThatWasCutOff) { environment_->run(cut_off(environment_.get())); }

}  // namespace
}  // namespace firn::io

// Large files whose pages go out without copying: what is copied all the same, and what a client of a file that is cut
// off gets.
#include "http/file_body.h"

#include <gtest/gtest.h>

#include <functional>

#include "http/testing/api_fixture.h"

namespace firn::http {
namespace {

constexpr size_t kUnread = 100'000;
constexpr size_t kCopied = kUnread + (512 << 10);
constexpr size_t kFileBytes = 3 << 20;

struct Told {
  std::string text;
  uint64_t uncopied = 0;
  size_t waits = 0;
};

// Sends files by itself; their content ends up in `told` all the same.
class PagesSocket final : public io::Socket {
 public:
  PagesSocket(std::string request, Told* told, std::function<io::Task<void>()> before_last)
      : script_({{std::move(request)}}, Ending::kCloses, &told->text),
        told_(told),
        before_last_(std::move(before_last)) {}

  io::Task<Result<size_t>> recv(std::span<std::byte> buffer, io::Until until) override {
    return script_.recv(buffer, until);
  }
  io::Task<Result<void>> send(std::span<const std::byte> data, io::Until until) override {
    return script_.send(data, until);
  }
  io::Task<Result<size_t>> send_file(io::File& file, uint64_t offset, size_t bytes, io::Until until) override {
    const size_t sent = CO_TRY(co_await io::Socket::send_file(file, offset, bytes, until));
    told_->uncopied += sent;
    co_return sent;
  }
  bool sends_pages() const override { return true; }
  size_t most_unread_bytes() const override { return kUnread; }
  io::Task<Result<void>> acknowledged(size_t, io::Until) override {
    if (told_->waits++ == 0 && before_last_) co_await before_last_();
    co_return {};
  }
  void shutdown(Side) override {}

 private:
  ScriptSocket script_;
  Told* const told_;
  const std::function<io::Task<void>()> before_last_;
};

class FileBody : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    while (content_.size() < kFileBytes) content_ += std::to_string(content_.size());
    content_.resize(kFileBytes);
    ASSERT_EQ(call("PUT", "/v1/files/f", content_).status, 201);
  }

  Told get(const std::string& headers = "", std::function<io::Task<void>()> before_last = {}) {
    Api api({.volume = world_.volume(), .metrics = metrics_, .status = fake_status});
    Server server({.handler = [&api](Exchange& exchange) { return api.handle(exchange); }, .limits = {}});
    Told told;
    world_.run(server.serve(
        std::make_unique<PagesSocket>("GET /v1/files/f HTTP/1.1\r\nConnection: close\r\n" + headers + "\r\n", &told,
                                      std::move(before_last)),
        Peer{}));
    return told;
  }
  static std::string body_of(const Told& told) { return told.text.substr(told.text.find("\r\n\r\n") + 4); }

  std::string content_;
};

TEST_F(FileBody, TheEndOfARangeIsCopied) {
  const Told all = get();
  EXPECT_TRUE(body_of(all) == content_);
  EXPECT_EQ(all.uncopied, kFileBytes - kCopied);
  EXPECT_GT(all.waits, 0u);
  const Told part = get("Range: bytes=7-2000000\r\n");
  EXPECT_TRUE(body_of(part) == content_.substr(7, 2'000'000 - 6));
  EXPECT_EQ(part.uncopied, 2'000'000 - 6 - kCopied);
}

TEST_F(FileBody, ShortRangesAreCopied) {
  const Told told = get("Range: bytes=0-999999\r\n");
  EXPECT_TRUE(body_of(told) == content_.substr(0, 1'000'000));
  EXPECT_EQ(told.uncopied, 0u);
  EXPECT_EQ(told.waits, 0u);
}

io::Task<void> cut_off(vfs::Volume* volume) {
  const auto attr = co_await volume->lookup({}, kRootInode, "f");
  EXPECT_TRUE(attr);
  EXPECT_TRUE(co_await volume->setattr({}, attr->inode, {.attributes = {}, .size = 5}, nullptr));
}

TEST_F(FileBody, TheLastByteIsWithheldOfAFileThatWasCutOff) {
  const Told told = get("", [this] { return cut_off(&world_.volume()); });
  EXPECT_EQ(body_of(told).size(), kFileBytes - 1);
}

}  // namespace
}  // namespace firn::http

#include "cli/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "cli/settings.h"
#include "io/unique_fd.h"
#include "tier/key_wrap.h"

namespace firn::cli {
namespace {

constexpr size_t kMaxSecretBytes = 64 << 10;

// Reads up to a line's end (`line`), or to the end of the file.
Result<std::string> read_bytes(int fd, const std::string& what, bool line) {
  std::string bytes;
  for (char c = 0;;) {
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) return fail(Code::kInterrupted, what + ": interrupted");
    if (got < 0) return fail(Status::from_errno(errno, what));
    if (got == 0 || (line && c == '\n')) return bytes;
    if (bytes.size() == kMaxSecretBytes) return fail(Code::kInvalid, what + ": has more than 64 KiB");
    bytes += c;
  }
}

Result<std::string> read_key_file(const std::string& path) {
  const io::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(Status::from_errno(errno, "the key file " + path));
  std::string secret = TRY(read_bytes(file.get(), "the key file " + path, false));
  if (secret.empty()) return fail(Code::kInvalid, "the key file " + path + " is empty");
  return secret;
}

// The terminal without echo, and signals that end the question instead of the program, for as long as this lives: a
// terminal is never left without echo.
class Discretion {
 public:
  Discretion() {
    struct sigaction quietly{};
    quietly.sa_handler = [](int) {};  // without SA_RESTART: read(2) ends
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &quietly, &before_[i]);
    ::tcgetattr(STDIN_FILENO, &terminal_);
    termios silent = terminal_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Discretion() {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_);
    for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  Discretion(const Discretion&) = delete;

 private:
  static constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_{};
  termios terminal_{};
};

Result<std::string> ask(const std::string& question) {
  const Discretion discretion;  // before the question: an answer may come at once
  fmt::print(stderr, "{}: ", question);
  std::fflush(stderr);
  Result<std::string> answer = read_bytes(STDIN_FILENO, "the passphrase", true);
  fmt::print(stderr, "\n");
  return answer;
}

Result<std::string> read(const SecretSource& source, bool twice) {
  if (!source.key_file.empty()) return read_key_file(source.key_file);
  if (const char* given = std::getenv(source.variable)) {
    if (*given == '\0') return fail(Code::kInvalid, std::string(source.variable) + " is empty");
    return std::string(given);
  }
  if (::isatty(STDIN_FILENO) == 0)
    return fail(Code::kAccessDenied,
                fmt::format("a passphrase is needed: set {} or name a key file; there is no terminal to ask on",
                            source.variable));
  std::string secret = TRY(ask(source.question));
  if (secret.empty()) return fail(Code::kInvalid, "the passphrase is empty");
  if (twice && TRY(ask(source.question + ", once more")) != secret)
    return fail(Code::kInvalid, "the two passphrases differ; nothing has been done");
  return secret;
}

}  // namespace

Result<std::string> read_secret(const SecretSource& source) { return read(source, false); }
Result<std::string> read_new_secret(const SecretSource& source) { return read(source, true); }

Result<std::optional<std::string>> secret_of(const VolumePaths& paths) {
  const Settings settings = TRY(load_settings(paths.config()));
  const SecretSource source{.key_file = settings.tiers.key_file, .question = "Passphrase of " + paths.root};
  const bool offered = !source.key_file.empty() || std::getenv(source.variable) != nullptr;
  if (!settings.tiers.encrypt && !offered) return std::nullopt;
  return TRY(read_secret(source));
}

Result<std::optional<tier::Key>> open_key(const meta::VolumeSettings& record,
                                          const std::optional<std::string>& secret) {
  if (record.wrapped_key.empty()) return std::nullopt;
  if (!secret)
    return fail(
        Code::kAccessDenied,
        "the volume is encrypted and no passphrase was given; set tiers.encrypt = true in firn.toml to be asked, "
        "tiers.key_file, or the environment's FIRN_PASSPHRASE");
  const tier::WrappedKey wrapped = TRY(tier::decode_wrapped_key(record.wrapped_key));
  return TRY(tier::unwrap_key(wrapped, *secret));
}

}  // namespace firn::cli

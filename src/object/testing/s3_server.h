// A real S3 server on loopback, started for a test and stopped with it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "object/s3/s3_store.h"
#include "object/testing/certificates.h"

namespace firn::object::testing {

enum class Transport : uint8_t { kPlain, kTls };

// versitygw (docs/decisions/0006-s3-test-server.md), with one bucket, in a folder of its own. Ends the process when it
// is not installed: scripts/s3-server does that.
class S3Server {
 public:
  explicit S3Server(Transport transport = Transport::kPlain);
  ~S3Server();
  S3Server(const S3Server&) = delete;

  // As a process would have it: endpoint, keys, the authority to trust; no files.
  s3::Environment environment() const;
  // Of that bucket, with a prefix.
  S3Options options(const std::string& prefix) const;
  static constexpr const char* kBucket = "firn-test";

  // Down and up again, on the same port with the same objects.
  void stop();
  void start();
  const std::string& folder() const { return folder_; }

 private:
  std::string url() const;
  // False: it ended at once, as when somebody else has taken the port.
  bool try_start();

  std::string folder_;
  std::string certificates_folder_;
  std::optional<Certificates> certificates_;
  int port_ = 0;
  pid_t process_ = -1;
};

}  // namespace firn::object::testing

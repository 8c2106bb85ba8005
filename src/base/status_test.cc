#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace firn {
namespace {

Result<int> half(int x) {
  if (x % 2) return fail(Code::kInvalid, "odd");
  return x / 2;
}
Result<int> quarter(int x) {
  const int halved = TRY(half(x));
  return half(halved);
}
Status check_quarter(int x) {
  TRY(quarter(x));
  return {};
}

TEST(Status, PropagatesThroughTry) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message(), "odd");
  EXPECT_TRUE(check_quarter(4).ok());
  EXPECT_EQ(check_quarter(2).code(), Code::kInvalid);
}

TEST(Status, EveryErrnoThatPosixAsksForSurvivesTheRoundTrip) {
  for (int error : {ENOENT,  EEXIST,     ENOTDIR, EISDIR,  ENOTEMPTY, EPERM, EACCES,    EINVAL,    ENAMETOOLONG,
                    EMLINK,  EXDEV,      ELOOP,   ENODATA, ERANGE,    E2BIG, EFBIG,     EOVERFLOW, EBUSY,
                    ETXTBSY, EOPNOTSUPP, ENOSYS,  ESTALE,  EBADF,     ENXIO, ENOTTY,    EDEADLK,   ENOSPC,
                    EDQUOT,  EROFS,      ENOMEM,  EMFILE,  EAGAIN,    EINTR, ETIMEDOUT, EIO})
    EXPECT_EQ(errno_of(code_of_errno(error)), error) << error;
}

TEST(Status, ReadsWell) {
  EXPECT_EQ(Status(Code::kNotFound).to_string(), "not found");
  EXPECT_EQ(Status::from_errno(ENOENT, "demo").to_string(), "demo: No such file or directory");
  EXPECT_EQ(Status(Code::kNoSpace).with_context("write").to_string(), "write: no space left");
  EXPECT_EQ(Status(Code::kNoSpace).with_context("write").code(), Code::kNoSpace);
}

}  // namespace
}  // namespace firn

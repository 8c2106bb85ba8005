// How requests come in and replies go out. A session has a DevLane on every reactor and, over io_uring, a UringLane
// too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace firn::fuse {

enum class TransportKind : uint8_t { kDev, kUring };

inline std::string_view transport_name(TransportKind kind) { return kind == TransportKind::kUring ? "uring" : "dev"; }

// Told by a lane, on the lane's reactor.
class LaneOwner {
 public:
  virtual ~LaneOwner() = default;
  // The lane has nothing in flight any more and touches nothing from now on.
  virtual void lane_ended() = 0;
  // The kernel refused the lane's queues: requests come over /dev/fuse instead.
  virtual void uring_refused(int error) = 0;
};

// One direction of a reactor's traffic with the kernel. All calls are for the reactor's own thread, but requests().
class Lane {
 public:
  virtual ~Lane() = default;
  // Arms the lane. It then ends by itself when the connection ends.
  virtual void start() = 0;
  // Takes the lane out of the kernel's hands; lane_ended() follows once what runs has finished. Idempotent.
  virtual void stop() = 0;
  virtual uint64_t requests() const = 0;
};

// Anonymous memory that costs nothing until it is touched.
class Mapping {
 public:
  Mapping() = default;
  explicit Mapping(size_t bytes);
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  std::byte* data() const { return data_; }
  size_t size() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace firn::fuse

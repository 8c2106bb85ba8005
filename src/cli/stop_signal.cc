#include "cli/stop_signal.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

namespace firn::cli {

Result<StopSignal> StopSignal::create() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return fail(Status::from_errno(errno, "blocking signals"));
  StopSignal stop;
  stop.signals_.reset(signalfd(-1, &set, SFD_CLOEXEC));
  stop.event_.reset(eventfd(0, EFD_CLOEXEC));
  if (!stop.signals_ || !stop.event_) return fail(Status::from_errno(errno, "making a signal descriptor"));
  return stop;
}

void StopSignal::request() const {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the request is in it.
  (void)!write(event_.get(), &one, sizeof one);
}

const char* StopSignal::wait() const {
  pollfd fds[] = {{signals_.get(), POLLIN, 0}, {event_.get(), POLLIN, 0}};
  while (poll(fds, 2, -1) < 0) {
  }
  if (fds[1].revents != 0) return "the mount ended, or a client asked";
  signalfd_siginfo info{};
  if (read(signals_.get(), &info, sizeof info) != sizeof info) return "a signal";
  return info.ssi_signo == SIGTERM ? "SIGTERM" : info.ssi_signo == SIGINT ? "SIGINT" : "SIGHUP";
}

}  // namespace firn::cli

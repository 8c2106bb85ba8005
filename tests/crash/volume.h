// A firn volume under test: made, mounted, killed and checked through the command line, as its users do.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace firn::crash {

struct Finished {
  int exit_code = -1;  // 128 + signal when killed; 124 when it took too long and was killed
  std::string output;  // stdout and stderr
};

// Runs a program to its end.
Finished run_program(const std::vector<std::string>& command, int deadline_s);

class Volume {
 public:
  Volume(std::string firn, std::string folder, std::string transport);

  const std::string& mount_point() const { return mount_point_; }

  Finished init();
  Finished mount();
  Finished unmount();
  Finished fsck();
  // SIGKILL to the daemon. False when there was none to kill.
  bool kill_daemon();
  // Removes what a dead daemon left in the mount table.
  void detach();
  // Starts a mount and kills the daemon (and the command) after so long. False when it had not come so far as to
  // take the volume's lock.
  bool kill_while_mounting(int delay_us);

 private:
  // The process that firn.lock names, if it runs this firn.
  pid_t daemon_pid() const;
  std::vector<std::string> mount_command() const;

  std::string firn_;
  std::string volume_;
  std::string mount_point_;
  std::string transport_;
};

}  // namespace firn::crash

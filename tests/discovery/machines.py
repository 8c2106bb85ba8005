"""Machines that share a network: namespaces joined by a pair of veth devices, each with a message bus and an avahi-daemon
of its own."""
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from firn_cli import DEADLINE_S, LEAVE_OTHERS_MOUNTS

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_type="method_return"/>
    <allow send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="signal"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
  </policy>
</busconfig>
"""

AVAHI = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=yes
enable-dbus=yes
[publish]
publish-hinfo=no
publish-workstation=no
[wide-area]
enable-wide-area=no
"""


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(path):
    """Whether somebody listens at the Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


def checked(*command):
    done = subprocess.run([str(word) for word in command], timeout=DEADLINE_S, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stdout}")


class Machine:
    """A network namespace, and a mount namespace whose /run is its own."""

    def __init__(self, folder, name, address):
        self.folder = Path(folder) / name
        self.folder.mkdir()
        self.name, self.address = name, address
        self.bus = self.avahi = None
        self.log = open(self.folder / "machine.log", "w+", encoding="utf-8")
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
             LEAVE_OTHERS_MOUNTS + "mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && ip link set lo up && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if self.holder.stdout.readline() != "ready\n":
            raise RuntimeError("namespaces cannot be made: " + (self.folder / "machine.log").read_text())
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.folder}/bus",
                            "HOME": str(self.folder)}
        for name in ("FIRN_URL", "FIRN_TOKEN", "FIRN_CA_FILE", "XDG_CONFIG_HOME"):
            self.environment.pop(name, None)

    def words(self, *command):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", f"--mount=/proc/{self.holder.pid}/ns/mnt",
                *(str(word) for word in command)]

    def start(self, *command, **more):
        return subprocess.Popen(self.words(*command), stdin=subprocess.DEVNULL, env=self.environment,
                                **{"stdout": self.log, "stderr": self.log, **more})

    def run(self, *command, **environment):
        return subprocess.run(self.words(*command), env={**self.environment, **environment}, timeout=DEADLINE_S, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def start_bus(self):
        configuration, path = self.folder / "bus.conf", self.folder / "bus"
        configuration.write_text(BUS.format(socket=path))
        self.bus = self.start("dbus-daemon", "--nofork", "--nopidfile", f"--config-file={configuration}")
        deadline = time.monotonic() + DEADLINE_S
        while not answers(path):
            if time.monotonic() > deadline or self.bus.poll() is not None:
                raise RuntimeError("dbus-daemon does not start: " + (self.folder / "machine.log").read_text())
            time.sleep(0.02)

    def start_avahi(self):
        configuration = self.folder / "avahi.conf"
        configuration.write_text(AVAHI.format(name=self.name))
        self.avahi = self.start("avahi-daemon", "-f", configuration, "--no-drop-root", "--no-chroot", "--no-rlimits",
                                "--no-proc-title")

    def stop_avahi(self):
        if self.avahi:
            end(self.avahi)
        self.avahi = None

    def stop_bus(self):
        if self.bus:
            end(self.bus)
            (self.folder / "bus").unlink(missing_ok=True)
        self.bus = None

    def close(self):
        self.stop_avahi()
        self.stop_bus()
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        self.log.close()


def join(first, second):
    """A cable between the two; each end is called net0."""
    checked("ip", "link", "add", "net0", "netns", first.holder.pid, "type", "veth", "peer", "name", "net0", "netns",
            second.holder.pid)
    for machine in (first, second):
        checked(*machine.words("ip", "address", "add", f"{machine.address}/24", "dev", "net0"))
        checked(*machine.words("ip", "link", "set", "net0", "up", "multicast", "on"))

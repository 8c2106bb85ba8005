"""Debian's nginx, with a configuration and a folder of its own, in the foreground."""

import os
import socket
import subprocess
import time

from .stores import free_address
from .tools import BenchError, cpu_seconds, end

CONFIGURATION = """
daemon off;
user {user};
worker_processes auto;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{sites}
}}
"""


class Nginx:
    """`sites` is what stands in its http block; "{address}" there is where it is to listen."""

    def __init__(self, folder, sites):
        self.folder, self.sites = folder, sites
        self.process = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.address = free_address()
        config = self.folder / "nginx.conf"
        user = "root" if os.geteuid() == 0 else "nobody"  # the workers read and write what this process does
        config.write_text(CONFIGURATION.format(folder=self.folder, user=user,
                                               sites=self.sites.replace("{address}", self.address)), encoding="utf-8")
        try:
            self.process = subprocess.Popen(["nginx", "-p", str(self.folder), "-c", str(config)], stderr=subprocess.DEVNULL,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise BenchError("nginx is not installed: scripts/setup --bench") from error
        wait_for(self.address, "nginx")

    def stop(self):
        end(self.process)
        self.process = None

    def cpu(self):
        """Of the master and its workers."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return sum(cpu_seconds(int(one)) for one in [pid, *children.read().split()])


def wait_for(address, name):
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(address.split(":"), timeout=1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise BenchError(f"{name} does not serve HTTP") from error
            time.sleep(0.05)

"""What stands between a client and the daemon, on loopback."""
import socket
import threading

from firn_cli import DEADLINE_S


class Relay:
    """Subclasses say how bytes are passed on: pass_on(source, sink, to_server), until the source ends or OSError."""

    PIECE = 64 << 10

    def __init__(self, port):
        self.target, self.sockets, self.threads = port, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    def start(self, work, *arguments):
        self.threads.append(threading.Thread(target=work, args=arguments))
        self.threads[-1].start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target), timeout=DEADLINE_S)
            self.sockets += [client, server]
            self.start(self.run, client, server, True)
            self.start(self.run, server, client, False)

    def run(self, source, sink, to_server):
        try:
            self.pass_on(source, sink, to_server)
        except OSError:
            pass

    def pass_on(self, source, sink, to_server):
        raise NotImplementedError

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join(DEADLINE_S)
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(DEADLINE_S)
        for end in self.sockets:
            end.close()

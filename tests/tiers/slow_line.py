"""A TCP relay that carries so many bytes a second each way, all connections together."""
import socket
import threading
import time

PIECE_BYTES = 8 << 10
KERNEL_BYTES = 16 << 10  # of a connection: what lies there has arrived, as far as the sender can tell


class _Direction:
    def __init__(self):
        self.lock = threading.Lock()  # guards what follows
        self.bytes_per_s = None       # None: as fast as can be
        self.free_at = 0
        self.carried = 0

    def wait_for(self, count):
        with self.lock:
            self.carried += count
            if self.bytes_per_s is None:
                return
            now = time.monotonic()
            self.free_at = max(self.free_at, now) + count / self.bytes_per_s
            pause = self.free_at - now
        time.sleep(pause)


class SlowLine:
    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.up, self.down = _Direction(), _Direction()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def set_rate(self, bytes_per_s):
        self.up.bytes_per_s = self.down.bytes_per_s = bytes_per_s

    def stop(self):
        for end in [self.listener, *self.open]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended
            end.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
            try:
                server.connect(("127.0.0.1", self.upstream_port))
            except OSError:
                client.close()
                continue
            self.open += [client, server]
            for source, target, direction in ((client, server, self.up), (server, client, self.down)):
                threading.Thread(target=self._carry, args=(source, target, direction), daemon=True).start()

    @staticmethod
    def _carry(source, target, direction):
        try:
            while piece := source.recv(PIECE_BYTES):
                direction.wait_for(len(piece))
                target.sendall(piece)
        except OSError:
            pass  # one end has gone: so does the other
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone first

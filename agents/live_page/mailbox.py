"""A mailbox: the learner puts messages in and goes on at once; a thread packs and sends them."""

import logging
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

logger = logging.getLogger(__name__)

Packed = Callable[[], bytes]


class Mailbox:
    """Sends messages from a thread of its own.

    There is room for one message of every kind that may be replaced, so that whoever puts one in never waits, however slow
    the other side is: what has not been sent yet gives way to what is newer. Of messages that may not be replaced the
    oldest are dropped where there are too many.

    Parameters
    ----------
    connection
        Where messages go: the byte of their kind, and what they hold.
    most
        Messages that may not be replaced, at most.
    """

    def __init__(self, connection: Connection, most: int = 64) -> None:
        self._connection, self._most = connection, most
        self._queue: list[tuple[bytes, Packed]] = []
        self._latest: dict[bytes, Packed] = {}
        self._filled = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._send_all, name="mailbox", daemon=True)
        self._thread.start()

    def put(self, kind: bytes, packed: Packed) -> None:
        """Send a message after those that wait; it is packed when its turn comes."""
        with self._filled:
            self._queue = [*self._queue[1 - self._most :], (kind, packed)]
            self._filled.notify()

    def replace(self, kind: bytes, packed: Packed) -> None:
        """Send a message after those that wait, and instead of the last one of its kind if that has not gone yet."""
        with self._filled:
            self._latest.pop(kind, None)  # a frame must not overtake the network that it is of
            self._latest[kind] = packed
            self._filled.notify()

    def is_waiting(self, kind: bytes) -> bool:
        """Tell whether a message of a kind that may be replaced has not gone yet."""
        return kind in self._latest

    def close(self) -> None:
        """Send what is left, and end the thread."""
        with self._filled:
            self._closed = True
            self._filled.notify()
        self._thread.join(timeout=2)

    def _send_all(self) -> None:
        while True:
            with self._filled:
                while not (self._queue or self._latest or self._closed):
                    self._filled.wait()
                queue, latest = self._queue, self._latest
                self._queue, self._latest = [], {}
                if not queue and not latest:
                    return
            for kind, packed in [*queue, *latest.items()]:
                if not self._send(kind, packed):
                    return

    def _send(self, kind: bytes, packed: Packed) -> bool:
        """Pack and send one message; returns whether there is still somebody to send to."""
        try:
            body = packed()
        except Exception:
            logger.exception("a message of kind %r could not be packed", kind)
            return True
        try:
            self._connection.send_bytes(kind + body)
        except OSError:
            return False
        return True

"""A session: the learner's process seen from the server, and who looks at it."""

import asyncio
import contextlib
import itertools
import logging
import queue
import threading
from collections import deque
from collections.abc import Mapping
from multiprocessing import get_context
from typing import Any

from . import learner
from .protocol import ANSWER, EVENT, FRAME, KEPT, STATE, pack, unpack

logger = logging.getLogger(__name__)

MOST_COMMANDS = 256  # that wait for the learner
MOST_EVENTS = 32  # that wait for a viewer
PATIENCE_S = 600.0  # for an answer: the first one may wait for compiling


class Viewer:
    """One open page: what it has yet to be sent. A slow one misses frames, and holds up nobody."""

    def __init__(self) -> None:
        self.is_looking = True
        self._waiting: dict[bytes, bytes] = {}
        self._events: deque[bytes] = deque(maxlen=MOST_EVENTS)
        self._filled = asyncio.Event()

    def put(self, kind: bytes, body: bytes) -> None:
        """Let it have a message; events follow each other, all others replace the last one of their kind."""
        if kind == EVENT:
            self._events.append(body)
        else:
            self._waiting[kind] = body
        self._filled.set()

    async def take(self) -> list[bytes]:
        """Wait for messages and return them, a frame last."""
        await self._filled.wait()
        self._filled.clear()
        waiting, events = self._waiting, list(self._events)
        self._waiting = {}
        self._events.clear()
        frame = waiting.pop(FRAME, None)
        return [*waiting.values(), *events, *([] if frame is None else [frame])]


class Session:
    """Starts the learner's process, passes on what it sends, and hands it commands.

    Parameters
    ----------
    request
        What to begin with, see `learner.Learner`.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._request = request
        self.viewers: set[Viewer] = set()
        self._kept: dict[bytes, bytes] = {}
        self._answers: dict[int, asyncio.Future[tuple[dict[str, Any], dict[str, Any]]]] = {}
        self._numbers = itertools.count()
        self._commands: queue.Queue[dict[str, Any] | None] = queue.Queue(MOST_COMMANDS)
        self._process: Any = None
        self._watched = False

    # -- the learner's process ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the learner's process; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._kept = {STATE: _state("starting")}
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=learner.main, args=(theirs, self._request), name="learner", daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        self._commands = queue.Queue(MOST_COMMANDS)
        self._watched = False
        for work in (self._receive_all, self._send_all):
            threading.Thread(target=work, args=(ours, self._commands), name=work.__name__, daemon=True).start()
        self._tell_watched()

    def stop(self) -> None:
        """End the learner's process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(queue.Full):
                self._commands.put_nowait({"do": "end"})
            process.join(timeout=1)
            process.kill()  # it may be compiling, or in a step of its environment

    def _receive_all(self, connection: Any, commands: "queue.Queue[Any]") -> None:
        frame: list[bytes] = []  # the latest one, while it is on its way to the event loop
        try:
            while True:
                message = connection.recv_bytes()
                kind, body = message[:1], message[1:]
                if kind != FRAME:
                    frame = []  # those that follow stay behind it
                    self._loop.call_soon_threadsafe(self._receive, kind, body)
                    continue
                try:
                    frame[0] = body
                except IndexError:  # the last one has been handed on
                    frame = [body]
                    self._loop.call_soon_threadsafe(self._receive_frame, frame)
        except (EOFError, OSError, TypeError):
            pass
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self._loop.call_soon_threadsafe(self._lose, connection)

    def _send_all(self, connection: Any, commands: "queue.Queue[Any]") -> None:
        try:
            while (command := commands.get()) is not None:
                connection.send(command)
        except OSError:
            pass

    def _receive_frame(self, frame: list[bytes]) -> None:
        self._receive(FRAME, frame.pop())

    def _receive(self, kind: bytes, body: bytes) -> None:
        if kind == ANSWER:
            header, parts = unpack(body)
            answer = self._answers.pop(header["ask"], None)
            if answer is not None and not answer.done():
                answer.set_result((header, parts))
            return
        if kind in KEPT:
            self._kept[kind] = body
        for viewer in self.viewers:
            if kind != FRAME or viewer.is_looking:
                viewer.put(kind, body)

    def _lose(self, connection: Any) -> None:
        """Say that the learner's process has ended, unless another one has been started."""
        if connection is not self._connection:
            return
        self._process = None
        self._commands.put(None) if not self._commands.full() else None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ValueError("the learner's process has ended"))
        self._answers.clear()
        self._receive(STATE, _state("gone", "The learner's process has ended. Choose a world to start another one."))

    # -- viewers -----------------------------------------------------------------------------------------------------

    def join(self) -> Viewer:
        """Add a viewer, who gets at once all that is kept."""
        viewer = Viewer()
        for kind, body in self._kept.items():
            viewer.put(kind, body)
        self.viewers.add(viewer)
        self._tell_watched(anew=True)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self.viewers.discard(viewer)
        self._tell_watched()

    def look(self, viewer: Viewer, on: bool) -> None:
        """Take note of whether a viewer's page is in sight."""
        viewer.is_looking = on
        self._tell_watched(anew=on)

    def _tell_watched(self, anew: bool = False) -> None:
        """Let the learner know whether anybody looks, and `anew` that somebody has come who has seen nothing yet."""
        watched = any(viewer.is_looking for viewer in self.viewers)
        if self._process is not None and (watched != self._watched or (anew and watched)):
            self._watched = watched
            self.command({"do": "watched", "on": watched})

    # -- commands ----------------------------------------------------------------------------------------------------

    def command(self, command: dict[str, Any]) -> None:
        """Hand a command to the learner; ValueError if it has too many to obey already.

        Where the process has ended, another world starts another one.
        """
        if self._process is None:
            if command["do"] != "reset" or "world" not in command:
                raise ValueError("the learner's process has ended: choose a world to start another one")
            self._request = {name: value for name, value in command.items() if name != "do"}
            self.start()
            self._receive(STATE, self._kept[STATE])
            return
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            raise ValueError(f"{MOST_COMMANDS} commands are waiting already: try again in a moment") from None

    async def ask(self, command: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Hand over a command and return header and parts of its answer; ValueError with the sentence if it went wrong."""
        number = next(self._numbers)
        answer = self._answers[number] = self._loop.create_future()
        self.command(command | {"ask": number})
        try:
            header, parts = await asyncio.wait_for(answer, PATIENCE_S)
        finally:
            self._answers.pop(number, None)
        if "error" in header:
            raise ValueError(header["error"])
        return header, parts


def _state(status: str, sentence: str = "") -> bytes:
    return pack({"kind": "state", "status": status, "sentence": sentence, "running": False, "speed": "real"})

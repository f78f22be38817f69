"""The server: the page and its parts, the WebSocket, and files in and out; on this machine only."""

import asyncio
import contextlib
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.resources import files
from json import dumps
from typing import Any

import uvicorn
import websockets  # noqa: F401  uvicorn would miss it later, and say so less well
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from .gallery import GALLERY
from .guard import App, Guard
from .protocol import EVENT, HIDDEN, MODES, MOST_TEXT, SPEEDS, pack, parse_command
from .session import Session, Viewer

MOST_VIEWERS = 64
LARGEST_FILE = 256 * 2**20
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self' {sockets}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def application(session: Session, token: str, port: int) -> App:
    """Return the ASGI application that serves a session to who knows its token."""
    pages = Pages(session, port)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        session.start()
        yield
        session.stop()

    routes = [
        WebSocketRoute("/live", pages.live),
        Route("/save", pages.save, methods=["GET"]),
        Route("/load", pages.load, methods=["POST"]),
        Route("/{name:path}", pages.page, methods=["GET", "HEAD"]),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), token, port)


class Pages:
    """What is served of a session."""

    def __init__(self, session: Session, port: int) -> None:
        self._session = session
        sockets = f"ws://127.0.0.1:{port} ws://localhost:{port}"
        self._headers = HEADERS | {"Content-Security-Policy": POLICY.format(sockets=sockets)}
        self._files = {path.name: path.read_bytes() for path in (files(__package__) / "static").iterdir()}
        self._files["gallery.json"] = dumps(
            {"worlds": [world._asdict() for world in GALLERY], "speeds": SPEEDS, "modes": MODES, "hidden": HIDDEN}
        ).encode()

    async def page(self, request: Request) -> Response:
        """Serve one of the page's own files; nothing else has a name here."""
        name = request.path_params["name"] or "index.html"
        if name not in self._files:
            return self._response(b"", 404)
        kind = KINDS.get(name[name.rfind(".") :], "application/json")
        return self._response(self._files[name], headers={"Content-Type": f"{kind}; charset=utf-8"})

    async def save(self, request: Request) -> Response:
        """Serve the agent's file."""
        try:
            header, parts = await self._session.ask({"do": "save"})
        except ValueError as error:
            return self._response(str(error).encode(), 409)
        disposition = f'attachment; filename="{header["name"]}"'
        return self._response(parts["file"].tobytes(), headers={"Content-Disposition": disposition})

    async def load(self, request: Request) -> Response:
        """Take an agent's file and go on with that agent; tells in JSON what went wrong, if anything did."""
        file = bytearray()
        async for chunk in request.stream():
            file += chunk
            if len(file) > LARGEST_FILE:
                return self._response(b"", 413)
        told = {"error": ""}
        try:
            await self._session.ask({"do": "load", "file": bytes(file)})
        except ValueError as error:
            told = {"error": str(error)}
        return self._response(dumps(told).encode(), headers={"Content-Type": "application/json"})

    def _response(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        return Response(body, status, headers=self._headers | dict(headers or {}))

    # -- the WebSocket -----------------------------------------------------------------------------------------------

    async def live(self, socket: WebSocket) -> None:
        """Send a viewer what is to be seen, and take its commands."""
        if len(self._session.viewers) >= MOST_VIEWERS:
            await socket.close(1013)
            return
        await socket.accept()
        viewer = self._session.join()
        sending = asyncio.create_task(_send_all(socket, viewer))
        try:
            while True:
                message = await socket.receive()
                if message["type"] != "websocket.receive":
                    break
                self._obey(viewer, message.get("text") or message.get("bytes") or "")
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            sending.cancel()
            self._session.leave(viewer)

    def _obey(self, viewer: Viewer, text: Any) -> None:
        try:
            command = parse_command(text)
            if command["do"] == "look":
                self._session.look(viewer, command["on"])
            else:
                self._session.command(command)
        except ValueError as error:
            viewer.put(EVENT, pack({"kind": "event", "event": "error", "sentence": str(error)}))


async def _send_all(socket: WebSocket, viewer: Viewer) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while socket.application_state == WebSocketState.CONNECTED:
            for message in await viewer.take():
                await socket.send_bytes(message)


def serve(
    request: Mapping[str, Any], *, port: int = 0, open_browser: bool = True, say: Callable[[str], None] = print
) -> None:
    """Serve the live page until Ctrl-C.

    Parameters
    ----------
    request
        What to begin with, see `learner.Learner`.
    port
        TCP port on 127.0.0.1; 0: a free one.
    open_browser
        Whether to open the page.
    say
        Gets the page's address.

    Raises
    ------
    OSError
        If the port is taken, or may not be used.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise OSError(f"cannot listen on port {port}: {error.strerror}") from None
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    address = f"http://127.0.0.1:{port}/{token}/"
    app: Any = application(Session(request), token, port)
    server = _Server(
        uvicorn.Config(
            app, ws="websockets-sansio", ws_max_size=4 * MOST_TEXT, ws_max_queue=16, ws_per_message_deflate=False,
            log_level="warning", access_log=False, server_header=False, date_header=False, proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
    )  # fmt: skip

    def started() -> None:
        say(address)
        if open_browser:
            webbrowser.open(address)

    server.when_started = started
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """Calls `when_started` once it listens."""

    when_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self.when_started()

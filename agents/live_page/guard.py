"""The guard: who may reach the server at all."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Lets through who knows the token, calls the server by its own name, and comes from its own page.

    A page elsewhere can make a browser ask for anything here. It does not know the token; it cannot hide its origin, which
    browsers send along with whatever changes something and with every WebSocket; and a name of its own that leads to
    this machine (DNS rebinding) is in the Host header.

    Parameters
    ----------
    app
        What is guarded; it sees paths without the token.
    token
        The first part of every path.
    port
        The server's.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse without a word about why."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif (path := self._path(scope)) is not None and self._is_own(scope):
            await self._app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    def _path(self, scope: Scope) -> str | None:
        """Return the path after the token; None where the token is another one."""
        first, _, rest = unquote(scope["path"]).removeprefix("/").partition("/")
        known = secrets.compare_digest(first.encode(), self._token)
        return f"/{rest}" if known else None

    def _is_own(self, scope: Scope) -> bool:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        origins = headers.get(b"origin", [])
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        return (
            len(headers.get(b"host", [])) == 1
            and headers[b"host"][0] in self._hosts
            and all(origin in self._origins for origin in origins)
            and (not changes or len(origins) == 1)
        )

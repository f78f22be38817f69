"""The live page's server: it serves its own page to who knows the token, and nobody and nothing else disturbs it."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.live_page.protocol import unpack
from live import learner_of, live_server

STATIC = ("", "index.html", "main.js", "style.css", "icon.svg", "gallery.json")


@pytest.fixture(scope="module")
def page():
    with live_server("CartPole-v1", "--hidden", 16, "--seed", 3) as address:
        yield address


def ask(page, path, method="GET", body=None, **headers):
    """Ask for a path exactly as it is written, and return status, headers and body."""
    line = http.client.HTTPConnection(page.host, timeout=30)
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Host": page.host, **headers}.items():
        if value is not None:
            line.putheader(name, value)
    if body is not None:
        line.putheader("Content-Length", str(len(body)))
    line.endheaders(body)
    response = line.getresponse()
    told = response.status, dict(response.getheaders()), response.read()
    line.close()
    return told


async def messages(socket, until, timeout=600):
    """Receive until a header fits, and return it with its parts."""
    async with asyncio.timeout(timeout):
        while True:
            header, parts = unpack(await socket.recv())
            if until(header):
                return header, parts


async def ready(socket):
    return await messages(socket, lambda header: header["kind"] == "state" and header["status"] == "ready")


def viewer(page, **settings):
    return connect(page.live, **{"origin": page.origin, "max_size": None, "close_timeout": 0.5, **settings})


def is_well(page):
    """Whether a newcomer gets the page, and the agent goes on learning."""

    async def look():
        async with viewer(page) as socket:
            await ready(socket)
            header, _ = await messages(socket, lambda header: header["kind"] == "frame")
            await socket.send('{"do": "step"}')
            await messages(socket, lambda later: later["kind"] == "frame" and later["step"] == header["step"] + 1)

    assert ask(page, f"/{page.token}/")[0] == 200
    asyncio.run(look())
    return True


# -- what is served ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STATIC)
def test_the_page_and_its_parts_are_served(page, name):
    status, headers, body = ask(page, f"/{page.token}/{name}")
    assert status == 200
    assert body
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert page.token not in body.decode()


def test_the_page_asks_for_nothing_from_elsewhere(page):
    for name in STATIC:
        body = ask(page, f"/{page.token}/{name}")[2].decode()
        assert (
            "//" not in body.replace("http://www.w3.org/2000/svg", "").replace("// ", "").replace("//\n", "")
            or name == "main.js"
        )


def test_only_this_machine_can_reach_it(page):
    port = int(page.host.rpartition(":")[2])
    other = socket.gethostbyname(socket.gethostname())
    if other.startswith("127."):
        pytest.skip("this machine has no other address")
    with socket.socket() as line:
        line.settimeout(2)
        assert line.connect_ex((other, port)) != 0


# -- what is refused ---------------------------------------------------------------------------------------------------

STRANGE_PATHS = [
    "/", "/index.html", "/live", "/save", "/load", "/wrong/", "/wrong/index.html", "/{0}x/", "//{0}/", "/%00/", "/favicon.ico",
]  # fmt: skip


@pytest.mark.parametrize("path", STRANGE_PATHS)
def test_without_the_token_nothing_is_served(page, path):
    status, headers, body = ask(page, path.format(page.token))
    assert (status, body) == (404, b"")
    assert "content-security-policy" not in headers


TRAVERSALS = [
    "../server.py", "..%2fserver.py", "%2e%2e/server.py", "%2e%2e%2fserver.py", "....//server.py", "..\\server.py",
    "/etc/passwd", "static/../../server.py", "index.html/../../server.py", "%252e%252e%252fserver.py", "index.html%00.js", ".",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_leads_nowhere_else(page, path):
    status, _, body = ask(page, f"/{page.token}/{path}")
    assert (status, body) == (404, b"")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{0}", "", None]
)
def test_another_host_name_is_refused(page, host):
    port = page.host.rpartition(":")[2]
    status, _, body = ask(page, f"/{page.token}/", Host=None if host is None else host.format(port))
    assert status in (400, 404)
    assert b"DynLive" not in body


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://{0}", "http://127.0.0.1:1", "http://{0}.evil.example", None]
)
def test_a_foreign_page_can_change_nothing(page, origin):
    named = {} if origin is None else {"Origin": origin.format(page.host)}
    status, _, body = ask(page, f"/{page.token}/load", "POST", b"x", **named)
    assert (status, body) == (404, b"")

    async def knock():
        headers = {name: value for name, value in named.items()}
        async with connect(page.live, origin=None, additional_headers=headers):
            pass

    with pytest.raises(InvalidStatus, match="403"):
        asyncio.run(knock())


def test_a_websocket_needs_the_token(page):
    async def knock():
        async with connect(page.live.replace(page.token, "wrong"), origin=page.origin):
            pass

    with pytest.raises(InvalidStatus, match="403"):
        asyncio.run(knock())


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(page, method):
    assert ask(page, f"/{page.token}/", method, Origin=page.origin)[0] in (404, 405)


# -- what it bears -----------------------------------------------------------------------------------------------------


def test_oversized_messages_end_the_connection_and_nothing_else(page):
    async def shout():
        async with viewer(page) as socket:
            await socket.send('{"do": "' + "x" * 100_000 + '"}')
            with pytest.raises(ConnectionClosed) as closed:
                await messages(socket, lambda header: False)
            return closed.value.rcvd.code

    assert asyncio.run(shout()) == 1009
    assert is_well(page)


def test_ten_thousand_malformed_messages_do_no_harm(page):
    bad = [
        "nonsense",
        "{}",
        "[]",
        "null",
        '{"do": "fly"}',
        '{"do": "cut"}',
        "\x00",
        '{"do": "turn", "name": 1, "value": 1}',
        "9" * 4000,
    ]

    async def babble():
        told = 0
        async with viewer(page) as socket:
            await ready(socket)

            async def read():
                nonlocal told
                async for message in socket:
                    told += unpack(message)[0].get("event") == "error"

            reading = asyncio.create_task(read())
            for k in range(10_000):
                await socket.send(bad[k % len(bad)] if k % 10 else bytes([k % 256]))
            await asyncio.sleep(0.2)
            reading.cancel()
        return told

    assert 0 < asyncio.run(babble()) <= 10_000
    assert is_well(page)


def test_a_flood_of_commands_is_refused_with_a_sentence_or_obeyed(page):
    async def flood():
        async with viewer(page) as socket:
            await ready(socket)
            for k in range(1_000):
                await socket.send(json.dumps({"do": "turn", "name": "gravity", "value": 5 + k % 10}))
            await socket.send('{"do": "release", "name": "gravity"}')
            await messages(socket, lambda header: header["kind"] == "event")

    asyncio.run(flood())
    assert is_well(page)


def test_fifty_idle_connections_do_no_harm(page):
    host, _, port = page.host.rpartition(":")

    async def idle():
        lines = [socket.create_connection((host, int(port))) for _ in range(50)]
        viewers = [await viewer(page, max_queue=1).__aenter__() for _ in range(50)]
        try:
            await asyncio.to_thread(is_well, page)
        finally:
            for one in viewers:
                one.transport.abort()
            for line in lines:
                line.close()

    asyncio.run(idle())
    assert is_well(page)


# -- files -------------------------------------------------------------------------------------------------------------


def test_an_agent_is_saved_and_loaded(page, tmp_path):
    status, headers, body = ask(page, f"/{page.token}/save")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="cartpole-v1.dynlive"'
    (tmp_path / "agent.dynlive").write_bytes(body)
    saved = DynLiveAgent.load(tmp_path / "agent.dynlive")
    assert (saved.seed, saved.config.network.hidden) == (3, 16)
    status, _, told = ask(page, f"/{page.token}/load", "POST", body, Origin=page.origin)
    assert (status, json.loads(told)) == (200, {"error": ""})
    assert is_well(page)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\0" * 100_000])
def test_what_is_no_agent_is_refused_and_the_present_one_stays(page, body):
    status, _, told = ask(page, f"/{page.token}/load", "POST", body, Origin=page.origin)
    assert status == 200
    assert "is not a DynLive checkpoint" in json.loads(told)["error"]
    assert is_well(page)


# -- the learner's process ---------------------------------------------------------------------------------------------


def test_a_world_that_is_not_there_gets_a_sentence_and_the_agent_stays(page):
    async def ask_for_it():
        async with viewer(page) as socket:
            await ready(socket)
            await socket.send('{"do": "reset", "world": "CartPoole-v1"}')
            header, _ = await messages(socket, lambda header: header.get("event") == "error")
            return header["sentence"]

    assert "Did you mean: `CartPole`" in asyncio.run(ask_for_it())
    assert is_well(page)


def test_where_nobody_looks_no_frames_are_made(page):
    async def look():
        async with viewer(page) as socket:
            await ready(socket)
            await socket.send('{"do": "run"}')
            await messages(socket, lambda header: header["kind"] == "frame")
            await socket.send('{"do": "look", "on": false}')
            await asyncio.sleep(1.0)
            while True:  # what was on its way
                try:
                    async with asyncio.timeout(0.5):
                        await socket.recv()
                except TimeoutError:
                    break
            await socket.send('{"do": "look", "on": true}')
            header, _ = await messages(socket, lambda header: header["kind"] == "frame")
            await socket.send('{"do": "pause"}')
            return header["step"]

    assert asyncio.run(look()) > 10  # it went on learning


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells a process's children")
def test_a_learner_that_dies_is_replaced_by_another_world(page):
    async def kill_it():
        async with viewer(page) as socket:
            await ready(socket)
            os.kill(learner_of(page), signal.SIGKILL)
            header, _ = await messages(socket, lambda header: header["kind"] == "state" and header["status"] == "gone")
            assert "process has ended" in header["sentence"]
            await socket.send('{"do": "run"}')
            await messages(socket, lambda header: header.get("event") == "error")
            await socket.send('{"do": "reset", "world": "CartPole-v1", "mode": "rehearsal", "seed": 3, "hidden": 16}')
            await ready(socket)

    asyncio.run(kill_it())
    assert is_well(page)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["CartPoole-v1"], "cannot make environment 'CartPoole-v1'"),
        (["CartPole-v1", "--port", "99999"], "--port must be from 0 to 65535, not 99999"),
        (["CartPole-v1", "--hidden", "7"], "invalid choice"),
        ([__file__], "is not a DynLive checkpoint"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, says, capsys):
    from dynlive_rl.cli import main

    try:
        status = main(["live", *arguments, "--no-browser"])
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_a_taken_port_gets_one_sentence(page, capsys):
    from dynlive_rl.cli import main

    assert main(["live", "--no-browser", "--port", page.host.rpartition(":")[2]]) == 2
    assert "cannot listen on port" in capsys.readouterr().err


def test_a_file_goes_on(tmp_path):
    file = tmp_path / "agent.dynlive"
    DynLiveAgent("CartPole-v1", seed=9).learn(40, progress_bar=False).save(file)

    async def look(page):
        async with viewer(page) as socket:
            state, _ = await ready(socket)
            frame, _ = await messages(socket, lambda header: header["kind"] == "frame")
            return state["seed"], state["hidden"], frame["step"]

    with live_server(file) as address:
        assert asyncio.run(look(address)) == (9, 128, 41)


def test_without_the_extra_the_command_says_what_is_missing():
    code = (
        "import sys\nsys.modules['uvicorn'] = None\nfrom dynlive_rl.cli import main\n"
        "sys.exit(main(['live', '--no-browser']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "dynlive: the live page needs uvicorn: pip install 'dynlive-rl[live]'\n",
    )

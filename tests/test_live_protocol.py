"""What goes between learner, server and page: messages are what was packed, and only commands are commands."""

import json
import threading
import time
from multiprocessing import Pipe
from types import SimpleNamespace

import numpy as np
import pytest

from dynlive_rl.agents.live_page.history import MOST_POINTS, History
from dynlive_rl.agents.live_page.mailbox import Mailbox
from dynlive_rl.agents.live_page.protocol import COMMANDS, FRAME, MOST_TEXT, NETWORK, pack, parse_command, unpack
from dynlive_rl.agents.live_page.session import Session


def test_what_was_packed_comes_out():
    parts = {
        "few": np.array([1, 2, 3], np.uint8),
        "roots": np.arange(5, dtype=np.uint16),
        "ids": np.array([7, -1], np.int32),
        "curve": np.linspace(0, 1, 3, dtype=np.float32),
        "none": np.zeros(0, np.float32),
        "picture": b"\xff\xd8pixels",
    }
    message = pack({"kind": "frame", "text": "1 − x"}, parts)
    header, found = unpack(message)
    assert (header["kind"], header["text"]) == ("frame", "1 − x")
    assert found["picture"].tobytes() == parts.pop("picture")
    for name, part in parts.items():
        assert found[name].dtype == part.dtype
        np.testing.assert_array_equal(found[name], part)


def test_parts_lie_where_a_page_can_read_them_as_numbers():
    message = pack({"a": "ü"}, {"odd": b"123", "wide": np.ones(2, np.float32)})
    header, _ = unpack(message)
    at = 4 + int.from_bytes(message[:4], "little")
    for _, _, size in header["parts"]:
        assert at % 8 == 0
        at += size + -size % 8
    assert at == len(message)


def test_numbers_that_json_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        pack({"value": float("nan")})


GOOD = [
    {"do": "run"}, {"do": "speed", "speed": "full"}, {"do": "cut", "neuron": 3, "source": 0}, {"do": "swap", "on": True},
    {"do": "hurt", "what": "neurons", "share": 0.3}, {"do": "turn", "name": "gravity", "value": 12.5}, {"do": "reset"},
    {"do": "reset", "world": "CartPole-v1", "mode": "live", "seed": 2**32 - 1, "hidden": 64}, {"do": "look", "on": False},
]  # fmt: skip


@pytest.mark.parametrize("command", GOOD)
def test_commands_are_understood(command):
    assert parse_command(json.dumps(command)) == command


BAD = [
    ("nonsense", "must be JSON, not 'nonsense'"),
    ("[" * 2000, "must be JSON"),
    ("x" * (MOST_TEXT + 1), "at most 4096 characters"),
    (b"{}", "must be a text"),
    ("[]", "must be an object whose 'do' is one of run, pause"),
    ('{"do": "fly"}', "'do' is one of"),
    ('{"do": ["run"]}', "'do' is one of"),
    ('{"do": "run", "now": 1}', "run takes no 'now'"),
    ('{"do": "save"}', "'do' is one of"),
    ('{"do": "load", "file": "/etc/passwd"}', "'do' is one of"),
    ('{"do": "cut", "neuron": 3}', "cut needs source"),
    ('{"do": "cut", "neuron": true, "source": 1}', "neuron must be a whole number from 0 to 2147483647, not True"),
    ('{"do": "kill", "neuron": -1}', "neuron must be a whole number"),
    ('{"do": "hurt", "what": "neurons", "share": 1.5}', "share must be a number from 0 to 0.9, not 1.5"),
    ('{"do": "hurt", "what": "neurons", "share": NaN}', "share must be a number"),
    ('{"do": "speed", "speed": "warp"}', "speed must be one of 'slow', 'real', 'fast', 'full', not 'warp'"),
    ('{"do": "speed", "speed": {}}', "speed must be one of"),
    ('{"do": "swap", "on": 1.0}', "on must be one of"),
    ('{"do": "reset", "seed": 1e3}', "seed must be a whole number"),
    ('{"do": "reset", "world": ""}', "world must be a text of 1 to 200 characters"),
    ('{"do": "turn", "name": "gravity", "value": 1e999}', "value must be a number"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_anything_else_gets_one_sentence(text, says):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        parse_command(text)
    assert says in str(caught.value)


def test_every_command_has_an_example():
    assert COMMANDS.keys() == {one["do"] for one in GOOD} | {"pause", "step", "show", "kill", "release"}


def test_a_mailbox_never_lets_its_owner_wait_and_keeps_the_newest():
    reader, writer = Pipe(duplex=False)
    mail = Mailbox(writer)
    body = bytes(300_000)  # more than a pipe holds: the first one is stuck until somebody reads
    start = time.perf_counter()
    for k in range(1_000):
        mail.replace(b"F", lambda k=k: k.to_bytes(4, "little") + body)
        mail.put(b"E", lambda k=k: k.to_bytes(4, "little"))
    assert time.perf_counter() - start < 5
    received = []
    closing = threading.Thread(target=mail.close)
    closing.start()
    while not received or int.from_bytes(received[-1][1:5], "little") < 999 or received[-1][:1] != b"F":
        assert reader.poll(10)
        received.append(reader.recv_bytes())
    closing.join()
    frames = [one for one in received if one[:1] == b"F"]
    assert len(frames) <= 3
    assert len([one for one in received if one[:1] == b"E"]) <= 2 * 64 + 2


def test_a_frame_never_overtakes_the_network_that_it_is_of():
    reader, writer = Pipe(duplex=False)
    mail, busy = Mailbox(writer), threading.Event()
    mail.put(b"E", lambda: b"" if busy.wait(10) else b"late")  # the others wait meanwhile
    while mail._queue:
        time.sleep(0.001)
    for kind, body in ((b"F", b"old"), (b"N", b"network"), (b"F", b"new")):
        mail.replace(kind, lambda body=body: body)
    busy.set()
    assert [reader.recv_bytes() for _ in range(3)] == [b"E", b"Nnetwork", b"Fnew"]
    mail.close()


def test_a_session_hands_frames_on_in_their_place():
    """The event loop gets to it when several messages have come: of frames in a row the last one is left."""
    sent = [(FRAME, b"1"), (FRAME, b"2"), (NETWORK, b"network"), (FRAME, b"3"), (FRAME, b"4")]
    waiting, handed = [], []
    messages = iter([kind + body for kind, body in sent])
    session = Session({})
    session._loop = SimpleNamespace(call_soon_threadsafe=lambda call, *given: waiting.append((call, given)))
    session._receive = lambda kind, body: handed.append((kind, body))
    session._lose = lambda connection: None
    session._receive_all(SimpleNamespace(recv_bytes=lambda: next(messages, None)), None)
    for call, given in waiting:
        call(*given)
    assert handed == [(FRAME, b"2"), (NETWORK, b"network"), (FRAME, b"4")]


def test_what_cannot_be_packed_stops_nobody(caplog):
    reader, writer = Pipe(duplex=False)
    mail = Mailbox(writer)
    mail.put(b"E", lambda: pack({"value": float("inf")}))
    mail.put(b"E", lambda: b"next")
    assert reader.recv_bytes() == b"Enext"
    mail.close()
    assert "could not be packed" in caplog.text


def test_a_history_stays_small_and_keeps_its_mean():
    history = History()
    returns = np.random.default_rng(0).normal(size=20_000)
    for step, one in enumerate(returns):
        history.add_episode(step, one)
    points = history.episodes.points
    assert MOST_POINTS <= len(points) <= 2 * MOST_POINTS
    assert np.all(np.diff(points[:, 0]) > 0)
    assert points[:, 1].mean() == pytest.approx(returns.mean(), abs=0.02)
    assert history.mean_return == pytest.approx(returns[-10:].mean())


def test_a_turned_handle_leaves_one_entry():
    history = History()
    history.add_intervention(5, "turn", "Gravity 9", key="gravity")
    history.add_intervention(6, "turn", "Gravity 12", key="gravity")
    history.add_intervention(7, "cut", "Cut")
    history.add_intervention(8, "turn", "Gravity 3", key="gravity")
    assert [one.step for one in history.interventions] == [6, 7, 8]

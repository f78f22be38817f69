"""The learner's process: it learns, obeys commands between two steps, and puts what is to be seen into its mailbox."""

import io
import os
import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dynlive_rl.agents.reports import Report
from dynlive_rl.envs import load_plugins

from . import messages
from .history import History
from .mailbox import Mailbox
from .protocol import ANSWER, EVENT, FRAME, HISTORY, NETWORK, STATE, pack
from .student import Choice, Student, last_returns, loaded_student, new_student, saved_bytes

FRAME_S, SAMPLE_S, REST_S, SHORTEST_S = 1 / 30, 0.5, 0.25, 0.005
FIRST_PACE = 50.0  # steps a second, until it is known
SLOW_STEPS, FAST_FACTOR = 4.0, 10.0
UNTIL_TOLD = 10**9  # steps


class Learner:
    """Owns an agent and its environment, in a process of its own.

    Parameters
    ----------
    connection
        Commands come in here as dictionaries; messages go out.
    request
        What to begin with: {"file": path}, or what a `student.Choice` is made of.
    """

    def __init__(self, connection: Connection, request: Mapping[str, Any]) -> None:
        self._connection, self._request = connection, request
        self._mail = Mailbox(connection)
        self._status, self._sentence = "starting", ""
        self._running, self._watched, self._speed = False, False, "real"
        self._next_frame = self._next_sample = self._next_step = 0.0
        self._sampled = 0, 0.0  # step and time of the last sample
        self._rate = 0.0
        self._full_pace = FIRST_PACE
        self._student: Student | None = None
        self._history = History()

    def work(self) -> None:
        """Learn and obey until the server has gone."""
        try:
            try:
                self._open(self._request)
            except Exception as error:
                self._announce("failed", _sentence(error))
            while True:
                self._obey_all(wait=not self._running)
                if self._running and self._speed == "full":
                    self._learn_at_full_speed()
                elif self._running:
                    self._learn(UNTIL_TOLD, self._after_step)
        except (EOFError, OSError):
            pass
        finally:
            self._mail.close()

    @property
    def _present(self) -> Student:
        if self._student is None:
            raise ValueError("there is no agent yet: choose a world")
        return self._student

    # -- learning ----------------------------------------------------------------------------------------------------

    def _learn(self, steps: int, callback: Callable[[Report], bool | None] | None) -> None:
        """Learn for so many steps, or until the callback ends it or something goes wrong."""
        agent = self._present.agent
        try:
            agent.learn(steps, callback=callback, reset_num_timesteps=False, progress_bar=False)
        except EOFError:
            raise
        except Exception as error:
            self._running = False
            self._announce("stopped", f"Learning stopped: {type(error).__name__}: {_sentence(error)}")

    def _learn_at_full_speed(self) -> None:
        """Learn until it is time for the next frame, without a thought for the page before that.

        A callback would cost more than a microsecond a step. Of the episodes that ended, the last few are noted.
        """
        agent, start = self._present.agent, time.perf_counter()
        episodes = agent.episodes
        steps = max(1, round(self._full_pace * max(self._next_frame - start, SHORTEST_S)))
        self._learn(steps, None)
        now = time.perf_counter()
        self._full_pace = min(steps / max(now - start, 1e-6), 4 * self._full_pace)
        self._note_episodes(agent.episodes - episodes)
        if now >= self._next_frame:
            self._show(now)

    def _note_episodes(self, count: int) -> None:
        agent = self._present.agent
        for one in last_returns(agent, count):
            self._history.add_episode(agent.num_timesteps, one)

    def _after_step(self, report: Report) -> bool | None:
        """Show how things stand if it is time for that, wait for the next step, and listen for commands."""
        for episode in report.finished:
            self._history.add_episode(report.agent.num_timesteps, episode.episode_return)
        now = time.perf_counter()
        if now >= self._next_frame:
            self._show(now)
        self._next_step = max(self._next_step + 1 / self._pace, now - 0.1)
        wait = max(0.0, self._next_step - time.perf_counter())
        return False if self._connection.poll(wait) else None

    @property
    def _pace(self) -> float:
        """Steps per second that are aimed at."""
        real = self._present.steps_per_second
        return {"slow": SLOW_STEPS, "real": real, "fast": FAST_FACTOR * real}[self._speed]

    def _show(self, now: float) -> None:
        """Put a frame into the mailbox if somebody looks, and a sample into the history from time to time."""
        if now >= self._next_sample:
            self._sample(now)
        self._next_frame = max(self._next_frame + FRAME_S, now) if self._watched else now + REST_S
        if self._watched and not self._mail.is_waiting(FRAME):
            self._send_frame(hurried=self._running and self._speed == "full")

    def _sample(self, now: float) -> None:
        agent = self._present.agent
        self._next_sample = now + SAMPLE_S
        step, before = self._sampled
        if agent.num_timesteps > step and now - before > SAMPLE_S / 2:
            self._rate = (agent.num_timesteps - step) / (now - before)
            self._sampled = agent.num_timesteps, now
            self._history.add_sample(agent.num_timesteps, agent.td_error_mse, agent.connections, self._rate)
        if self._watched:
            self._send_history()
            self._send_state()

    # -- what is seen ------------------------------------------------------------------------------------------------

    def _send_frame(self, hurried: bool = False) -> None:
        student = self._present
        if student.insight.refresh():
            self._send_network()
        self._mail.replace(FRAME, messages.frame(student, self._history, self._rate if self._running else 0.0, hurried))

    def _send_network(self) -> None:
        self._mail.replace(NETWORK, messages.network(self._present))

    def _send_history(self) -> None:
        header, parts = self._history.message()
        self._mail.replace(HISTORY, lambda: pack(header, parts))

    def _send_state(self) -> None:
        state = messages.state(self._status, self._sentence, self._running, self._speed, self._student)
        self._mail.replace(STATE, state)

    def _send_all(self) -> None:
        if self._student is not None:
            self._send_network()
            self._send_history()
        self._send_state()  # whoever waits for an agent that is ready has not had its frame yet
        if self._student is not None:
            self._send_frame()

    def _announce(self, status: str, sentence: str = "") -> None:
        self._status, self._sentence = status, sentence
        self._send_state()

    def _tell(self, event: str, sentence: str, **more: Any) -> None:
        self._mail.put(EVENT, lambda: pack({"kind": "event", "event": event, "sentence": sentence, **more}))

    # -- beginning ---------------------------------------------------------------------------------------------------

    def _open(self, request: Mapping[str, Any]) -> None:
        """Make another student in place of the one there is; whatever goes wrong leaves that one as it is."""
        self._announce("starting")
        load_plugins()
        if "file" in request:
            file = request["file"]
            student = loaded_student(io.BytesIO(file) if isinstance(file, bytes) else Path(file))
        else:
            student = new_student(Choice(**request))
        self._announce("compiling")
        student.agent.warm_up()
        self._begin(student)

    def _begin(self, student: Student) -> None:
        if self._student is not None:
            self._student.close()
        self._student, self._history = student, History()
        self._running, self._rate, self._full_pace = False, 0.0, FIRST_PACE
        self._status, self._sentence = "ready", ""
        self._next_sample = self._next_step = 0.0
        loaded = student.agent.num_timesteps > 0
        self._learn(1, None)  # there must be an observation to look at
        self._sampled = student.agent.num_timesteps, time.perf_counter()
        self._next_frame = 0.0
        self._send_all()
        self._tell("begun", f"{'A saved' if loaded else 'A new'} agent in {student.world.title}")

    # -- obeying -----------------------------------------------------------------------------------------------------

    def _obey_all(self, wait: bool) -> None:
        while wait or self._connection.poll():
            command = self._connection.recv()
            try:
                self._obey(command)
            except EOFError:
                raise
            except Exception as error:
                self._complain(command, _sentence(error))
            wait = False

    def _complain(self, command: Mapping[str, Any], sentence: str) -> None:
        if self._status in ("starting", "compiling"):
            self._announce("ready" if self._student is not None else "failed", "" if self._student else sentence)
        if "ask" in command:
            self._mail.put(ANSWER, lambda: pack({"ask": command["ask"], "error": sentence}))
        self._tell("error", sentence)

    def _obey(self, command: dict[str, Any]) -> None:
        what = command["do"]
        if what == "watched":
            self._watched = command["on"]
            self._next_frame = self._next_sample = 0.0
            if self._watched:
                self._send_all()
        elif what == "end":
            raise EOFError
        elif what == "reset":
            self._open(self._wanted(command))
        elif what == "load":
            self._open({"file": command["file"]})
            self._mail.put(ANSWER, lambda: pack({"ask": command["ask"]}))
        else:
            orders: dict[str, Callable[[Student, dict[str, Any]], None]] = {
                "run": self._run, "pause": self._pause, "step": self._step, "speed": self._set_speed, "show": self._turn_to,
                "cut": self._cut, "kill": self._kill, "hurt": self._hurt, "swap": self._swap, "turn": self._turn,
                "release": self._release, "save": self._save,
            }  # fmt: skip
            orders[what](self._present, command)
            self._send_state()

    def _wanted(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a new student is made of: what the command says, else as the present one."""
        choice = self._request if self._student is None else self._student.choice._asdict()
        wanted = {name: value for name, value in choice.items() if name != "file"}
        wanted |= {name: value for name, value in command.items() if name != "do"}
        if "world" not in wanted:
            raise ValueError("there is no agent yet: choose a world")
        return wanted

    def _run(self, student: Student, command: dict[str, Any]) -> None:
        self._running = True
        self._next_frame = self._next_step = 0.0
        self._sampled = student.agent.num_timesteps, time.perf_counter()
        self._status, self._sentence = "ready", ""

    def _pause(self, student: Student, command: dict[str, Any]) -> None:
        self._running = False
        self._send_frame()

    def _step(self, student: Student, command: dict[str, Any]) -> None:
        self._running = False
        agent, episodes = student.agent, student.agent.episodes
        self._learn(1, None)
        self._note_episodes(agent.episodes - episodes)
        self._send_frame()
        self._send_history()

    def _set_speed(self, student: Student, command: dict[str, Any]) -> None:
        self._speed = command["speed"]
        self._next_step = time.perf_counter()

    def _turn_to(self, student: Student, command: dict[str, Any]) -> None:
        student.insight.show(command["network"])
        self._send_network()
        self._send_frame()

    def _cut(self, student: Student, command: dict[str, Any]) -> None:
        self._damage("cut", lambda: student.cut_connection(command["neuron"], command["source"]))

    def _kill(self, student: Student, command: dict[str, Any]) -> None:
        self._damage("kill", lambda: student.kill_neuron(command["neuron"]))

    def _hurt(self, student: Student, command: dict[str, Any]) -> None:
        self._damage("hurt", lambda: student.hurt(command["what"], command["share"]))

    def _damage(self, event: str, do: Callable[[], str]) -> None:
        """Do damage, and tell what the agent made of the present observation before and makes of it now."""
        insight = self._present.insight
        before = messages.numbers(insight.opinion().policy)
        sentence = do()
        self._intervene(event, sentence, before=before, after=messages.numbers(insight.opinion().policy))
        self._send_frame()

    def _swap(self, student: Student, command: dict[str, Any]) -> None:
        student.handles.swap(command["on"])
        self._intervene("swap", "Actions are swapped" if command["on"] else "Actions are as they were", key="swap")

    def _turn(self, student: Student, command: dict[str, Any]) -> None:
        name = command["name"]
        value = student.handles.turn(name, command["value"])
        handle = student.handles.by_name[name]
        self._intervene("turn", f"{handle.label} {value:.3g} {handle.unit}".strip(), key=name)

    def _release(self, student: Student, command: dict[str, Any]) -> None:
        name = command["name"]
        student.handles.release(name)
        self._intervene("turn", f"{student.handles.by_name[name].label} as it was", key=name)

    def _intervene(self, event: str, sentence: str, key: str = "", **more: Any) -> None:
        step = self._present.agent.num_timesteps
        self._history.add_intervention(step, event, sentence, key)
        self._tell(event, sentence, step=step, mean_return=self._history.mean_return, **more)
        self._send_history()

    def _save(self, student: Student, command: dict[str, Any]) -> None:
        file = saved_bytes(student.agent)
        name = f"{student.world.id.rpartition('/')[2].lower()}.dynlive"
        self._mail.put(ANSWER, lambda: pack({"ask": command["ask"], "name": name}, {"file": file}))


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def main(connection: Connection, request: Mapping[str, Any]) -> None:
    """Run the learner's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server says when to stop
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    Learner(connection, request).work()

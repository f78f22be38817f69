"""Training as `dynlive train` does it: the agent made or loaded, its run begun, learned and told of."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from dynlive_rl.agents import DynLiveAgent, Report
from dynlive_rl.agents.environments import Environment, make, make_several, spec_of
from dynlive_rl.agents.modes import CONFIGS
from dynlive_rl.agents.progress_bar import ProgressBar, is_shown, summary

from .runs import Plan, RunFolder, session_now, tables
from .session import Schedule, Session, children_ignore_interrupts, signals_stop

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

    from dynlive_rl.agents.pictures import LearningRecord

EVALUATION_SEEDS = 1_000_000  # after the run's seed: episodes that it does not begin with itself


def train(options: argparse.Namespace, folder: RunFolder, plan: Plan, steps: int, resumes: bool) -> dict[str, Any]:
    """Train until an agent has learned from so many steps in all, or a signal ends it; returns what is to be told."""
    start = time.perf_counter()
    env, spec = _environment(plan)
    with closing(env), folder.locked():
        if not (resumes or options.force):
            folder.need_free()  # now that nobody else can begin one
        agent = _agent(folder, plan, env, resumes)
        record = None
        if agent.num_timesteps < steps or not resumes:
            if options.pictures:
                record = _record(agent, steps - agent.num_timesteps)
            _begin(folder, plan, options, steps, agent, resumes)
            agent.warm_up()
        compile_s = time.perf_counter() - start
        start = time.perf_counter()
        with tables(folder, agent.num_timesteps, options.eval_every is not None) as (progress, evaluations):
            seed = plan.seed + EVALUATION_SEEDS
            session = Session(agent, folder, _schedule(options), progress, evaluations, spec, seed)
            _learn(options, session, steps, record)
        wall_s = time.perf_counter() - start
        if record is not None:
            record.draw(folder.path)
    return _told(options, folder, plan, session, steps, wall_s, compile_s)


def _environment(plan: Plan) -> "tuple[Environment, EnvSpec]":
    """Make what is learned in, and return what makes one like it."""
    one = make(plan.env, **plan.env_kwargs)
    spec = spec_of(one)
    assert spec is not None  # made from an id
    if plan.vector is None:
        return one, spec
    one.close()
    with children_ignore_interrupts():
        return make_several(spec, plan.n_envs, plan.vector), spec


def _agent(folder: RunFolder, plan: Plan, env: Environment, resumes: bool) -> DynLiveAgent:
    if resumes:
        return DynLiveAgent.load(folder.agent, env=env)
    return DynLiveAgent(env, mode=plan.mode, seed=plan.seed, config=CONFIGS[plan.mode](**plan.config))  # type: ignore[arg-type]


def _begin(
    folder: RunFolder, plan: Plan, options: argparse.Namespace, steps: int, agent: DynLiveAgent, resumes: bool
) -> None:
    """Write what is run from now on, and the agent as it is, so that the run can go on whatever happens."""
    now = session_now(agent.num_timesteps)
    sessions = [now]
    if resumes:
        before = folder.read()[1]["sessions"]
        sessions = [*before, now]
        _warn_of_versions(before[-1]["versions"], now["versions"])
        folder.drop_checkpoints_after(agent.num_timesteps)
    else:
        folder.clear()
        agent.save(folder.agent)
        if options.seed is None and not options.json:
            print(f"seed {plan.seed}", flush=True)
    names = ("checkpoint_every", "keep", "eval_every", "eval_episodes")
    schedule = {name: getattr(options, name) for name in names}
    more = {"steps": steps, "schedule": schedule, "threads": options.threads, "step_timeout": options.step_timeout}
    folder.write(plan, more, sessions)


def _warn_of_versions(before: dict[str, str], now: dict[str, str]) -> None:
    changed = [f"{name} {old} → {now[name]}" for name, old in before.items() if now.get(name, old) != old]
    if changed:
        said = f"other versions than before: {', '.join(changed)}; it may not go on to the last bit"
        print(f"dynlive: warning: {said}", file=sys.stderr)


def _schedule(options: argparse.Namespace) -> Schedule:
    return Schedule(
        checkpoint_every=options.checkpoint_every,
        keep=options.keep or 5,
        eval_every=options.eval_every,
        eval_episodes=options.eval_episodes or 10,
    )


def _learn(options: argparse.Namespace, session: Session, steps: int, record: "LearningRecord | None") -> None:
    agent = session.agent
    with signals_stop(session), _limited(agent, options.step_timeout) as (stop_clock, start_clock):
        session.begin()
        done = agent.num_timesteps
        if session.stopped is not None or done >= steps:
            return
        bar = ProgressBar(agent, steps, done, says_end=False) if is_shown(None) and not options.json else False
        watches_all = record is not None or options.step_timeout is not None
        try:
            start_clock()
            agent.learn(
                steps - done,
                callback=_callback(session, record, stop_clock, start_clock) if watches_all else session,
                reset_num_timesteps=False,
                progress_bar=bar,
            )
        finally:
            stop_clock()
            session.save()  # what was learned is kept, whatever the environment does


def _callback(
    session: Session,
    record: "LearningRecord | None",
    stop_clock: Callable[[], object],
    start_clock: Callable[[], object],
) -> Callable[[Report], bool | None]:
    """Return what is called after every step, for what has to know of all of them."""

    def follow(report: Report) -> bool | None:
        stop_clock()
        if record is not None:
            record(report)
        is_event = report.finished or report.agent.num_timesteps >= session.next_step
        answer = session(report) if is_event else None
        start_clock()
        return answer

    return follow


@contextmanager
def _limited(agent: DynLiveAgent, seconds: float | None) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Yield what stops the clock, and what starts it anew for a step; TimeoutError ends one that takes too long."""
    if seconds is None:
        yield (lambda: None), (lambda: None)
        return

    def end_step(*_: object) -> None:
        raise TimeoutError(f"step {agent.num_timesteps + 1} of the environment took longer than {seconds:g} s")

    def stop_clock() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def start_clock() -> None:
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, end_step)
    try:
        yield stop_clock, start_clock
    finally:
        stop_clock()
        signal.signal(signal.SIGALRM, before)


def _record(agent: DynLiveAgent, steps: int) -> "LearningRecord":
    from dynlive_rl.agents.pictures import LearningRecord
    from dynlive_rl.drawing import require_pyplot

    require_pyplot()  # says what is missing before the training
    return LearningRecord(agent, steps)


def _told(
    options: argparse.Namespace,
    folder: RunFolder,
    plan: Plan,
    session: Session,
    steps: int,
    wall_s: float,
    compile_s: float,
) -> dict[str, Any]:
    """Tell how it ended, and return it for `--json`."""
    agent = session.agent
    stopped = session.stopped if agent.num_timesteps < steps else None
    if not options.json:
        print(summary(agent, session.returns, wall_s))
        if stopped is None:
            print(f"wrote {folder.agent}")
        else:
            print(f"stopped by {stopped.name}, all is saved: dynlive train --resume --out {folder.path} goes on")
    return {
        "env": plan.env,
        "agent": "dynlive" if plan.mode == "rehearsal" else f"dynlive-{plan.mode}",
        "seed": plan.seed,
        "steps": agent.num_timesteps,
        "episodes": agent.episodes,
        "mean_return": sum(session.returns) / len(session.returns) if session.returns else None,
        "wall_s": round(wall_s, 3),
        "compile_s": round(compile_s, 3),
        "connections": agent.connections,
        "checkpoint": str(folder.agent),
        "stopped": None if stopped is None else stopped.name,
    }

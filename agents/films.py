"""Watching an agent act, in a window or as a film. Needs the extra `viz`."""

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dynlive_rl.drawing import NetworkPicture, require_pyplot

from .environments import check_spaces, make, spec_of
from .masks import mask_of
from .names import names
from .true_rewards import take_statistics

if TYPE_CHECKING:
    from .agent import DynLiveAgent

FRAMES_PER_SECOND = 25


def watch(
    agent: "DynLiveAgent",
    *,
    env: EnvSpec | str | None = None,
    gif: str | PathLike[str] | None = None,
    seed: int | None = None,
    episodes: int = 1,
    steps: int = 500,
) -> list[float]:
    """Show the agent acting with its best actions: in a window, or without one in a GIF, with its network beside it.

    A live agent's cells are too many to show: its GIF has the environment alone.

    Parameters
    ----------
    agent
        The agent.
    env
        Environment id or spec; default: the one it was trained in.
    gif
        File to write (.gif, or .mp4 with ffmpeg) instead of opening a window.
    seed
        Seed of the first episode.
    episodes
        Number of episodes.
    steps
        An episode is broken off after so many.

    Returns
    -------
    list of float
        Return of every episode.

    Raises
    ------
    ValueError
        If the environment cannot be rendered.
    """
    if gif is not None:
        require_pyplot()  # says what is missing
    chosen = make_like(agent, env, "human" if gif is None else "rgb_array")
    returns: list[float] = []
    try:
        if gif is None:
            for k in range(episodes):
                played = play(agent, chosen, seed if k == 0 else None, steps)
                returns.append(sum(reward for _, reward in played))
        else:
            rate = chosen.metadata.get("render_fps") or FRAMES_PER_SECOND
            skip = max(1, round(rate / FRAMES_PER_SECOND))
            shown = _film(agent, chosen, returns, seed, episodes, steps, skip)
            write_film(gif, shown, frames_per_second=rate / skip)
    except DependencyNotInstalled as error:
        raise ValueError(f"{chosen} cannot be shown: {error}") from None
    finally:
        chosen.close()
    return returns


def play(
    agent: "DynLiveAgent", env: gym.Env[Any, Any], seed: int | None, steps: int
) -> Iterator[tuple[gym.Env[Any, Any], float]]:
    """Play one episode of the agent's best actions, yielding the environment and the reward after every step."""
    observation, info = env.reset(seed=seed)
    state = None
    for _ in range(steps):
        action, state = agent.predict(observation, state, deterministic=True, action_mask=mask_of(info))
        observation, reward, terminated, truncated, info = env.step(action)
        yield env, float(reward)
        if terminated or truncated:
            break


def _film(
    agent: "DynLiveAgent",
    env: gym.Env[Any, Any],
    returns: list[float],
    seed: int | None,
    episodes: int,
    steps: int,
    skip: int,
) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of the environment with the actor's network beside it, every `skip` steps; fills `returns`."""
    plt = require_pyplot()
    picture = None
    if agent.mode == "live":  # cells by the hundred, and no network of their own: the environment alone
        figure = plt.figure(figsize=(5, 4.4), dpi=64, layout="constrained")
        left = figure.subplots()
    else:
        picture = NetworkPicture(agent.actor, *names(agent))
        picture.size, picture.with_numbers = (5.5, 4.2), False
        figure = plt.figure(figsize=(10, 4.4), dpi=64, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(5, 5))
    left.axis("off")
    screen = None
    try:
        for k in range(episodes):
            returns.append(0.0)
            for step, (_, reward) in enumerate(play(agent, env, seed if k == 0 else None, steps)):
                returns[-1] += reward
                if step % skip:
                    continue
                shown = np.asarray(env.render())
                if screen is None:
                    screen = left.imshow(shown)
                    if picture is not None:
                        picture.draw(right, agent.interaction.learner.activity)
                    title = left.set_title(" ")
                    figure.draw_without_rendering()
                    figure.set_layout_engine("none")  # laid out once: it is slow
                screen.set_data(shown)
                if picture is not None:
                    picture.recolour(agent.interaction.learner.activity)
                title.set_text(f"step {step + 1}, return {returns[-1]:.4g}")
                yield pixels_of(figure)
    finally:
        plt.close(figure)


def make_like(agent: "DynLiveAgent", env: Any, render_mode: str | None) -> gym.Env[Any, Any]:
    """Make a fresh environment that an agent fits, in a render mode; one like its own has the same running statistics."""
    given = agent.get_env() if env is None else env
    if given is None:
        raise ValueError("this agent has no environment to be watched in: pass env=")
    spec = given if isinstance(given, (str, EnvSpec)) else spec_of(given)
    if spec is None:
        raise ValueError(f"{given} does not know how it was made: register it with Gymnasium")
    chosen = make(spec)
    check_spaces(chosen, agent.observation_space, agent.action_space, "this agent")
    modes = chosen.metadata.get("render_modes", [])
    if render_mode is not None:
        chosen.close()
        if render_mode not in modes:
            raise ValueError(f"{chosen} cannot be shown as {render_mode!r}, only as one of {modes}")
        chosen = make(spec, render_mode)
    assert isinstance(chosen, gym.Env)
    if env is None:
        take_statistics(given, chosen)
    return chosen


def pixels_of(figure: Any) -> NDArray[np.uint8]:
    """Return a figure as pixels (height, width, 3)."""
    figure.canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    return pixels


def write_film(
    path: str | PathLike[str], frames: Iterator[NDArray[np.uint8]], frames_per_second: float, total: int | None = None
) -> None:
    """Write frames as they come, `total` in all: a GIF of few colours, or a video. What takes long shows its progress."""
    ending = Path(path).suffix.lower()
    if ending not in (".gif", ".mp4"):
        raise ValueError(f"an animation must be a .gif or .mp4 file, not {str(path)!r}")
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {Path(path).parent}")
    writer: Callable[..., None] = _write_gif if ending == ".gif" else _write_video
    shown = tqdm(
        frames, desc=f"filming {Path(path).name}", unit="frame", total=total, disable=None, leave=False, delay=2
    )
    writer(path, shown, frames_per_second)


def _write_gif(path: str | PathLike[str], frames: Iterator[NDArray[np.uint8]], frames_per_second: float) -> None:
    from PIL import Image

    octree, plain = Image.Quantize.FASTOCTREE, Image.Dither.NONE  # keeps rare colours, and areas of one colour whole
    images = [Image.fromarray(frame).quantize(64, octree, dither=plain) for frame in frames]
    durations = [round(1000 / frames_per_second)] * (len(images) - 1) + [1500]  # time to look at the end
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=True)


def _write_video(path: str | PathLike[str], frames: Iterator[NDArray[np.uint8]], frames_per_second: float) -> None:
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise ValueError(f"writing {path} needs ffmpeg: pip install imageio-ffmpeg, or write a .gif") from None
    import imageio.v3

    imageio.v3.imwrite(Path(path), np.array(list(frames)), fps=frames_per_second, macro_block_size=2)

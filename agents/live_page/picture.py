"""The environment's picture, at a bounded cost."""

import io
import time
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

PATIENCE = 20  # the time between two pictures, in times that one of them takes, while nothing is waited for
LARGEST_SIDE = 640


class Picture(NamedTuple):
    """A picture: pixels (height, width, 3), or lines of text."""

    pixels: NDArray[np.uint8] | None
    text: str = ""


class Camera:
    """Takes pictures of an environment; where it cannot be rendered, `sorry` says why in one sentence.

    Parameters
    ----------
    env
        Made with one of `render_modes`' modes.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self._env = env
        self._next = 0.0
        self.sorry = ""
        if env.render_mode is None:
            self.sorry = "This world cannot be drawn, but the agent learns in it all the same."

    def take(self, hurried: bool) -> Picture | None:
        """Return a picture; None where there is none, or if the last one is too recent for one who is `hurried`."""
        start = time.perf_counter()
        if self.sorry or (hurried and start < self._next):
            return None
        try:
            shown: Any = self._env.render()
        except Exception as error:
            self.sorry = f"This world cannot be drawn here: {' '.join(str(error).split())}"
            return None
        end = time.perf_counter()
        self._next = end + PATIENCE * (end - start)
        if isinstance(shown, str):
            return Picture(None, shown)
        pixels = np.asarray(shown)
        return Picture(pixels) if pixels.ndim == 3 and pixels.dtype == np.uint8 else None


def mode_for(render_modes: list[str]) -> str | None:
    """Return the mode in which an environment that has these modes can be shown on a page."""
    return next((mode for mode in ("rgb_array", "ansi") if mode in render_modes), None)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels as a JPEG, made smaller where they are many."""
    from PIL import Image

    image = Image.fromarray(pixels[..., :3])
    if max(image.size) > LARGEST_SIDE:
        image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88, subsampling=0)
    return out.getvalue()

"""The gallery: environments worth looking at, what is to be seen there, and plain names for what an agent senses and does."""

from typing import NamedTuple


class World(NamedTuple):
    """An environment in the gallery.

    Attributes
    ----------
    id
        Gymnasium's.
    title, about
        A name, and one or two sentences.
    observations, actions
        Names of an observation's values and of the actions; empty: those that the agent makes of the spaces.
    goal
        A return that a beginner may wait for.
    """

    id: str
    title: str
    about: str
    observations: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    goal: float | None = None


_CART = ("position", "velocity", "angle", "turning")
_PUSH = ("push left", "push right")
_TILES = tuple(f"tile {row + 1}·{column + 1}" for row in range(4) for column in range(4))

GALLERY = (
    World("CartPole-v1", "Cart and pole", "Keep the pole upright by pushing the cart left or right. The place to begin.",
          _CART, _PUSH, 475),
    World("Acrobot-v1", "Acrobot", "Two links hang down; swing the lower end above the line with one weak motor.",
          ("cos upper", "sin upper", "cos lower", "sin lower", "upper turning", "lower turning"),
          ("turn left", "let go", "turn right"), -100),
    World("MountainCar-v0", "Mountain car", "The engine is too weak for the hill: swing back and forth to reach the flag.",
          ("position", "velocity"), ("push left", "coast", "push right"), -110),
    World("Pendulum-v1", "Pendulum", "Swing the pendulum up and hold it there, with as little force as possible.",
          ("cos", "sin", "turning"), ("full left", "no force", "full right"), -200),
    World("FrozenLake-v1", "Frozen lake", "Cross slippery ice to the goal without falling into a hole.",
          _TILES, ("left", "down", "right", "up"), 0.7),
    World("DynLive/DriftCartPole-v0", "Drifting physics", "Length, gravity, force and friction wander slowly, for ever.",
          _CART, _PUSH, 475),
    World("DynLive/JumpCartPole-v0", "Another pole", "Every 5,000 steps the pole has another length, at once.",
          _CART, _PUSH, 475),
    World("DynLive/SwapCartPole-v0", "Swapped actions", "Every 10,000 steps left and right change places.",
          _CART, _PUSH, 475),
    World("DynLive/BlindCartPole-v0", "Dead sensor", "Every 5,000 steps the first sensor dies, or comes back.",
          _CART, _PUSH, 475),
    World("DynLive/RescaledCartPole-v0", "Rescaled sensor", "Every 5,000 steps the angle is told in another unit.",
          _CART, _PUSH, 475),
    World("DynLive/ChangingCartPole-v0", "Everything changes", "Swapped actions, another pole, a dead sensor, in turn.",
          _CART, _PUSH, 475),
    World("DynLive/Chain-v0", "A chain", "Twenty states in a row and one reward, at the far end: patience.",
          (), ("back", "forward"), 0.9),
)  # fmt: skip


def world_of(env_id: str) -> World:
    """Return the gallery's entry for an environment id, or a plain one where there is none."""
    return next((world for world in GALLERY if world.id == env_id), World(env_id, env_id, ""))

"""The physics state of Gymnasium's MuJoCo environments."""

from typing import Any

import numpy as np

from .data import NoDataError, from_json, to_json


def is_mujoco(env: Any) -> bool:
    """Tell whether this is one of Gymnasium's own MuJoCo environments, which keep all their state in MuJoCo's data."""
    kinds = {f"{kind.__module__}:{kind.__qualname__}" for kind in type(env).__mro__}
    return type(env).__module__.startswith("gymnasium.envs.mujoco.") and (
        "gymnasium.envs.mujoco.mujoco_env:MujocoEnv" in kinds
    )


def get_physics(env: Any) -> dict[str, Any]:
    """Return the integration state, and what MuJoCo derived from the state before: rewards look at that."""
    import mujoco

    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.empty(mujoco.mj_stateSize(env.model, kind))
    mujoco.mj_getState(env.model, env.data, state, kind)
    return {"state": to_json(state), "derived": {name: to_json(array) for name, array in _derived(env).items()}}


def set_physics(env: Any, physics: dict[str, Any]) -> None:
    """Put MuJoCo's data where another environment's were."""
    import mujoco

    kind, state = mujoco.mjtState.mjSTATE_INTEGRATION, from_json(physics["state"])
    if state.shape != (mujoco.mj_stateSize(env.model, kind),):
        raise NoDataError("the physics state is that of another model")
    mujoco.mj_setState(env.model, env.data, state, kind)
    mujoco.mj_forward(env.model, env.data)
    mujoco.mj_setState(env.model, env.data, state, kind)  # forward moves what the solver starts from
    derived = _derived(env)
    for name, described in physics["derived"].items():
        array = from_json(described)
        if name in derived and derived[name].shape == array.shape:
            derived[name][...] = array


def _derived(env: Any) -> dict[str, Any]:
    """Return the arrays of fixed size that MuJoCo derives from the state, by name: places, velocities and forces of bodies."""
    sizes = {env.model.nbody, env.model.ngeom, env.model.nsite, env.model.nv, env.model.nu, env.model.nsensordata}
    arrays = {}
    for name in dir(env.data):
        value = None if name.startswith("_") else getattr(env.data, name, None)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim and len(value) in sizes:
            arrays[name] = value
    return arrays

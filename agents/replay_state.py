"""What a rehearsing agent's kernels read and write, as it is before the first step."""

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.layout import new_batch, new_batches, new_workspace
from dynlive_rl.network import Network

from .config import AgentConfig
from .kernels.actor_critic import Agent
from .kernels.experience import Kept, new_experience
from .kernels.novelty import new_visits
from .kernels.progress import RunningRow, new_progress
from .kernels.scaling import new_scaler

OUTCOME_SLOTS = 256  # kinds of actions told apart by their rewards


def new_state(
    critic: Network,
    actor: Network,
    scaled: NDArray[np.int8],
    kept: Kept,
    num_actions: tuple[int, ...],
    environments: int,
    rows: int,
    config: AgentConfig,
    random: NDArray[np.uint64],
    keeps_policy: bool = False,
) -> Agent:
    """Return the state of an agent of e environments, with room for some rows of experience, and none yet for rehearsal.

    scaled (f,), num_actions (d,), kept and keeps_policy: as in `ReplayLearner`; random (4,): the generator's state.
    """
    scaler, sample = new_scaler(scaled)
    return Agent(
        critic=critic.arrays,
        actor=actor.arrays,
        rule=actor.numbers,
        memory=actor.memory,
        rollout_batch=new_batch(actor.arrays, 1, 0),
        minibatches=new_batches(actor.arrays, 1, 0),
        workspace=new_workspace(actor.arrays, 1, 0),
        experience=new_experience(environments, rows, kept, len(num_actions)),
        kept=kept,
        action_offsets=np.cumsum([0, *num_actions]),
        scaler=scaler,
        sample=sample,
        progress=new_progress(),
        recent=np.zeros((2, config.world_change.recent_episodes)),
        outcomes=np.zeros((2, OUTCOME_SLOTS)),
        running=np.zeros((len(RunningRow), environments)),
        visits=new_visits(),
        action_repeat=np.zeros((environments, len(num_actions), 2)),
        action=np.zeros((environments, len(num_actions)), np.int64),
        policy=np.zeros((environments, sum(num_actions) if keeps_policy else 0)),
        forbidden=np.zeros((environments, sum(num_actions)), np.bool_),
        random=random,
    )

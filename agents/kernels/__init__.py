"""Compiled kernels of the agents: they know observations, actions, rewards and episodes, and nothing of Gymnasium.

Read them in this order: `experience` (what is remembered of a step), `slow_neurons` (what a
recurrent agent holds of an episode), `scaling` (observations into [0, 1]), `acting` (the
policy of every action component), `progress` (returns, tasks and clocks), `retrace` (targets and what output neurons are
rewarded with), `actor_critic` (a step of the rehearsing agent); and for live mode `live_layout`, `live_cells`, `live`.

Letters
-------
As in `dynlive_rl.kernels`, and: e environments, f observation features, d action components, a actions of all components,
r rows of experience, l layers of cells.
"""

from pathlib import Path

import dynlive_rl.kernels
from dynlive_rl.kernels.jit import drop_stale_caches

# Kernels compile their callees into themselves: an edit of the network's makes the agents' stale too.
drop_stale_caches(Path(__file__).parent, Path(dynlive_rl.kernels.__file__).parent)

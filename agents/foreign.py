"""What users of stable-baselines3 write and this agent does not have, refused by a sentence that says what to write instead."""

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any

POLICIES = ("MlpPolicy", "CnnPolicy", "MultiInputPolicy", "MlpLstmPolicy", "LinearPolicy")
RATES = "config=AgentConfig(optimisation=OptimisationConfig(actor_rate=…, critic_rate=…))"
DISCOUNT = "config=AgentConfig(optimisation=OptimisationConfig(discount_low=…, discount_high=…))"
INSTEAD = {
    "policy": "the policy is always a dynamic-live network: leave it out",
    "policy_kwargs": "write config=AgentConfig(network=NetworkConfig(hidden=…)) for another network",
    "learning_rate": f"write {RATES}",
    "gamma": f"it follows the length of episodes, within bounds: write {DISCOUNT}",
    "buffer_size": "write config=AgentConfig(rehearsal=RehearsalConfig(memory=…))",
    "learning_starts": "write config=AgentConfig(rehearsal=RehearsalConfig(first_rehearsal=…))",
    "batch_size": "write config=AgentConfig(rehearsal=RehearsalConfig(batch=…))",
    "n_epochs": "write config=AgentConfig(rehearsal=RehearsalConfig(epochs=…))",
    "train_freq": "write config=AgentConfig(rehearsal=RehearsalConfig(rehearse_every=…))",
    "gradient_steps": "write config=AgentConfig(rehearsal=RehearsalConfig(epochs=…))",
    "n_steps": "write config=AgentConfig(rehearsal=RehearsalConfig(segments=…, segment_length=…))",
    "gae_lambda": "write config=AgentConfig(optimisation=OptimisationConfig(trace_decay=…))",
    "tau": "write config=AgentConfig(optimisation=OptimisationConfig(tau=…))",
    "ent_coef": "write config=AgentConfig(exploration=ExplorationConfig(entropy=…))",
    "device": "it runs on the processor: leave it out",
}


def refuse_foreign(maker: Any, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise TypeError if what a class is called with is stable-baselines3's, or nobody's.

    Parameters
    ----------
    maker
        What takes the arguments, `self` first.
    positional, named
        The arguments.
    """
    own = [name for name in signature(maker).parameters if name != "self"]
    if positional and isinstance(positional[0], str) and positional[0] in POLICIES:
        env = f"{positional[1]!r:.60}" if len(positional) > 1 else "env"
        raise TypeError(
            f"there is no {positional[0]!r}, as {INSTEAD['policy']}, and begin with the environment: DynLiveAgent({env}, …)"
        )
    if len(positional) > 1:
        raise TypeError(f"only env is given without its name, but there is {positional[1]!r:.60} too: write its name")
    for name in named:
        if name in own:
            continue
        if name in INSTEAD:
            raise TypeError(f"DynLiveAgent has no {name!r}: {INSTEAD[name]}")
        near = get_close_matches(name, own, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(own)}"
        raise TypeError(f"DynLiveAgent has no {name!r}: {hint}")

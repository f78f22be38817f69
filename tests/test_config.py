"""Configurations: groups of numbers, and what no agent could learn with."""

import numpy as np
import pytest

from dynlive_rl import DynLiveAgent, LearningRule
from dynlive_rl.agents import (
    ActionConfig,
    AgentConfig,
    CellConfig,
    ExplorationConfig,
    LiveConfig,
    LiveExplorationConfig,
    LiveOptimisationConfig,
    NetworkConfig,
    OptimisationConfig,
    RehearsalConfig,
    WorldChangeConfig,
)
from helpers import cart
from networks import refused


@pytest.mark.parametrize(
    ("group", "settings", "message"),
    [
        (RehearsalConfig, {"memory": 63}, "memory must be at least one batch (64), not 63"),
        (RehearsalConfig, {"first_rehearsal": 63}, "first_rehearsal must be at least one batch (64), not 63"),
        (
            RehearsalConfig,
            {"segments": 1, "segment_length": 32},
            "batch must be at most segments · segment_length (32), not 64",
        ),
        (RehearsalConfig, {"rehearsal_half_life": 0.0}, "rehearsal_half_life must be above 0"),
        (OptimisationConfig, {"tau": 0.6}, "tau · boost must be at most 1, not 0.6 · 2.0"),
        (
            OptimisationConfig,
            {"value_gain_low": 90.0},
            "value_gain_low must not be above value_gain_high, but 90.0 > 64.0",
        ),
        (
            OptimisationConfig,
            {"discount_high": 1.0},
            "discount_high must be below 1 and trace_decay at most 1, not 1.0, 0.95",
        ),
        (
            OptimisationConfig,
            {"trace_decay": 1.5},
            "discount_high must be below 1 and trace_decay at most 1, not 0.998, 1.5",
        ),
        (OptimisationConfig, {"warm_up": 0}, "warm_up must be a whole number ≥ 1, not 0"),
        (OptimisationConfig, {"target_fade_floor": 2.0}, "target_fade_floor must be at most 1, not 2.0"),
        (ExplorationConfig, {"max_mean_repeat": 0.0}, "max_mean_repeat must be at least 1, not 0.0"),
        (ExplorationConfig, {"stuck_share": 5.0}, "stuck_share must be in [0, 1], not 5.0"),
        (ExplorationConfig, {"entropy": -0.1}, "entropy must be a finite number ≥ 0, not -0.1"),
        (WorldChangeConfig, {"change_significance": 1.5}, "change_significance must be at most 1, not 1.5"),
        (WorldChangeConfig, {"recent_episodes": 0}, "recent_episodes must be a whole number ≥ 1, not 0"),
        (NetworkConfig, {"hidden": "a"}, "hidden must be a number, not 'a'"),
        (NetworkConfig, {"hidden": 1.5}, "hidden must be a whole number ≥ 1, not 1.5"),
        (NetworkConfig, {"hidden": True}, "hidden must be a number, not True"),
        (NetworkConfig, {"connect": 0.0}, "connect must be in (0, 1], not 0.0"),
        (NetworkConfig, {"gain_low": 99.0}, "gain_low must not be above gain_high, but 99.0 > 48.0"),
        (ActionConfig, {"values_per_component": 1}, "values_per_component must be at least 2, not 1"),
        (CellConfig, {"cells": 0}, "cells must be a whole number ≥ 1, not 0"),
        (CellConfig, {"radius": 0.0}, "radius must be at least 1e-06, not 0.0"),
        (CellConfig, {"usage_span": 1e-9}, "usage_span must be at least 1.0, not 1e-09"),
        (LiveOptimisationConfig, {"discount": 1.0}, "discount must be below 1, not 1.0"),
        (LiveOptimisationConfig, {"trace_decay": 1.5}, "trace_decay must be at most 1, not 1.5"),
        (LiveExplorationConfig, {"entropy": float("nan")}, "entropy must be a finite number ≥ 0, not nan"),
    ],
)
def test_configurations_that_could_not_learn_are_refused(group, settings, message):
    refused(message, group, **settings)


def test_a_rule_must_be_one():
    refused("rule must be a LearningRule, not 'original'", NetworkConfig, rule="original", error=TypeError)
    with pytest.raises(TypeError, match="rule must be a LearningRule, not 'original'"):
        cart().actor.rule = "original"


@pytest.mark.parametrize(
    ("config", "group"),
    [
        (AgentConfig, "rehearsal"),
        (AgentConfig, "optimisation"),
        (AgentConfig, "exploration"),
        (AgentConfig, "world_change"),
        (AgentConfig, "network"),
        (AgentConfig, "actions"),
        (LiveConfig, "cells"),
        (LiveConfig, "optimisation"),
        (LiveConfig, "exploration"),
        (LiveConfig, "world_change"),
        (LiveConfig, "actions"),
    ],
)
def test_a_group_must_be_one(config, group):
    kind = type(getattr(config(), group)).__name__
    refused(f"{group} must be a {kind}, not 3", config, **{group: 3}, error=TypeError)
    with pytest.raises(TypeError, match="unexpected keyword argument 'no_such'"):
        config(**{group: {"no_such": 1}})
    assert config(**{group: {}}) == config()  # as a saved agent has it


def test_numbers_of_any_kind_are_kept_as_what_they_are_meant_to_be():
    rule = LearningRule(step="adam", learning_rate=np.float32(0.5), mature=np.int16(7), decays=np.array([0.5, 0.25]))
    config = AgentConfig(
        network=NetworkConfig(hidden=np.int64(16), rule=rule),
        optimisation=OptimisationConfig(error_clip=30, warm_up=np.float64(5.0)),
    )
    assert [type(x) for x in (config.network.hidden, config.optimisation.error_clip)] == [int, float]
    assert type(config.optimisation.warm_up) is int
    assert config.settings().dtype == AgentConfig().settings().dtype  # the kernels are compiled for types
    assert [type(x) for x in rule.numbers()] == [type(x) for x in LearningRule().numbers()]


def test_nothing_of_a_configuration_can_be_changed():
    with pytest.raises(AttributeError):
        AgentConfig().network.hidden = 3
    with pytest.raises(AttributeError):
        LiveConfig().cells = CellConfig()


def test_modes_and_configurations_go_together():
    refused("mode must be one of 'rehearsal', 'live', not 'dead'", DynLiveAgent, "CartPole-v1", mode="dead")
    message = "mode 'live' takes a LiveConfig as config, not AgentConfig"
    refused(message, cart, mode="live", config=AgentConfig(), error=TypeError)
    message = "mode 'rehearsal' takes a AgentConfig as config, not LiveConfig"
    refused(message, DynLiveAgent, "CartPole-v1", config=LiveConfig(), error=TypeError)

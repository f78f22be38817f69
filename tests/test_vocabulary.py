"""One word for one thing: identifiers that have been replaced are used nowhere any more."""

import ast

import pytest

from sources import identifiers, modules

# What was called so, and what it is called now.
REPLACED = {
    # Network.
    "lay": "write_inputs",
    "lay_inputs": "write_inputs",
    "mark": "update_traces",
    "surprise": "apply_td_error",
    "tag": "trace",
    "tags": "traces",
    "threshold_tag": "threshold_trace",
    "slow": "target",
    "slow_strength": "target_strength",
    "slow_threshold": "target_threshold",
    "slow_policy": "target_policy",
    "slow_rate": "tau",
    "scratch": "workspace",
    "Credit": "Workspace",
    "heard": "readout_weight",
    "listened": "readout_weights",
    "settle": "prune_and_normalise",
    "settle_in": "init_from_example",
    "introduce": "connect_readers",
    "inlined": "jit_inline",
    "summing": "jit_reduction",
    "Plasticity": "the functions of dynlive_rl.editing",
    "on_engine": "MessageNetwork(net)",
    "Engine": "MessageNetwork(net)",
    # Agents.
    "see": "update_scaler",
    "notice": "observe_and_encode",
    "look_again": "refit_scaler",
    "pick": "sample_categorical",
    "choose": "sample_action",
    "keep_track": "update_progress",
    "look_for_structure": "update_reward_statistics",
    "tracked": "progress",
    "worlds": "task_changes",
    "wide": "rollout_batch",
    "narrow": "minibatch",
    "passes": "epochs",
    "Brought": "StepBatch",
    "brought": "step",
    "CONTINUOUS_OPTIONS": "values_per_component",
    "hold": "action_repeat",
    "longest_hold": "max_mean_repeat",
    "anchor": "kl_coefficient",
    "cell_settings": "adjust_settings",
    "give_birth": "recruit_cell",
    "widen": "widen_value_range",
    "start_afresh": "reset_readouts",
    "_be_born_again": "reset_networks",
    "refuse": "raise_invalid",
    "STRUCTURE": "reward_is_informative",
    "TRIED": "entropy_clock",
    "BROKEN_OFF": "last_truncated_below_best",
    "WORLD": "task_start_step",
    "COLLAPSES": "task_changes",
    "SETBACKS": "partial_losses",
}


def replaced_names(tree):
    """Replaced identifiers in source code, with their lines."""
    return [(name, line) for name, line in identifiers(tree) if name in REPLACED]


@pytest.mark.parametrize("name", modules())
def test_no_replaced_name_is_used(name):
    used = replaced_names(modules()[name].tree)
    assert used == [], "; ".join(f"line {line}: {name} is {REPLACED[name]} now" for name, line in used)


@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize(
    "code",
    ["{0} = 1", "x.{0}", "f({0}=1)", "def {0}(): ...", "def f({0}): ...", "class {0}: ...", "from a import {0}",
     "from a import b as {0}", "import a.{0}", "lambda *{0}: 0", "def f(*, {0}=1): ..."],
)  # fmt: skip
def test_a_planted_one_is_found(name, code):
    assert replaced_names(ast.parse(code.format(name))) == [(name, 1)]


def test_words_in_text_and_names_that_contain_one_are_not():
    assert replaced_names(ast.parse('"tag"\nlayers = untagged = marks = 1  # mark')) == []

"""The widgets' Python side: ranges, one clear sentence for a bad option, a repr without addresses, late imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import traitlets
from twins import WIDGETS

from rlhw.policy_gradient import sample_actions
from rlhw.widgets.bandit_race import BanditRace
from rlhw.widgets.baseline_estimates import BaselineEstimates
from rlhw.widgets.best_of_n import BestOfN
from rlhw.widgets.bradley_terry import BradleyTerry
from rlhw.widgets.clipped_surrogate import ClippedSurrogate
from rlhw.widgets.dpo_loss import DPOLoss
from rlhw.widgets.gae_weights import GAEWeights
from rlhw.widgets.gridworld import Gridworld
from rlhw.widgets.importance_weights import ImportanceWeights
from rlhw.widgets.kl_estimators import KLEstimators
from rlhw.widgets.overoptimisation import Overoptimisation
from rlhw.widgets.reward_calibration import RewardCalibration
from rlhw.widgets.softmax_policy import SoftmaxPolicy
from rlhw.widgets.tilted_policy import TiltedPolicy
from rlhw.widgets.token_by_token import TokenByToken
from rlhw.widgets.walk import Walk

FOLDER = Path(__file__).parents[2] / "rlhw/widgets"
every_widget = pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)


def range_problem(name: str, values: list, low: float, high: float, step: float) -> str:
    if (high - low) / step < 5:
        return f"{name} has fewer than 5 steps"
    if not all(low < value < high for value in values):
        return f"{name} starts at an end of its range"
    return ""


@every_widget
def test_every_range_has_five_steps_and_starts_inside(widget):
    ranges = widget.ranges()
    assert ranges
    assert len(widget.option_names()) >= 2
    for name, bounds in ranges.items():
        start = np.atleast_1d(getattr(widget(), name)).tolist()
        assert range_problem(name, start, bounds["min"], bounds["max"], bounds["step"]) == ""
        assert bounds["label"]


def test_the_check_of_ranges_catches_bad_ones():
    assert range_problem("b", [0.0], 0.0, 1.0, 0.1) == "b starts at an end of its range"
    assert range_problem("b", [0.5], 0.0, 1.0, 0.3) == "b has fewer than 5 steps"


@every_widget
def test_the_page_gets_the_ranges_that_python_declares(widget):
    state = widget().page_state()
    assert json.loads(json.dumps(state))["_ranges"] == widget.ranges()
    assert set(widget.option_names()) <= set(state)
    assert state["_esm"] == widget._esm
    assert ".rlhw-widget" in state["_css"]
    assert not {"layout", "tabbable", "_view_name"} & set(state)


@pytest.mark.parametrize(
    ("widget", "options", "sentence"),
    [
        (SoftmaxPolicy, {"logits": [1, 2]}, "SoftmaxPolicy: logits must be a list of 3 numbers, one an arm."),
        (SoftmaxPolicy, {"logits": 1.0}, "SoftmaxPolicy: logits must be a list of 3 numbers, one an arm."),
        (SoftmaxPolicy, {"logits": [9, 0, 0]}, "SoftmaxPolicy: logits must be a number from -4 to 4; got 9."),
        (SoftmaxPolicy, {"reward": float("nan")}, "SoftmaxPolicy: reward must be a number from -2 to 2; got nan."),
        (SoftmaxPolicy, {"reward": "much"}, "SoftmaxPolicy: reward must be a number from -2 to 2; got 'much'."),
        (SoftmaxPolicy, {"action": 3}, "SoftmaxPolicy: action must be one of 0, 1, 2; got 3."),
        (BaselineEstimates, {"samples": 20.5}, "samples must be a whole number from 10 to 240; got 20.5."),
        (BaselineEstimates, {"logits": [0, 1]}, "logits and rewards must have one number an arm each; got 2 and 3."),
        (BaselineEstimates, {"uniforms": [0.5]}, "uniforms must be 240 numbers in [0, 1)"),
        (BradleyTerry, {"temperature": 0}, "BradleyTerry: temperature must be a number from 0.05 to 3; got 0."),
        (BestOfN, {"n": 0}, "BestOfN: n must be a whole number from 1 to 64; got 0."),
        (BestOfN, {"rewards": [1, 2, 3]}, "BestOfN: rewards must be a list of 5 numbers, one an arm."),
        (KLEstimators, {"q": [0.5, 0.5, 0]}, "KLEstimators: q must be a number from 0.02 to 1; got 0."),
        (Overoptimisation, {"way": "dpo"}, "Overoptimisation: way must be one of 'best_of_n', 'rl'; got 'dpo'."),
        (Overoptimisation, {"size": 64}, "Overoptimisation: size must be one of '"),
        (ClippedSurrogate, {"clip": 0.7}, "ClippedSurrogate: clip must be a number from 0.05 to 0.5; got 0.7."),
        (GAEWeights, {"steps": 9}, "GAEWeights: steps must be a whole number from 1 to 8; got 9."),
        (GAEWeights, {"values": [0, 1]}, "GAEWeights: values must be a list of 8 numbers, one a token."),
        (TiltedPolicy, {"beta": 0}, "TiltedPolicy: beta must be a number from 0.05 to 4; got 0."),
        (TiltedPolicy, {"rewards": [1, 2]}, "TiltedPolicy: rewards must be a list of 4 to 5 numbers, one an answer."),
        (TiltedPolicy, {"rewards": [0] * 4}, "weights and rewards must have one number an answer each; got 5 and 4."),
        (DPOLoss, {"loss": "kto"}, "DPOLoss: loss must be one of 'dpo', 'ipo'; got 'kto'."),
        (DPOLoss, {"smoothing": 0.5}, "DPOLoss: smoothing must be a number from 0 to 0.4; got 0.5."),
        (BanditRace, {"means": [0.5, 0.6]}, "BanditRace: means must be a list of 7 numbers, one an arm."),
        (BanditRace, {"arms": 1}, "BanditRace: arms must be a whole number from 2 to 7; got 1."),
        (BanditRace, {"c": -0.1}, "BanditRace: c must be a number from 0 to 2; got -0.1."),
        (ImportanceWeights, {"behavior": 1.2}, "ImportanceWeights: behavior must be a number from 0 to 1; got 1.2."),
        (ImportanceWeights, {"rewards": [1]}, "ImportanceWeights: rewards must be a list of 2 numbers, one an action."),
        (Gridworld, {"rewards": [0] * 20}, "rewards must be a list of 18 numbers, one a cell that is no wall."),
        (Gridworld, {"gamma": 1}, "Gridworld: gamma must be a number from 0.5 to 0.99; got 1."),
        (Gridworld, {"sweeps": 2.5}, "Gridworld: sweeps must be a whole number from 0 to 1400; got 2.5."),
        (Walk, {"n": 3}, "Walk: n must be one of 1, 2, 4, 8, 16; got 3."),
        (Walk, {"run": 0}, "Walk: run must be a whole number from 1 to 50; got 0."),
        (TokenByToken, {"post": 5}, "TokenByToken: post must be one of 0, 1, 2, 3, 4; got 5."),
        (RewardCalibration, {"bins": 2.5}, "RewardCalibration: bins must be a whole number from 2 to 20; got 2.5."),
        (
            RewardCalibration,
            {"reward_model": "few"},
            "reward_model must be one of 'overfit', 'many', 'annotator'; got 'few'.",
        ),
    ],
)
def test_a_bad_option_is_refused_in_one_sentence(widget, options, sentence):
    with pytest.raises(traitlets.TraitError) as refused:
        widget(**options)
    assert sentence in str(refused.value)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match=r"SoftmaxPolicy has no option 'logit'; its options are logits, action, .*\."):
        SoftmaxPolicy(logit=[0, 0, 0])


def test_arrays_and_numpy_numbers_are_taken_as_plain_ones():
    widget = SoftmaxPolicy(logits=np.array([1.0, 0.0, -1.0]), action=np.int64(2))
    assert json.loads(json.dumps(widget.page_state()))["logits"] == [1.0, 0.0, -1.0]
    expected = "SoftmaxPolicy(logits=[1.0, 0.0, -1.0], action=2, show_step=False, step_size=1.0, reward=1.0)"
    assert repr(widget) == expected


def test_two_arms_can_be_had():
    widget = BaselineEstimates(logits=[2.2, 0], rewards=[1, 0])
    assert repr(widget) == "BaselineEstimates(logits=[2.2, 0.0], rewards=[1.0, 0.0], baseline=0.5, samples=120)"


def test_the_stored_uniforms_draw_arms_in_the_library():
    widget = BaselineEstimates()
    assert widget.uniforms == np.random.default_rng(0).random(240).tolist()
    counts = np.bincount(sample_actions(np.array(widget.logits), np.array(widget.uniforms)), minlength=3)
    assert counts.min() > 0


def run_python(code: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": "random"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout


IMPORTS = "; ".join(f"from {widget.__module__} import {widget.__name__}" for widget in WIDGETS)


def test_repr_is_the_same_in_every_process():
    shown = "; ".join(f"w = {widget.__name__}(); print(repr(w), sorted(w.page_state()))" for widget in WIDGETS)
    first, second = run_python(f"{IMPORTS}; {shown}"), run_python(f"{IMPORTS}; {shown}")
    assert first == second
    assert "0x" not in first
    assert [line.partition(") [")[0] + ")" for line in first.splitlines()] == [repr(widget()) for widget in WIDGETS]


def test_importing_the_package_of_widgets_imports_nothing_heavy():
    loaded = run_python("import sys, rlhw.widgets; print(*sys.modules)").split()
    assert not {"anywidget", "ipywidgets", "numpy", "torch", "sympy", "matplotlib"} & set(loaded)


def test_widgets_import_none_of_the_library():
    loaded = run_python(f"{IMPORTS}; import sys; print(*sys.modules)").split()
    allowed = {"rlhw", "rlhw.widgets", "rlhw.widgets.base", *(widget.__module__ for widget in WIDGETS)}
    assert {name for name in loaded if name.startswith("rlhw")} == allowed
    assert not {"torch", "sympy", "matplotlib", "numpy"} & set(loaded)


def test_the_javascript_writes_text_never_markup_and_fetches_nothing():
    host = FOLDER.parents[1] / "book/_assets/widget_host.js"
    for path in [*FOLDER.glob("*.mjs"), host, FOLDER / "base.css"]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "http:",
            "https:",
            "fetch(",
        ):
            assert forbidden not in text, f"{path.name}: {forbidden}"
    style = (FOLDER / "base.css").read_text(encoding="utf-8")
    assert "transition" not in style, "nothing moves by itself"
    assert "animation" not in style, "nothing moves by itself"

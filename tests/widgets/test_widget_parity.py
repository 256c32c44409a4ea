"""Each formula on the page equals its twin in the library, on hundreds of random points; run in Chromium."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from twins import TWINS, WIDGETS, differences, in_python

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "rlhw/widgets"
POINTS = 300
LOAD = """async (source) => {
  window.formulas = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  return Object.keys(window.formulas);
}"""
CALL = "([name, points]) => JSON.stringify(JSON.parse(points).map((point) => window.formulas[name](...point)))"


def exported(source: str) -> set[str]:
    return set(re.findall(r"^export (?:function|const|let|async function|class) (\w+)", source, flags=re.MULTILINE))


def uncovered(names: set[str], twins: dict[str, str]) -> str:
    missing = sorted(names - {"default"} - set(twins))
    return f"exported without a twin: {missing}; name its Python twin in the widget's TWIN" if missing else ""


def in_javascript(page: Page, name: str, points: list[tuple]) -> list:
    """What the JavaScript answers at each of the points; JSON carries every double exactly."""
    return json.loads(page.evaluate(CALL, [name, json.dumps(points)]))


@functools.cache
def in_library(name: str, address: str) -> tuple[list[tuple], list]:
    """The points for a formula and what its twin answers there: asked once, for the right form and for all wrong ones."""
    rng = np.random.default_rng([ord(letter) for letter in name])
    points = [TWINS[name].points(rng) for _ in range(POINTS)]
    return points, in_python(name, address, points)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_each_formula_equals_its_twin(widget, browser_page: Page):
    names = set(browser_page.evaluate(LOAD, widget._esm))
    assert uncovered(names, widget.TWIN) == ""
    assert set(widget.TWIN) == names - {"default"}, "TWIN names a function that the widget does not have"
    for name, address in widget.TWIN.items():
        points, python = in_library(name, address)
        assert differences(name, points, in_javascript(browser_page, name, points), python) == []


# Wrong forms of the formulas: formula, what stands in the JavaScript, and what is put there instead. Every widget has some.
SIGN = ("score", "(arm === action ? 1 : 0) - probability", "probability - (arm === action ? 1 : 0)")
NEARLY = ("score", "Math.exp(logit - highest)", "Math.exp((logit - highest) * (1 + 1e-9))")
UNSHIFTED = ("sigmoid", "(value < 0 ? small : 1) / (1 + small)", "1 / (1 + Math.exp(-value * (1 + 1e-9)))")
SWAPPED = ("bradleyTerryLoss", "Math.max(-margin, 0)", "Math.max(margin, 0)")
WRONG = {
    "SoftmaxPolicy": [SIGN, NEARLY],
    "BaselineEstimates": [SIGN, NEARLY],
    "TokenByToken": [("cumulativeSum", "(sum += value)", "(sum += value * (1 + 1e-9))")],
    "BradleyTerry": [
        UNSHIFTED,
        SWAPPED,
        ("preferenceProbability", "(first - second) / temperature", "(first - second) * temperature"),
        ("bradleyTerryGradient", "-sigmoid(rejected[i] - score)", "-sigmoid(score - rejected[i])"),
    ],
    "AlignedTokens": [("cumulativeSum", "(sum += value)", "(sum += value * (1 + 1e-9))")],
    "Overoptimisation": [
        ("bestOfNForm", "a - b * far", "a + b * far"),
        ("rlForm", "Math.log(far)", "Math.log10(far)"),
        ("peakBestOfN", "a / (2 * b)", "a / b"),
        ("peakRL", "a / b - 1", "a / b"),
    ],
    "BestOfN": [
        ("bestOfNKL", "Math.log(q / reference[i])", "Math.log(reference[i] / q)"),
        ("bestOfNKL", "upper[i - 1] ** n", "0"),
        ("bestOfNReward", "sum ** n", "sum ** (n - 1)"),
        ("withoutTies", "(n - 1) / n", "1 / n"),
        ("tilted", "(rewards[answer] - highest) / beta", "(rewards[answer] - highest) * beta"),
        ("frontierReward", "[0][0] > kl", "[0][0] > kl * (1 + 1e-9)"),
    ],
    "KLEstimators": [
        ("klEstimate", "ratio ** 2 / 2", "ratio ** 2"),
        ("klEstimate", "Math.expm1(-ratio) + ratio", "Math.expm1(ratio) - ratio"),
        ("divergence", "chance / q[i]", "q[i] / chance"),
        ("chiSquare", "(chance - q[i]) ** 2 / q[i]", "(chance - q[i]) ** 2 / chance"),
        ("deviation", "(value - middle) ** 2", "value ** 2"),
        ("drawOutcomes", "uniform < sum", "uniform > sum"),
    ],
    "RewardCalibration": [
        UNSHIFTED,
        SWAPPED,
        ("calibration", "sigmoid(Math.abs(margin))", "sigmoid(margin)"),
        ("calibration", "(p - 0.5) * 2 * bins", "p * bins"),
        ("calibration", "dot(counts, gaps) / margins.length", "mean(gaps)"),
        ("pairAccuracy", "margin < 0 ? 1 - votes[i] : 0.5", "1 - votes[i]"),
        ("meanLoss", "vote * first[i] + (1 - vote) * second[i]", "first[i]"),
    ],
    "ClippedSurrogate": [
        ("clippedSurrogate", "Math.min(ratio * advantages[i], near", "Math.max(ratio * advantages[i], near"),
        ("clippedSurrogate", "Math.max(ratio, 1 - clip)", "ratio"),
        # clipped on both sides whatever the sign: the slip that the words "wrong way" are about
        ("clippedGradient", "(gain > 0 && ratio > 1 + clip)", "Math.abs(ratio - 1) > clip"),
        ("clippedGradient", "far ? 0 : ratio * gain", "far ? 0 : gain"),
    ],
    "GAEWeights": [
        ("nStepWeights", "i + 1 < count ? 1 - lam : 1", "1 - lam"),
        ("nStepEstimates", "gamma ** (i + 1) * (values", "gamma ** i * (values"),
        ("tdErrors", "(values[t + 1] ?? 0)", "(values[t + 1] ?? values[t])"),
        ("tdWeights", "(gamma * lam) ** l", "lam ** l"),
        ("firstAdvantage", "dot(nStepWeights(lam, rewards.length)", "dot(tdWeights(gamma, lam, rewards.length)"),
    ],
    "TiltedPolicy": [
        ("shares", "weight / total", "weight / weights.length"),
        ("tilted", "(rewards[answer] - highest) / beta", "(rewards[answer] - highest) * beta"),
        ("partition", "Math.exp(reward / beta)", "Math.exp(reward)"),
        ("bestObjective", "highest + beta * Math.log", "highest + Math.log"),
        ("relativeEntropy", "p * Math.log(p / second[answer])", "second[answer] * Math.log(p / second[answer])"),
        ("frontier", "dot(policy, rewards))]", "dot(reference, rewards))]"),
    ],
    "Gridworld": [
        ("gridModel", "[3, slip / 2]", "[2, slip / 2]"),
        ("gridModel", "chance * cellRewards[after]", "chance * cellRewards[state]"),
        ("gridModel", 'sign === "G"', 'sign === "!"'),
        ("actionValues", "reward + gamma * dot", "gamma * reward + dot"),
        ("bellmanOptimality", "Math.max(...row));\n}", "mean(row));\n}"),
        ("greedyPolicy", "one / cumulativeSum(best).at(-1)", "one"),  # as if ties were not shared
        ("errorBound", "gamma / (1 - gamma)", "1 / (1 - gamma)"),
        ("greatestChange", "Math.abs(value - second[i])", "(value - second[i])"),
    ],
    "Walk": [
        ("uniformNumbers", "(word << 15) & 0xefc60000", "(word << 15)"),
        ("uniformNumbers", "high * 2 ** 26 + low", "high * 2 ** 26"),
        ("randomWalks", "< 0.5 ? -1 : 1", "< 0.5 ? 1 : -1"),
        ("exactValues", "state / (states + 1)", "state / states"),
        ("nStepTD", "target - table[walk[t]]", "target - values[walk[t]]"),
        ("nStepTD", "Math.min(t + n, length)", "Math.min(t + n - 1, length)"),
        ("nStepTD", "moves - n + 1", "moves - n"),
        ("monteCarlo", "reward(walk, values) - table[state]", "reward(walk, values) - values[state]"),
        ("rootMeanSquare", "values.slice(1, -1).map", "values.slice(1).map"),
    ],
    "DPOLoss": [
        UNSHIFTED,
        SWAPPED,
        ("implicitReward", "beta * (logprob - reference[i])", "beta * logprob - reference[i]"),
        ("dpoLoss", "(1 - smoothing) * loss + smoothing * wrong[i]", "smoothing * loss + (1 - smoothing) * wrong[i]"),
        ("dpoGradient", "smoothing * sigmoid(beta * h) - (1", "-(1"),  # as if smoothing had no second term
        ("ipoLoss", "(h - 1 / (2 * beta)) ** 2", "(h - 1 / beta) ** 2"),
        ("ipoGradient", "pulls.map((pull) => -pull)", "pulls"),
        ("ipoGradient", "2 * (h - 1 / (2 * beta))", "h - 1 / (2 * beta)"),
        ("smoothedOptimum", "share / (1 - share)", "share"),
    ],
    "BanditRace": [
        ("uniformNumbers", "0x9d2c5680", "0x9d2c5600"),
        ("explore", "((1 - epsilon) * one) / ties", "(1 - epsilon) * one"),
        ("upperBounds", "Math.log(t) / counts[arm]", "Math.log(t / counts[arm])"),
        ("upperBounds", "Math.log(t)", "Math.log(t + 1)"),
        ("gaps", "best - mean", "mean - best"),
        ("regret", "cumulativeSum(actions.map((arm) => costs[arm]))", "actions.map((arm) => costs[arm])"),
        ("play", "draws[2 * t + 1] < means[arm]", "draws[2 * t + 1] > means[arm]"),
        ("play", "counts[arm] += 1", "counts[arm] += 2"),
        ("bernoulliKL", "Math.log(p / q)", "Math.log(q / p)"),
        ("laiRobbins", "1 / kl", "kl"),
        ("growth", "constant * Math.log(t)", "constant * t"),
    ],
    "ImportanceWeights": [
        ("uniformNumbers", "0x9908b0df", "0x9908b0de"),
        ("countLaw", "(horizon - k + 1) / k", "1"),
        ("weightsByCount", "chance / behavior[action]", "chance"),
        ("weightVariance", "** horizon - 1", "** horizon"),
        ("weightVariance", "chance ** 2 / behavior[action]", "chance ** 2 / target[action]"),
        ("ordinaryVariance", "** horizon * squareOfSum", "* squareOfSum"),
        ("ordinaryVariance", "(reward - middle) ** 2", "reward ** 2"),
        ("weightedVariance", "rewards.map((reward) => reward - middle)", "rewards"),
        ("perDecisionVariance", "2 * (horizon - t - 1)", "(horizon - t - 1)"),
        ("perDecisionVariance", "moment ** (t + 1)", "moment ** t"),
        ("importanceWeights", "weight *= chance", "weight = chance"),
        ("ordinaryEstimates", "row.at(-1) * total", "row[0] * total"),
        ("perDecisionEstimates", "dot(row, rewards[episode])", "row.at(-1) * total(rewards[episode])"),
        ("weightedEstimate", "/ total(weights.map((row) => row.at(-1)))", "/ weights.length"),
    ],
}


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_a_wrong_formula_is_caught(widget, browser_page: Page):
    """The comparison itself: with one sign flipped in the JavaScript, or one part in 1e9 added, it complains."""
    for name, right, wrong in WRONG[widget.__name__]:
        points, python = in_library(name, widget.TWIN[name])
        source = widget._esm.replace(right, wrong)
        assert source != widget._esm, right
        browser_page.evaluate(LOAD, source)
        caught = differences(name, points, in_javascript(browser_page, name, points), python)
        assert len(caught) > POINTS / 4, wrong


def test_a_formula_without_twin_is_caught():
    names = exported("export function softmax(a) {}\nexport function forgotten(a) {}\nexport default {};")
    assert "forgotten" in uncovered(names, {"softmax": "rlhw.policy_gradient:softmax"})


def test_every_module_exports_only_what_the_table_names():
    found = {path.name: exported(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.mjs")}
    assert found["base.mjs"] == set(), "base.mjs draws; it has no formula to export"
    assert set().union(*found.values()) == set(TWINS)


def test_transcendental_functions_stand_in_exported_functions_only():
    """A formula hidden in the drawing would escape the table: exp and its like may stand only where a twin is named."""
    for path in FOLDER.glob("*.mjs"):
        drawing = re.sub(
            r"^export function .*?^}$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        assert not re.search(r"Math\.(exp|expm1|log|log1p|log2|tanh|pow)\b", drawing), path.name

"""Chapter 6: numbers that its sentences work out in passing, and directions that they read off the cards."""

import math

import numpy as np
import pytest

from benchmarks import never_stops
from benchmarks.small_problem import EPOCHS, PROMPTS, ROLLOUTS, WIDTH, K
from benchmarks.steps_exact import CRITIC_ERROR, FAR, NEAR, RATE, UPDATES
from benchmarks.steps_to_ppo import RATES, SEEDS
from rlhw import cards
from rlhw.ppo_details import DETAILS
from tests.test_prose_numbers import text_of

CHAPTER = "book/06_ppo.md"
CLAIMS = [
    ("forty factors of 1.2 make 1,470", lambda: 1.2**40, 1470, 1),
    (r"$\operatorname{KL} = \log\frac{1}{1/4} = \log 4$", lambda: 1 * math.log(1 / 0.25), math.log(4), 1e-12),
    (
        r"= \frac14\log 2$", lambda: sum(p * math.log(p / q) for p, q in zip((0.25, 0.25, 0.5), (0.5, 0.25, 0.25), strict=True)),
        math.log(2) / 4, 1e-12,
    ),
    (r"$Z = 2$", lambda: np.array([0.5, 0.25, 0.25]) @ [1, 2, 4], 2, 1e-12),
    ("The third hears $0.93$, the first $0.9$", lambda: 1 - 0.07, 0.93, 1e-12),
    ("The third hears $0.93$, the first $0.9$", lambda: -0.05 + 0.02 + 0.93, 0.9, 1e-12),
    (r"$k_1 \approx 0.693$", lambda: math.log(0.5 / 0.25), 0.693, 5e-4),
    (r"$k_2 \approx 0.240$", lambda: math.log(2) ** 2 / 2, 0.240, 5e-4),
    (r"\approx 0.193$", lambda: 0.5 - 1 + math.log(2), 0.193, 5e-4),
    ("the error $0.5$ is cut to $0.2$", lambda: 9 / 6 - 1, 0.5, 1e-12),
    ("One rollout of 48 answers", lambda: len(PROMPTS) * WIDTH * K, 48, 0),
    ("in 24 rollouts for every method", lambda: ROLLOUTS, 24, 0),
    ("Each of 20 seeds", lambda: len(SEEDS), 20, 0),
    ("four updates a rollout", lambda: EPOCHS, 4, 0),
    ("followed for sixteen updates", lambda: UPDATES, 16, 0),
    ("Adam with rate 0.1", lambda: RATE, 0.1, 0),
    ("by a normal error of 0.5", lambda: CRITIC_ERROR, 0.5, 0),
    ("normal noise of 0.2 and of 1.5", lambda: NEAR, 0.2, 0),
    ("normal noise of 0.2 and of 1.5", lambda: FAR, 1.5, 0),
    ("| | rate 0.05 | rate 0.2 |", lambda: RATES["bold"] / RATES["careful"], 4, 1e-9),
]  # fmt: skip


@pytest.mark.parametrize(("words", "number", "stated", "tolerance"), CLAIMS)
def test_number_in_a_sentence(words, number, stated, tolerance):
    assert words in text_of(CHAPTER)
    assert abs(number() - stated) <= tolerance


def entry(name: str, side: str = "value") -> float:
    return cards.read("steps_to_ppo")["metrics"][name][side]


def test_what_each_step_brings():
    text = text_of(CHAPTER)
    assert "At the bold rate leave-one-out is the better of the two, at the careful one it is not" in text
    assert entry("leave_one_out_bold_24") > entry("plain_bold_24")
    assert entry("leave_one_out_careful_24") < entry("plain_careful_24")
    assert "The ratio adds little, and the clip next to nothing" in text
    assert 0 < entry("ratio_careful_24") - entry("again_careful_24") < 0.03
    assert abs(entry("clip_careful_24") - entry("ratio_careful_24")) < 0.01
    assert "Four updates with the ratio alone end *below* the single one" in text
    assert entry("ratio_bold_24") < entry("leave_one_out_bold_24") - 0.03
    assert "That is no better than without any ratio" in text
    assert entry("ratio_bold_24") <= entry("again_bold_24")
    assert "and that is as good as it ever was" in text
    assert entry("one_clip_gain_16") == max(entry(f"one_clip_gain_{n}") for n in range(0, UPDATES + 1, 2))
    assert entry("clip_bold_24") > entry("ratio_bold_24") + 0.1
    assert "The clip does not make the best run better. It makes a bold one safe." in text
    assert entry("clip_bold_24", "low") > entry("ratio_bold_24", "low") + 0.2
    assert abs(entry("clip_bold_24", "high") - entry("ratio_bold_24", "high")) < 0.03
    assert "The critic brings something at the careful rate" in text
    assert entry("critic_careful_24") > entry("clip_careful_24") + 0.02
    assert abs(entry("critic_bold_24") - entry("clip_bold_24")) < 0.01


def test_lambda_trades_bias_for_noise():
    assert "With the right critic $\\lambda = 0$ has no bias and the least noise" in text_of(CHAPTER)
    lambdas = ("0", "05", "09", "095", "1")
    for critic in ("exact", "wrong"):
        noises = [entry(f"lambda_{critic}_{one}_noise") for one in lambdas]
        assert noises == sorted(noises)
    biases = [entry(f"lambda_wrong_{one}_bias") for one in lambdas]
    assert biases == sorted(biases, reverse=True)
    assert entry("lambda_wrong_1_bias", "high") < 1e-9
    assert entry("lambda_exact_0_bias", "high") < 1e-9


def test_the_estimators_near_and_far():
    assert "holds near the reference. Far away it has more" in text_of(CHAPTER)
    assert entry("value_near_k3_sd", "high") < entry("value_near_k1_sd", "low")
    assert entry("value_far_k3_sd", "low") > entry("value_far_k1_sd", "high")
    for name in ("answer_k2_forward", "answer_k3_backward", "to_go_forward"):
        assert entry(f"loss_{name}", "high") < 1e-9
    for name in ("tokens_k2_forward", "tokens_k3_forward", "tokens_k3_backward"):
        assert entry(f"loss_{name}", "low") > 0.1


def test_the_critic_does_not_pay_for_itself_on_the_forum():
    metrics = cards.read("learning")["metrics"]
    assert "The critic does not pay for itself there" in text_of(CHAPTER)
    for kind in ("", "_learned"):
        assert metrics[f"ppo{kind}"]["value"] <= metrics[f"grpo{kind}"]["value"]


def test_which_details_matter():
    metrics, text = cards.read("ppo_ablation")["metrics"], text_of(CHAPTER)
    outside = [
        n for n, e in metrics.items() if n.endswith("_change") and "_table" not in n and e["low"] * e["high"] > 0
    ]
    assert "intervals miss 0, where luck alone would give less than one. They are" in text
    assert sorted(outside) == ["everything_change", "lambda_zero_change", "own_trunk_change"]
    assert metrics["outside"]["value"] == len(outside)
    assert "costs more than everything that was gained" in text
    assert -metrics["lambda_zero_change"]["value"] > metrics["full_share"]["value"]
    assert "The clip's interval is wide and holds 0" in text
    assert metrics["clip_change"]["low"] < -0.5 < 0 < metrics["clip_change"]["high"]
    for name in ("whiten", "grad_norm", "all_blocks", "critic"):
        assert metrics[f"{name}_change"]["low"] < 0 < metrics[f"{name}_change"]["high"]
    assert metrics["value_clip_change"]["high"] == metrics["value_clip_change"]["low"] == 0
    assert "{card}`ppo_ablation outside .0f` of 13 intervals" in text
    assert sum(n.endswith("_change") and "_table" not in n and n != "nothing_change" for n in metrics) == 13


def test_which_details_matter_on_the_table():
    metrics, text = cards.read("ppo_ablation")["metrics"], text_of(CHAPTER)
    changes = {name: metrics[f"{name}_table_change"] for name in DETAILS if f"{name}_table_change" in metrics}
    assert "Half as many epochs change the share by" in text
    assert "Without whitening or without the critic a little is lost" in text
    for name in ("one_epoch", "whiten", "critic", "fixed_beta"):
        assert changes[name]["high"] < 0
    for name in ("four_epochs", "minibatches", "schedule"):
        assert changes[name]["low"] > 0.01
    assert "The largest are all of one kind" in text
    largest = sorted((abs(entry["value"]), name) for name, entry in changes.items() if name != "lambda_zero")[-4:]
    assert {name for _, name in largest} == {"one_epoch", "four_epochs", "minibatches", "schedule"}
    assert "The clip shows nothing here" in text
    assert changes["clip"]["low"] < 0 < changes["clip"]["high"]


def test_never_stopping_is_paid_at_a_small_price():
    metrics, text = cards.read("never_stops")["metrics"], text_of(CHAPTER)
    assert "with every seed *no* answer ends any more" in text
    assert metrics["sum_small_endless"]["low"] == 1
    assert metrics["sum_small_objective"]["low"] > 10
    assert "At the small price its answers end, and gold falls all the same" in text
    assert metrics["last_small_endless"]["high"] == 0
    assert max(metrics[f"{kind}_small_gold"]["high"] for kind in ("sum", "last")) < metrics["clone_gold"]["low"] - 3
    assert "At 0.25 the median answer ends whatever the read-out, and gold stays near the clone's" in text
    for kind in ("sum", "last"):
        assert metrics[f"{kind}_sensible_endless"]["value"] == 0
        assert abs(metrics[f"{kind}_sensible_gold"]["value"] - metrics["clone_gold"]["value"]) < 0.4
    assert "But with one seed of the five, and the sum" in text
    assert metrics["sum_sensible_endless"]["high"] > 0.3
    assert metrics["sum_sensible_gold"]["low"] < -3
    assert (never_stops.ROLLOUTS, never_stops.VOTES) == (40, 256)

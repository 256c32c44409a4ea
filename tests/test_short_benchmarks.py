"""The benchmarks of chapters 6 and 8 at toy sizes: that they run to their cards, and that their figures are what they say."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks import base_runs, frontier, goodhart, goodhart_runs, never_stops, ppo_ablation
from rlhw import cards
from rlhw.pipeline.settings import Clone, Compare, Evaluate

SEEDS = range(5)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A seed whose clone took two small steps."""
    settings = replace(
        base_runs.SETTINGS, out=tmp_path_factory.mktemp("base"), max_new_tokens=12, clone=Clone(posts=16, steps=2, size=8),
        compare=Compare(prompts=12, temperature=base_runs.TAU), evaluate=Evaluate(posts=3, answers=4),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_runs, "POOL", 8)
        # Not ROLLOUTS: it is the default of an argument, bound when the function was defined.
        patch.setattr(base_runs, "grpo", partial(base_runs.grpo, rollouts=1))
        seed = base_runs.base(0, settings)
        base_runs.known(seed)
        yield seed


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Toy sizes everywhere, and cards that go to a folder of the test's."""
    for module, changes in {
        ppo_ablation: {"ROLLOUTS": 1, "PROMPTS": 4, "ANSWERS": 4, "TABLE_SEEDS": SEEDS, "TABLE_ROLLOUTS": 1},
        goodhart_runs: {
            "STEPS": {8: 1, 16: 1}, "SIZES": (8, 16, "gold"), "COUNTS": (1, 2, 4), "ANSWERS": 4, "ROLLOUTS": 3, "POSTS": 2,
            "LOOKS": (1, 2, 3), "ROUND": 8,
        },
        goodhart: {"SIZES": (8, 16, "gold"), "COUNTS": (1, 2, 4), "ROUND": 8, "DATA": tmp_path / "widget.json"},
        never_stops: {"VOTES": 16, "STEPS": 1, "ROLLOUTS": 1, "ANSWERS": 4},
        frontier: {"VOTES": 64, "DPO_SIZE": 4, "PPO_ROLLOUTS": 1, "GRPO_ROLLOUTS": 1, "COUNTS": (2, 4), "ANSWERS": 4},
    }.items():  # fmt: skip
        for name, value in changes.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(cards, "FOLDER", tmp_path)


def card(name, metrics):
    """The card with these metrics, as it would be written: refused where a number is not finite."""
    cards.write(name, name, metrics, seconds=1.0, command="a test", modules=["rlhw.ppo"])
    return cards.read(name)["metrics"]


def test_a_finished_result_is_not_made_again_and_a_stopped_one_leaves_nothing(toy):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.kept("some/result", stopped)
    assert toy.kept("some/result", lambda: {"made": 1}) == {"made": 1} == toy.kept("some/result", stopped)


def test_the_ablation(toy, small):
    runs = {name: [ppo_ablation.forum_run(name, toy)] * 5 for name in ("full", "nothing", "all_blocks", "own_trunk")}
    table = {name: [ppo_ablation.table_run(name, seed) for seed in SEEDS] for name in ("full", "everything")}
    found = card("ppo_ablation", ppo_ablation.forum_metrics(runs) | ppo_ablation.table_metrics(table))
    assert found["nothing_change"]["value"] == pytest.approx(runs["nothing"][0]["share"] - runs["full"][0]["share"])
    differences = [other["share"] - one["share"] for one, other in zip(*table.values(), strict=True)]
    assert found["everything_table_change"]["value"] == pytest.approx(np.mean(differences))
    assert found["answers"]["value"] == 16


def test_goodhart(toy, small):
    run = goodhart_runs.one(toy)
    assert run["rl"]["8"]["kl"][0] == 0
    assert run["best"]["gold"]["gold"] == run["best"]["gold"]["learned"]
    assert run["best"]["gold"]["gold"] == sorted(run["best"]["gold"]["gold"])
    found = card("goodhart", goodhart.metrics_of([run] * 5))
    assert found["best_8_loss"]["value"] == pytest.approx(max(run["best"]["8"]["gold"]) - run["best"]["8"]["gold"][-1])
    data = goodhart.rounded(goodhart.widget_data([run] * 5))
    assert json.loads(json.dumps(data)) == data
    assert data["best_of_n"]["8"]["n"] == [1, 2, 4]
    assert data["rl"]["gold"].keys() == {"kl", "gold", "learned", "gold_low", "gold_high"}
    assert data["fits"]["rl"]["16"].keys() == {"a", "b"}


@pytest.mark.parametrize("way", ["best", "rl"])
def test_the_fit_finds_the_form_that_made_the_points_and_the_other_form_does_not_fit(way):
    kl = np.linspace(0.0, 9.0, 10)
    d = np.sqrt(kl[1:])
    gold = [0.0, *(d * (2.0 - 0.7 * (d if way == "best" else np.log(d))))]
    assert goodhart.fit(way, kl, gold) == pytest.approx((2.0, 0.7, 1.0), abs=1e-9)
    assert goodhart.fit("rl" if way == "best" else "best", kl, gold)[2] < 0.999


def test_the_share_of_pairs_in_order_leaves_equal_gold_out():
    gold, scores = np.array([[1.0, 2.0, 2.0]]), np.array([[0.0, 1.0, -1.0]])
    assert goodhart_runs.ordered(scores, gold) == 0.5
    assert goodhart_runs.ordered(-gold, gold) == 0.0


def test_never_stops(toy, small):
    run = never_stops.one(toy)
    found = card("never_stops", never_stops.metrics_of([run] * 5))
    # After two steps of cloning hardly an answer ends within 12 tokens.
    assert run["clone"]["endless"] > 0.5
    assert run["clone"]["length"] > 6
    apart = run["sum_small"]["gold"] - run["last_small"]["gold"]
    assert found["small_gold_change"]["value"] == pytest.approx(apart)


def test_the_frontier(toy, small):
    run = frontier.one(toy)
    found = card("frontier", frontier.metrics_of([run] * 5))
    assert {f"{method}_{beta}_share" for method in frontier.TRAINED for beta in ("0125", "025", "05")} < found.keys()
    row = run["rows"]["ppo_025"]
    assert sum(row["wins"]) == 3
    gained = row["reward"] - 0.25 * row["kl"] - run["clone"]
    assert found["ppo_025_share"]["value"] == pytest.approx(gained / (run["best"]["0.25"]["jstar"] - run["clone"]))
    # Dearer KL, less of both.
    kl, reward = np.array(run["frontier"]).T
    assert (np.diff(kl) >= 0).all()
    assert (np.diff(reward) >= 0).all()


def test_the_pool_gives_j_star_where_all_answers_are_known():
    rewards = np.array([[0.0, 1.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    plain = base_runs.Pool(rewards, np.zeros_like(rewards))
    best = plain.best(0.5)
    first = 0.5 * np.log(np.exp(rewards[0] / 0.5).mean())
    assert best["jstar_of"] == pytest.approx([first, 2.0], abs=1e-9)
    tilted = np.exp(rewards[0] / 0.5) / np.exp(rewards[0] / 0.5).sum()
    assert best["reward"] == pytest.approx((tilted @ rewards[0] + 2.0) / 2, abs=1e-9)
    assert best["kl"] == pytest.approx((tilted @ np.log(4 * tilted)) / 2, abs=1e-9)


def test_the_pool_weighs_the_answers_of_a_trained_policy_back_to_the_clone():
    """Two answers, the clone at even chances and a policy at 0.1 and 0.9: half the pool of each gives the clone's J*."""

    def answers(shares, ratio):
        which = np.repeat([0, 1], shares)[None]
        log_ratios = np.log(np.array(ratio))[which]
        empty = np.zeros_like(log_ratios)
        return base_runs.Sampled([], which.astype(float), empty, log_ratios, empty)

    clone, trained = answers([5, 5], [0.5 / 0.1, 0.5 / 0.9]), answers([1, 9], [0.1 / 0.5, 0.9 / 0.5])
    both = base_runs.pool(clone, trained, clone.log_ratios)
    values = base_runs.Pool(*(np.repeat(part, 2, 0) for part in (both.rewards, both.log_weights)))
    assert values.best(0.3)["jstar"] == pytest.approx(0.3 * np.log((1 + np.exp(1 / 0.3)) / 2), abs=1e-9)
    wrong = base_runs.pool(clone, trained, -clone.log_ratios)
    assert not np.allclose(wrong.log_weights, both.log_weights)


def test_wins_losses_and_ties():
    assert frontier.wins(np.array([[1.0, 9.0], [0.0, 9.0], [2.0, 9.0]]), np.array([[0.0], [0.0], [3.0]])) == [1, 1, 1]

"""The over-optimisation curves for a GPU, without one: toy sizes run through, and a card says what a hand computation says."""

import copy
import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from replayed import play_graphs

from benchmarks import base_runs, gpu, gpu_clones, gpu_forum, gpu_goodhart, gpu_goodhart_card, pretrain_tiny
from benchmarks.base_runs import TAU
from benchmarks.gpu_clones import TOY, forum, from_scratch
from benchmarks.gpu_forum import World
from rlhw import cards
from rlhw.batches import Batch
from rlhw.captured import Captured
from rlhw.decoding_step import Step
from rlhw.evaluation import best_of_n_kl
from rlhw.pipeline.attained import best_of_n

GOLD = "gold"


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clones")
    for name in TOY.models:
        gpu_clones.clone(TOY, name, folder)
    return folder


@pytest.fixture
def here(clones):
    return gpu_forum.world(TOY, 0, gpu_clones.clone(TOY, TOY.policy, clones))


@pytest.mark.parametrize(("width", "blocks"), [(128, 3), (64, 1)])
def test_a_model_begins_as_the_tiny_one(width, blocks):
    torch.manual_seed(0)
    model, tiny = from_scratch(width, blocks, forum().tokenizer), pretrain_tiny.make_model(forum().tokenizer)
    # 12 L D² in matrices; biases, and gain and bias of two norms.
    assert sum(p.numel() for p in model.transformer.h.parameters()) == blocks * (12 * width**2 + 13 * width)
    half = width // 2
    for block in model.transformer.h:
        queries, keys, _ = block.attn.c_attn.weight.split(width, dim=1)
        assert torch.equal(keys[:, :half], queries[:, :half])
        assert not torch.equal(keys[:, half:], queries[:, half:])
        # What a query is made of inputs of size 1, whatever the width: 0.08 √128.
        assert float(queries[:, :half].detach().square().sum(0).mean().sqrt()) == pytest.approx(
            0.08 * 128**0.5, rel=0.05
        )
    if width == 128:
        torch.testing.assert_close(model.transformer.wpe.weight, tiny.transformer.wpe.weight)
    with pytest.raises(ValueError, match="width must be a multiple of 32"):
        from_scratch(48, 1, forum().tokenizer)


def test_a_clone_is_made_once(clones, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_clones, "learn", lambda *_: pytest.fail("made again"))
    found = gpu_goodhart.cloned(TOY, "medium", clones)
    assert found["parameters"] == 2 * (12 * 32**2 + 13 * 32)
    assert 0 <= found["answered"] <= 1
    assert found["cloning_gap"] > 0
    shipped = gpu_goodhart.cloned(TOY, "tiny", clones)
    assert shipped["answered"] > 0.99, "it has read already"
    assert shipped["parameters"] == 3 * (8 * 128**2 + 11 * 128), "its inner width is twice the width, not four times"
    with pytest.raises(pytest.fail.Exception, match="made again"):
        gpu_clones.clone(TOY, "medium", tmp_path)
    assert not list(tmp_path.iterdir()), "there whole or not at all"


def test_rates_go_with_one_over_the_width():
    assert gpu_clones.FULL.policy == "large"
    assert gpu_clones.FULL.rate("read", "tiny") == 2e-3
    assert gpu_clones.FULL.rate("grpo", "large") == pytest.approx(6e-4 / 4)


def pairs(count, gap, different=True):
    """Posts with four answers, of which gold likes each `gap` better than the next."""
    tokens = torch.arange(4).mul(int(different)).add(5)[None, :, None].expand(count, 4, 1).clone()
    true = torch.ones(count, 4, 1, dtype=torch.bool)
    return Batch(torch.full((count, 1), 5), true[:, 0], tokens, true), -gap * torch.arange(4.0).expand(count, 4)


def test_votes_follow_gold(here, monkeypatch):
    """Frequencies of votes against σ(Δgold/τ), 3,000 of each pair: 0.035 is almost four standard errors."""
    batch, gold = pairs(3000, 0.3)
    monkeypatch.setattr(gpu_forum, "answers", lambda *_: batch)
    monkeypatch.setattr(World, "gold", lambda self: lambda part: gold[: len(part.prompts)])
    _, wins = gpu_forum.votes(here, 8)
    assert torch.equal(wins + wins.mT, 1 - torch.eye(4).expand(3000, 4, 4)), "each pair once, none with itself"

    def apart(scale):
        return max(
            abs(float(wins[:, i, j].mean()) - 1 / (1 + math.exp(-0.3 * (j - i) / scale)))
            for i in range(4)
            for j in range(4)
            if i != j
        )

    assert apart(TAU) < 0.035
    assert apart(2 * TAU) > 0.07, "another temperature"
    assert apart(-TAU) > 0.2, "the wrong way round"
    few = gpu_forum.first_votes((batch, wins), 25)
    assert len(few[0].prompts) == 4
    assert float(few[1].sum()) == 24, "whole posts, no more than asked for"


def test_equal_answers_are_not_compared(here, monkeypatch):
    batch, gold = pairs(5, 0.0)
    batch.responses[0] = 7
    batch.responses[1, 1] = batch.responses[1, 0]
    monkeypatch.setattr(gpu_forum, "answers", lambda *_: batch)
    monkeypatch.setattr(World, "gold", lambda self: lambda part: gold)
    kept, wins = gpu_forum.votes(here, 8)
    assert len(kept.prompts) == 4, "a post whose answers are all one has no votes"
    assert wins.sum((1, 2)).tolist() == [5, 6, 6, 6]
    assert float(wins[0, 0, 1] + wins[0, 1, 0]) == 0


def test_gold_is_that_of_the_texts(here):
    batch = gpu_forum.answers(here, *here.posts, 4)
    assert torch.equal(here.gold()(batch), forum().gold()(batch))
    assert batch.responses.shape == (3, 4, TOY.max_new_tokens)
    whole = gpu_forum.answers(replace(here, scale=replace(TOY, at_once=4)), *here.posts, 4)
    assert torch.equal(whole.responses, batch.responses), "in whatever pieces"


def test_best_of_n_by_hand():
    """Of the gold 0, 1, 2 the best two by minus gold: 0, 0 or 1."""
    gold = np.array([[0.0, 1.0, 2.0]])
    curve = gpu_goodhart.best_curve((1, 2), gold, -gold)
    assert curve["kl"] == pytest.approx([0, math.log(2) - 1 / 2])
    assert curve["gold"] == pytest.approx([0, 1 / 3 - 1])
    assert curve["learned"] == pytest.approx([0, 1 - 1 / 3])
    gold, learned = np.random.default_rng(1).normal(size=(2, 5, 20))
    curve = gpu_goodhart.best_curve((1, 7), gold, learned)
    kl, judged = best_of_n(learned, gold, 7)
    assert (curve["kl"][1], curve["gold"][1]) == pytest.approx((kl, judged.mean() - gold.mean()))
    # Large n: the mean of the greatest of n out of 1, …, N is n (N + 1)/(n + 1), and counts of subsets pass 64 bits.
    numbers = np.random.default_rng(0).permuted(np.arange(1.0, 1025.0))[None]
    curve = gpu_goodhart.best_curve(gpu_clones.FULL.counts, numbers, numbers)
    means = [n * 1025 / (n + 1) - 512.5 for n in gpu_clones.FULL.counts]
    assert curve["gold"] == pytest.approx(means, rel=1e-9)
    assert curve["kl"][-1] == pytest.approx(best_of_n_kl(np.full(10**6, 1e-6), np.arange(10**6), 512), abs=1e-3)


def test_the_policy_kept_is_that_of_the_best_look(here, monkeypatch):
    """Two looks, of which the first earns more at the price 0.25: 2 - 0.25 against 3 - 2."""
    seen = iter(
        [
            {"kl": 1.0, "gold": 2.0, "learned": 5.0, "length": 4.0},
            {"kl": 8.0, "gold": 3.0, "learned": 9.0, "length": 4.0},
        ]
    )
    weights = []

    def look(here, policy, reward):
        weights.append(copy.deepcopy(policy.state_dict()))
        return next(seen)

    monkeypatch.setattr(gpu_goodhart, "look", look)
    curve, policy = gpu_goodhart.optimise(here, here.gold(), {"gold": 1.5, "learned": 4.0})
    assert curve == {"kl": [0.0, 1.0, 8.0], "gold": [0.0, 0.5, 1.5], "learned": [0.0, 1.0, 5.0], "length": [4.0, 4.0]}
    name = "transformer.h.0.attn.c_attn.weight"
    assert torch.equal(policy.state_dict()[name], weights[0][name])
    assert not torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], here.clone.state_dict()[name]), "the clone stays"


def test_captured_steps_give_the_same_seed(clones, monkeypatch):
    """As on a GPU, with graphs that a recording plays: what is sampled is the same, the clone is copied before its first step."""
    scale = replace(TOY, models={"large": TOY.models["large"]}, comparisons={8: 1}, looks=(2,))
    plain = gpu_goodhart.measured(scale, 0, clones)
    play_graphs(monkeypatch, Step)
    monkeypatch.setattr(gpu_forum, "sampling", Captured)
    taken, grpo = [], base_runs.grpo
    monkeypatch.setattr(
        base_runs, "grpo", lambda *args, **more: taken.append(more["start"].steps) or grpo(*args, **more)
    )
    played = gpu_goodhart.measured(scale, 0, clones)
    assert taken == [{}, {}], "a graph cannot be copied"
    assert played["best"] == plain["best"]
    assert played["rl"][GOLD]["kl"] == pytest.approx(plain["rl"][GOLD]["kl"], abs=1e-3)
    assert played["jstar"]["jstar"] == pytest.approx(plain["jstar"]["jstar"], abs=1e-3)
    assert list(json.loads(json.dumps(played))["order"]) == ["8", GOLD]
    assert played["best"][GOLD]["gold"] == played["best"][GOLD]["learned"]
    assert played["best"][GOLD]["gold"] == sorted(played["best"][GOLD]["gold"]), "gold optimised never turns"


# Curves that turn as chapter 8 says: KL 0, 1, 4, so √KL is 0, 1, 2.
KL = [0.0, 1.0, 4.0]


def curve(gold, learned=(0.0, 1.0, 3.0)):
    return {"n": [1, 4, 16], "kl": KL, "gold": list(gold), "learned": list(learned)}


def made_up(**changes):
    """Five seeds and three clones as they are kept; `changes` puts other curves in the place of one reward's."""
    curves = {"512": curve([0.0, 0.5, -1.0]), "4096": curve([0.0, 0.8, 0.4]), "32768": curve([0.0, 1.0, 1.6])}
    curves |= {
        "tiny": curve([0.0, 0.7, 0.6]),
        "medium": curve([0.0, 0.9, 1.2]),
        GOLD: curve([0.0, 1.5, 2.0]),
    } | changes
    run = {
        "best": curves,
        "rl": curves,
        "order": dict.fromkeys(curves, 0.7),
        "start": 1.0,
        "seconds": 40.0,
        "mb": 100.0,
    }
    run |= {"jstar": {"jstar": 2.5, "effective": 150.0}}
    clone = {"answered": 0.97, "parameters": 1e6, "cloning_share": 0.02, "seconds": 20.0}
    return dict.fromkeys(("tiny", "medium", "large"), clone) | {f"seed_{seed}": run for seed in range(5)}


BOUNDS = ("higher", "later", "turned", "promise", "larger", "control")


def test_a_card_by_hand():
    made = gpu_goodhart_card.entries(made_up())
    for way in ("best", "rl"):
        assert [made[f"{way}_{name}"]["value"] for name in BOUNDS] == pytest.approx([1.1, 3.0, 1.5, 2.0, 0.9, 0.0])
        assert all(made[f"{way}_{name}"]["met"] for name in BOUNDS)
        assert made[f"{way}_512_peak"]["value"] == 0.5
        assert made[f"{way}_512_peak_kl"]["value"] == 1.0
    # d (a - b d) through (1, 0.5) and (2, -1); d (a - b log d) through the same.
    assert (made["best_512_a"]["value"], made["best_512_b"]["value"]) == pytest.approx((1.5, 1.0))
    assert (made["rl_512_a"]["value"], made["rl_512_b"]["value"]) == pytest.approx((0.5, 1 / math.log(2)))
    assert made["best_tiny_peak"]["meaning"].endswith("tiny model, 32768 comparisons")
    assert made["best_512_peak"]["meaning"].endswith("best of n, 512 comparisons")
    # Gold at KL 1: 1.5 - 0.25 of the 1.5 that there are.
    assert made["share"]["value"] == pytest.approx(1.25 / 1.5)
    assert made["share"]["met"]
    assert made["large_answered"] == made["tiny_answered"] | {"meaning": made["large_answered"]["meaning"]}
    assert made["large_answered"]["value"] == 97.0


SHORT = {
    "higher": {"32768": curve([0.0, 0.5, 0.4])},
    "later": {"32768": curve([0.0, 1.6, 1.0])},
    "turned": {"512": curve([0.0, 0.5, 0.6])},
    "promise": {"512": curve([0.0, 0.5, -1.0], [0.0, 1.0, 0.9])},
    "larger": {"tiny": curve([0.0, 0.7, 1.6])},
    "control": {GOLD: curve([0.0, 2.0, 1.85])},
}


@pytest.mark.parametrize("name", SHORT)
def test_what_does_not_hold_is_short(name):
    made = gpu_goodhart_card.entries(made_up(**SHORT[name]))
    assert not made[f"best_{name}"]["met"]
    assert not made[f"rl_{name}"]["met"]
    assert made["rl_control"]["met"] == (name != "control")


def test_one_seed_against_it_is_short_where_each_is_asked_for():
    found = made_up()
    other = copy.deepcopy(found["seed_3"])
    other["best"]["512"]["gold"] = [0.0, 0.5, 0.5]
    other["best"]["32768"]["gold"] = [0.0, 0.1, 0.0]
    made = gpu_goodhart_card.entries(found | {"seed_3": other})
    assert not made["best_turned"]["met"]
    assert made["best_turned"]["bound"] == "> 0, each of 5 seeds"
    assert made["best_higher"]["met"]
    assert made["best_higher"]["bound"] == "> 0, median of 5 seeds"
    other["jstar"] = {"jstar": 2.2, "effective": 150.0}
    assert not gpu_goodhart_card.entries(found | {"seed_3": other})["share"]["met"], (
        "1.25 of 1.2: more than can be earned"
    )


def test_seeds_that_are_kept_are_taken_up(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(gpu, "KEPT", tmp_path / "kept")
    done, found = [], {f"goodhart_{name}": one for name, one in made_up().items()}
    every = {
        name: gpu.Work("gpu_goodhart", 0.1, partial(lambda name, one: done.append(name) or one, name, one))
        for name, one in found.items()
    }
    first = dict(list(every.items())[:5])
    assert gpu.measure(first, every, "NVIDIA H200")
    assert not (tmp_path / "results").exists(), "a card waits for all seeds"
    assert gpu.measure(every, every, "NVIDIA H200")
    assert done == list(found)
    made = cards.read("gpu_goodhart")
    assert made["title"] == "Gold against learned reward on one NVIDIA H200: the small forum scaled up"
    assert made["metrics"]["rl_later"]["met"]


@pytest.mark.slow
def test_a_whole_seed_runs_toy_sized(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--only", "gpu_goodhart"]) == 0
    said = capsys.readouterr().out
    assert all(
        f"seed 0, {way}, {name}: gold" in said for way in ("best of n", "GRPO") for name in ("8", "32", "tiny", GOLD)
    )

"""The details of PPO, each with a switch: what a switch changes, that a run shows it, and that the trainer is the library's."""

import copy
from dataclasses import fields, replace

import pytest
import torch

from benchmarks import table_world
from benchmarks.ppo_ablation import TABLE_RECIPE, interval, table_run
from benchmarks.table_world import World
from rlhw.ppo import AdaptiveKL, FixedKL
from rlhw.ppo_details import ALL_OFF, DETAILS, Recipe, train, without


def run(recipe, rollouts=3, world=None, seed=0, policy=None):
    """(policy, figures of every rollout) on a table."""
    world = world or World(0)
    policy = policy or world.reference()
    stream = [(tokens, mask, torch.ones(6, dtype=torch.float64)) for tokens, mask in world.prompts(rollouts, 2)]
    steps = train(
        recipe, policy, world.reward, stream, rollouts=rollouts, beta=table_world.BETA, max_new_tokens=table_world.STEPS,
        eos_id=table_world.EOS, generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    return policy, list(steps)


@pytest.mark.parametrize("name", DETAILS)
def test_a_switch_changes_what_it_names_and_nothing_else(name):
    changed = {one.name for one in fields(Recipe) if getattr(without(name), one.name) != getattr(Recipe(), one.name)}
    assert changed == set(DETAILS[name].changes)
    assert bool(changed) == (name != "nothing")


def test_everything_is_all_of_its_parts():
    recipe = Recipe()
    for name in ALL_OFF:
        recipe = without(name, recipe)
    assert recipe == without("everything")


def test_a_name_that_is_no_detail_is_refused():
    with pytest.raises(ValueError, match=r"name must be one of nothing, clip.*got 'clipping'"):
        without("clipping")


def visible(recipe):
    """The table after three rollouts whose updates are large, so that each bound of the recipe is reached."""
    return run(replace(recipe, rate=0.3, k=4))[0].table.detach()


@pytest.mark.parametrize("name", [name for name, detail in DETAILS.items() if not detail.layers and name != "nothing"])
def test_each_switch_changes_the_run(name):
    full = replace(Recipe(), value_clip=0.05, max_grad_norm=0.05)
    before, after = visible(full), visible(without(name, full))
    assert torch.equal(before, visible(full))
    assert not torch.equal(before, after)


def test_without_a_critic_the_values_stay_zero(monkeypatch):
    from rlhw import ppo_details

    made, plain = [], ppo_details.ValueModel

    def remembered(trunk):
        made.append(plain(trunk))
        return made[-1]

    monkeypatch.setattr(ppo_details, "ValueModel", remembered)
    run(without("critic"))
    run(Recipe())
    assert [float(value.head.weight.detach().abs().max()) > 0 for value in made] == [False, True]


def test_the_price_of_kl_is_fixed_unless_it_has_a_target():
    assert isinstance(Recipe().control(0.5), FixedKL)
    assert isinstance(without("fixed_beta").control(0.5), AdaptiveKL)


def test_the_baseline_is_subtracted_where_it_is_asked_for_and_missed_where_it_is_not_given():
    recipe = without("whiten", Recipe(rate=0.1))
    plain, with_it = run(recipe)[0], run(without("no_baseline", recipe))[0]
    assert not torch.equal(plain.table, with_it.table)
    world = World(0)
    steps = train(
        without("no_baseline"), world.reference(), world.reward, world.prompts(1, 2), rollouts=1, beta=0.5, max_new_tokens=3,
        eos_id=2, generator=torch.Generator(),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"prompts must be \(tokens, mask, baseline\)"):
        next(steps)


def test_the_reference_is_the_policy_as_it_comes_in_or_another():
    world, other = World(0), World(1).reference()
    _, own = run(Recipe(), 1, world)
    policy = world.reference()
    steps = train(
        Recipe(), policy, world.reward, world.prompts(1, 200), rollouts=1, beta=0.5, max_new_tokens=3, eos_id=2,
        generator=torch.Generator().manual_seed(0), reference=other,
    )  # fmt: skip
    assert own[0]["kl"] == 0
    assert next(steps)["kl"] > 0.1


def test_the_full_recipe_learns_on_the_table_and_a_recipe_that_does_not_move_does_not():
    shares = [table_run("full", seed)["share"] for seed in range(3)]
    assert min(shares) > 0.7
    world = World(0)
    start = world.objective(world.reference())[0]
    policy, _ = run(replace(TABLE_RECIPE, rate=0.0), world=world)
    assert world.objective(policy)[0] == start


def test_no_policy_earns_more_than_the_worlds_best_and_the_tilted_one_earns_it():
    world = World(3)
    with torch.no_grad():
        policy = copy.deepcopy(world.reference())
        optimizer = torch.optim.LBFGS(
            policy.parameters(), max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
        )

    from rlhw.logprobs import sequence_logprobs

    before = sequence_logprobs(world.reference(), world.answers).detach()

    def loss():
        optimizer.zero_grad()
        logprobs = sequence_logprobs(policy, world.answers)
        value = -(logprobs.exp() * (world.reward(world.answers) - table_world.BETA * (logprobs - before))).sum(1).mean()
        value.backward()
        return value

    optimizer.step(loss)
    assert world.objective(policy)[0] == pytest.approx(world.best(), abs=1e-6)
    assert world.objective(world.reference())[0] < world.best() - 0.1


def test_the_interval_is_students():
    mean, low, high = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    # t of 4 degrees of freedom at 0.975 is 2.7764, the standard error √2.5/√5.
    assert (mean, low, high) == pytest.approx((3.0, 3 - 2.7764451 * 0.5**0.5, 3 + 2.7764451 * 0.5**0.5), abs=1e-6)
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)

"""Learning to act, held against exact answers: means of learners, the best policy among the ε-soft, and q*."""

from itertools import product

import numpy as np
import pytest

from rlhw import bandits
from rlhw.control import Step, expected_sarsa, mc_control, q_learning, sarsa
from rlhw.dynamic_programming import action_values, policy_iteration, solve_policy
from rlhw.exploration import constant, epsilon_soft, inverse_visits, power, softened
from rlhw.mdp import MDP, uniform_policy
from rlhw.worlds import cliff, gridworld, random_mdp
from tests.control_means import WIDTH, far, sarsa_means

EVERYWHERE = constant(1.0)


def small_world(gamma=0.9):
    """Three states and an end, two actions; a state often leads to itself, so an episode visits pairs more than once."""
    transitions = 0.5 * np.random.default_rng(3).dirichlet(np.ones(4), size=(4, 2)) + 0.5 * np.eye(4)[:, None]
    transitions[3] = np.eye(4)[3]
    rewards = np.random.default_rng(4).standard_normal((4, 2))
    rewards[3] = 0.0
    return MDP(transitions, rewards, gamma, np.array([0.6, 0.4, 0.0, 0.0]))


def last(loop):
    *_, final = loop
    return final


def test_epsilon_soft_is_the_bandits_rule_in_every_row():
    rng = np.random.default_rng(0)
    q, epsilon = rng.integers(0, 3, size=(6, 4)).astype(float), rng.uniform(size=6)
    rows = [bandits.epsilon_greedy(e)(row, np.ones(4, dtype=int)) for e, row in zip(epsilon, q, strict=True)]
    np.testing.assert_allclose(epsilon_soft(q, epsilon), rows, rtol=1e-14)


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_the_best_values_of_the_softened_world_are_those_of_the_best_soft_policy(epsilon):
    mdp = random_mdp(4, 2, np.random.default_rng(1))
    best = np.max(
        [
            solve_policy(mdp, epsilon / 2 + (1 - epsilon) * np.eye(2)[list(choice)])
            for choice in product(range(2), repeat=4)
        ],
        axis=0,
    )
    np.testing.assert_allclose(policy_iteration(softened(mdp, epsilon))[0], best, atol=1e-10)
    assert np.abs(policy_iteration(mdp)[0] - best).max() > 1e-3, "without ε the best is another"


def first_visit_means(changed=lambda played: played.q):
    """How far Monte Carlo's means lie from q of the uniform policy, pair by pair, over learners that saw the pair."""
    mdp = small_world()
    played = last(
        mc_control(mdp, epsilon=EVERYWHERE, learners=4000, rounds=3, rng=np.random.default_rng(5), max_steps=500)
    )
    exact = action_values(mdp, solve_policy(mdp, uniform_policy(mdp)))
    q, distances = changed(played), []
    for s, a in np.ndindex(3, 2):
        seen = q[:, s, a] != 0
        distances.append(far(q[seen, s, a], exact[s, a]))
    return max(distances)


def test_the_mean_of_first_visit_returns_is_unbiased():
    """Six pairs, 1e-7 each: a right learner fails six times in ten million. Given that a pair was seen, the mean of its
    first-visit returns has the mean q exactly, for what happens after a visit is independent of whether there was one.
    """
    assert first_visit_means() < WIDTH


def every_visit(played):
    """The last episode's returns, those of a pair's visits added up: a second visit counts again."""
    episodes, gamma = played.episodes, small_world().gamma
    each, returns = np.arange(len(episodes.rewards)), np.zeros(len(episodes.rewards))
    table = np.zeros((len(each), 4, 2))
    for t in reversed(range(episodes.rewards.shape[1])):
        returns = episodes.rewards[:, t] + gamma * returns
        table[each, episodes.states[:, t], episodes.actions[:, t]] += np.where(episodes.mask[:, t], returns, 0.0)
    return table


def test_a_visit_counted_twice_is_caught():
    assert first_visit_means(every_visit) > 2 * WIDTH


def sarsa_distance(step=0.2, believed=0.2):
    mdp = small_world()
    settings = {"epsilon": EVERYWHERE, "step_size": constant(step), "learners": 4000, "steps": 25}
    tables = last(sarsa(mdp, **settings, rng=np.random.default_rng(6))).q
    return far(tables.reshape(4000, -1), sarsa_means(mdp, believed, 25).ravel())


def test_sarsas_mean_is_that_of_its_own_recursion_and_a_doubled_step_is_caught():
    """Six numbers, 1e-7 each."""
    assert sarsa_distance() < WIDTH
    assert sarsa_distance(step=0.4) > 3 * WIDTH


def test_expected_sarsa_has_sarsas_mean_and_a_smaller_spread():
    mdp = small_world()
    settings = {"epsilon": EVERYWHERE, "step_size": constant(0.2), "learners": 4000, "steps": 25}
    plain = last(sarsa(mdp, **settings, rng=np.random.default_rng(7))).q
    smooth = last(expected_sarsa(mdp, **settings, rng=np.random.default_rng(7))).q
    assert far(smooth.reshape(4000, -1), sarsa_means(mdp, 0.2, 25).ravel()) < WIDTH
    assert smooth.var(axis=0).sum() < 0.97 * plain.var(axis=0).sum()


WORLD = gridworld(("..G", ".#.", "..."), gamma=0.8, slip=0.2)


def test_q_learning_comes_to_q_star_and_sarsa_to_the_best_soft_policy():
    best = action_values(WORLD, policy_iteration(WORLD)[0])
    soft = action_values(WORLD, policy_iteration(softened(WORLD, 0.4))[0])
    settings = {"epsilon": constant(0.4), "step_size": power(0.6), "learners": 9, "steps": 2500}
    greedy = last(q_learning(WORLD, **settings, rng=np.random.default_rng(8))).q
    acting = last(sarsa(WORLD, **settings, rng=np.random.default_rng(9))).q
    assert np.abs(best - soft).max() > 0.5
    assert np.median(np.abs(greedy - best).max(axis=(1, 2))) < 0.3 < np.median(np.abs(greedy - soft).max(axis=(1, 2)))
    assert np.median(np.abs(acting - soft).max(axis=(1, 2))) < 0.4 < np.median(np.abs(acting - best).max(axis=(1, 2)))


def test_a_shared_seed_gives_the_same_run_and_tables_are_snapshots():
    settings = {"epsilon": inverse_visits(2.0), "step_size": power(0.8), "learners": 2, "steps": 30}
    first = list(q_learning(WORLD, **settings, rng=np.random.default_rng(1)))
    second = list(q_learning(WORLD, **settings, rng=np.random.default_rng(1)))
    assert isinstance(first[0], Step)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.q, other.q)
    assert np.abs(first[-1].q - first[0].q).max() > 0


def test_the_cliffs_numbers_are_those_of_the_book():
    """Sutton & Barto's example: the shortest way takes 13 steps; their safe way takes 17; the best at ε = 0.1 takes 15."""
    mdp = cliff()
    best = policy_iteration(mdp)[0]
    assert best[36] == pytest.approx(-13, abs=1e-9)
    world = softened(mdp, 0.1)
    soft = policy_iteration(world)[0]
    assert soft[36] == pytest.approx(-20.7077, abs=1e-4)
    route = epsilon_soft(action_values(world, soft), np.zeros(48))
    assert solve_policy(mdp, route)[36] == pytest.approx(-15, abs=1e-9)
    reckless = epsilon_soft(action_values(mdp, best), np.full(48, 0.1))
    assert solve_policy(mdp, reckless)[36] == pytest.approx(-50.8000, abs=1e-4)

"""Laws of policy gradients on a decision process; those of KL-limited steps stand in `trust_region.py`.

A world is (transitions "S A S", rewards "S A", gamma, start "S"); a policy is a table of logits. What a policy earns is
added up here step by step in time, with no linear algebra, and differentiated by central differences.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import Array, assert_close, numerical_gradient, probabilities_of
from rlhw.laws.policy_optimization import check_gae

World = tuple[Array, Array, float, Array]
STEPS = 260  # 0.88^260 is 1e-14


def decision_worlds(seed: int = 61) -> Iterator[tuple[World, Array, np.random.Generator]]:
    """Worlds with logits that are not special: without an end at two discounts, and with an end (the last state) and gamma = 1.
    In each the last state but one is never visited.
    """
    rng = np.random.default_rng(seed)
    for states, actions, gamma in ((3, 2, 0.88), (4, 3, 0.6), (4, 2, 1.0)):
        transitions = rng.dirichlet(np.ones(states), size=(states, actions))
        rewards = rng.standard_normal((states, actions)) + 0.7
        start = rng.dirichlet(np.ones(states))
        if gamma == 1.0:
            transitions = 0.7 * transitions + 0.3 * np.eye(states)[-1]
            transitions[-1], rewards[-1] = np.eye(states)[-1], 0.0
            start[-1] = 0.0
        transitions[:-2, :, -2] = transitions[-1, :, -2] = start[-2] = 0.0
        transitions /= transitions.sum(axis=2, keepdims=True)
        yield (transitions, rewards, gamma, start / start.sum()), 1.3 * rng.standard_normal((states, actions)), rng


def policy_of(logits: Array) -> Array:
    """The table of probabilities, row by row by definition."""
    return np.array([probabilities_of(row) for row in logits])


def visits_in_time(world: World, policy: Array) -> Array:
    """The sum over t of gamma^t P(s_t = s); of a state that ends the episode only what was paid there counts, which is 0."""
    transitions, _, gamma, start = world
    chain = np.einsum("sa,sat->st", policy, transitions)
    law, total = start.copy(), np.zeros(len(start))
    for t in range(STEPS):
        total += gamma**t * law
        law = law @ chain
    return total


def earned_in_time(world: World, logits: Array) -> float:
    """J: the sum over t of gamma^t times the expected reward at t."""
    policy = policy_of(logits)
    return float(visits_in_time(world, policy) @ np.sum(policy * world[1], axis=1))


def worth_in_time(world: World, policy: Array) -> Array:
    """v "S": what is earned from each state, in time."""
    transitions, rewards, gamma, _ = world
    return np.array(
        [
            visits_in_time((transitions, rewards, gamma, row), policy) @ (policy * rewards).sum(1)
            for row in np.eye(len(rewards))
        ]
    )


def advantages_in_time(world: World, policy: Array) -> Array:
    """q - v "S A", in time."""
    values = worth_in_time(world, policy)
    return world[1] + world[2] * world[0] @ values - values[:, None]


def live(world: World) -> Array:
    """Which states are no end."""
    return ~np.array([np.all(world[0][s, :, s] == 1) for s in range(len(world[1]))])


def check_state_softmax(state_softmax: Callable) -> None:
    """Logits "*R A" -> probabilities, a softmax for each row; a number added to a row changes nothing."""
    for _, logits, _ in decision_worlds():
        law = "each state has the softmax of its own logits"
        assert_close(state_softmax(logits), policy_of(logits), law)
        assert_close(state_softmax(np.stack([logits, -logits])), [policy_of(logits), policy_of(-logits)], law)
        assert_close(state_softmax(600.0 * logits), policy_of(600.0 * logits), law)
        shifted = logits + np.linspace(900.0, -900.0, len(logits))[:, None]
        law = "a number added to all logits of a state changes nothing, be it large"
        assert_close(state_softmax(shifted), policy_of(logits), law)


def check_objective(objective: Callable) -> None:
    """(*world, logits) -> J: the expected discounted sum of rewards from the start, by adding up in time."""
    for world, logits, _ in decision_worlds():
        law = "J is the expected discounted sum of the rewards of an episode"
        assert_close(objective(*world, logits), earned_in_time(world, logits), law)


def check_exact_advantages(exact_advantages: Callable) -> None:
    """(*world, policy) -> q - v "S A"; the policy's own average of it is zero in each state."""
    for world, logits, _ in decision_worlds():
        policy = policy_of(logits)
        got = exact_advantages(*world, policy)
        law = "an advantage is what action and policy earn from there, less what the policy earns"
        assert_close(got, advantages_in_time(world, policy), law)
        assert_close(np.sum(policy * got, axis=1), np.zeros(len(policy)), "the policy's mean advantage is zero")


def check_policy_gradient(policy_gradient: Callable) -> None:
    """(*world, logits) -> the gradient of J "S A", by central differences to 1e-6; each state's row sums to zero."""
    for world, logits, _ in decision_worlds():
        exact = numerical_gradient(lambda z, world=world: earned_in_time(world, z), logits, step=1e-5)
        got = policy_gradient(*world, logits)
        assert_close(got, exact, "the theorem gives the gradient of J, as a central difference does", tolerance=1e-7)
        assert_close(np.sum(got, axis=1), np.zeros(len(got)), "the gradient of each state's logits sums to zero")


def short_world() -> World:
    """Two layers of two states and an end, so that an episode has one step or two: all episodes can be written down."""
    transitions, rewards = np.zeros((5, 2, 5)), np.zeros((5, 2))
    transitions[0, :, 2:] = [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]]
    transitions[1, :, 2:] = [[0.3, 0.3, 0.4], [0.8, 0.2, 0.0]]
    transitions[2:, :, 4] = 1.0
    rewards[:4] = [[1.2, -0.4], [0.3, 2.0], [-1.5, 0.8], [2.2, 0.6]]
    return transitions, rewards, 0.7, np.array([0.6, 0.4, 0.0, 0.0, 0.0])


def all_episodes(policy: Array) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    """Every episode of the short world: probabilities "N", and (states, actions, rewards, mask). Padded as a simulation is:
    the end repeats, reward 0.
    """
    transitions, rewards, _, start = short_world()
    chances, rows = [], []
    for first, a, middle, b in np.ndindex(2, 2, 5, 2):
        chance = start[first] * policy[first, a] * transitions[first, a, middle] * policy[middle, b]
        if chance > 0:
            chances.append(chance)
            paid = [rewards[first, a], rewards[middle, b]]
            rows.append(([first, middle, 4], [a, b], paid, [True, middle != 4]))
    return np.array(chances), tuple(np.array(part) for part in zip(*rows, strict=True))


def check_reinforce_gradients(reinforce_gradients: Callable) -> None:
    """(policy, states, actions, rewards, mask, gamma, baseline) -> an estimate for each episode: its mean over all episodes is
    the gradient of J, whatever the baseline; and each is the sum of gamma^t (G_t - b) times the score.
    """
    rng = np.random.default_rng(62)
    world = short_world()
    gamma = world[2]
    for _ in range(3):
        logits = rng.standard_normal((5, 2))
        policy, baseline = policy_of(logits), rng.standard_normal(5) + 1.0
        baseline[4] = 0.0
        chances, seen = all_episodes(policy)
        estimates = reinforce_gradients(policy, *seen, gamma, baseline)
        exact = numerical_gradient(lambda z: earned_in_time(world, z), logits, step=1e-5)
        law = "the mean of the estimates over all episodes is the gradient of J, whatever the baseline"
        assert_close(np.tensordot(chances, np.asarray(estimates), 1), exact, law, tolerance=1e-7)
        expected = np.zeros((len(chances), 5, 2))
        for row, (states, actions, rewards, mask) in enumerate(zip(*seen, strict=True)):
            for t in range(int(mask.sum())):
                to_go = sum(gamma ** (k - t) * rewards[k] for k in range(t, int(mask.sum())))
                score = (np.arange(2) == actions[t]) - policy[states[t]]
                expected[row, states[t]] += gamma**t * (to_go - baseline[states[t]]) * score
        law = "an estimate is the sum over t of gamma^t times return less baseline times score"
        assert_close(estimates, expected, law)


def long_world() -> World:
    """Three states and an end that comes with probability 0.2 a step, so that the age of an episode matters."""
    rng = np.random.default_rng(63)
    transitions = 0.8 * rng.dirichlet(np.ones(3), size=(4, 3)) @ np.eye(3, 4) + 0.2 * np.eye(4)[3]
    transitions[3], rewards = np.eye(4)[3], rng.standard_normal((4, 3))
    rewards[3] = 0.0
    return transitions, rewards, 0.8, np.array([0.7, 0.2, 0.1, 0.0])


def check_actor_critic(actor_critic: Callable) -> None:
    """(*world, step_size, value_rate, runs, steps, rng) -> what each step saw and the tables after it: held against the same
    experience learned from by the definition, and against the world: where it begins, what it pays, where it may lead. States
    and actions are drawn as they should be (false alarm below 1e-6: six standard errors, for eleven counts).
    """
    world, runs, steps = long_world(), 5, 200
    transitions, rewards, gamma, start = world
    seen = list(actor_critic(*world, 0.15, 0.1, runs, steps, np.random.default_rng(63)))
    assert_close(len(seen), steps, "a step is made and given out as often as it was asked for")
    logits, values, age = np.zeros((runs, 4, 3)), np.zeros((runs, 4)), [0] * runs
    draws: dict[str, list] = {"begin in a state": [], "take an action": [], "lead to a state": []}
    for number, (states, actions, paid, following, got_logits, got_values) in enumerate(seen):
        for run in range(runs):
            s, a, after = int(states[run]), int(actions[run]), int(following[run])
            if age[run] == 0:
                draws["begin in a state"].append((np.eye(4)[s], start))
            else:
                assert_close(s, seen[number - 1][3][run], "an episode goes on where the last step led")
            policy = probabilities_of(logits[run, s])
            draws["take an action"].append((np.eye(3)[a], policy))
            draws["lead to a state"].append((np.eye(4)[after], transitions[s, a]))
            assert_close(paid[run], rewards[s, a], "a step pays the reward of its state and action")
            error = paid[run] + gamma * (values[run, after] if after != 3 else 0.0) - values[run, s]
            values[run, s] += 0.1 * error
            logits[run, s] += 0.15 * gamma ** age[run] * error * (np.eye(3)[a] - policy)
            age[run] = 0 if after == 3 else age[run] + 1
        assert_close(got_values, values, "the critic moves by its rate times the TD error, and the end stays at 0")
        assert_close(got_logits, logits, "the actor moves by its step times gamma^t times TD error times score")
    for what, pairs in draws.items():
        # Sorted by probability: a rule that follows the likeliest too often, or too seldom, is then out in one count.
        happened, law = (
            np.array(part) for part in zip(*((h[np.argsort(q)], np.sort(q)) for h, q in pairs), strict=True)
        )
        spread = np.sqrt((law * (1 - law)).sum(axis=0)) + 1e-9
        far = (happened - law).sum(axis=0) / spread / 6
        assert_close(np.clip(far, -1, 1), far, f"steps {what} as often as its probability says")


def check_numpy_gae(gae: Callable) -> None:
    """The law `check_gae`, which holds `rlhw.ppo.gae`, for the second implementation, on arrays."""
    check_gae(gae)

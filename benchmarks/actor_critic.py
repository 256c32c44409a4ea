"""Chapter B6 measured, all against exact answers: `python -m benchmarks.actor_critic` writes the card actor_critic."""

import time

import numpy as np

from rlhw import cards
from rlhw.actor_critic import (
    actor_critic,
    exact_advantages,
    gae,
    objective,
    policy_gradient,
    reinforce,
    reinforce_gradients,
    state_softmax,
)
from rlhw.dynamic_programming import discounted_visits, policy_iteration, solve_policy
from rlhw.laws import numerical_gradient
from rlhw.mdp import MDP, episodes
from rlhw.trust_region import kl_step, natural_gradient
from rlhw.worlds import gridworld, random_mdp, random_walk

GRID = gridworld(("S...", ".##.", "..#G"), gamma=0.95, slip=0.1)
UNIFORM = np.zeros(GRID.rewards.shape)
LAMBDAS = {"0": 0.0, "05": 0.5, "09": 0.9, "1": 1.0}
CRITIC_ERROR = 2.0
SEEDS, EPISODES = range(20), 10
KLS = {"001": 0.01, "003": 0.03, "01": 0.1, "03": 0.3, "1": 1.0, "3": 3.0, "10": 10.0}
STEP_SIZES = {"small": 0.03, "large": 0.1}
LEARNING_STEPS, SHOWN = 4000, (1000, 2000, 4000)


def best(mdp: MDP) -> float:
    """J of the best policy, exact."""
    return float(mdp.start @ policy_iteration(mdp)[0])


def share(mdp: MDP, logits: np.ndarray, first: np.ndarray) -> float:
    """How much of the way from the first policy's J to the best one's is done."""
    low = objective(mdp, first)
    return (objective(mdp, logits) - low) / (best(mdp) - low)


def theorem() -> dict[str, dict]:
    """The theorem against central differences, on 100 random worlds; and the same sum without gamma^t."""
    gaps, off = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        mdp = random_mdp(int(rng.integers(2, 7)), int(rng.integers(2, 5)), rng, gamma=float(rng.uniform(0.3, 0.95)))
        logits = rng.standard_normal(mdp.rewards.shape)
        known = numerical_gradient(lambda z, mdp=mdp: objective(mdp, z), logits, step=1e-5)
        gaps.append(float(np.abs(policy_gradient(mdp, logits) - known).max()))
        policy = state_softmax(logits)
        # Over the first 200 steps: without gamma^t the visits of a world without an end never stop.
        chain, law, visits = np.einsum("sa,sat->st", policy, mdp.transitions), mdp.start, 0.0
        for _ in range(200):
            visits, law = visits + law, law @ chain
        flat = visits[:, None] * policy * exact_advantages(mdp, policy)
        off.append(float(np.sum(flat * known) / np.linalg.norm(flat) / np.linalg.norm(known)))
    print(
        f"theorem against central difference, 100 worlds: {max(gaps):.1e} (bound 1e-6): {'met' if max(gaps) <= 1e-6 else 'SHORT'}"
    )
    return {
        "theorem_gap": cards.metric(
            "greatest gap between theorem and central difference, 100 random worlds", max(gaps), bound="<= 1e-6",
            met=max(gaps) <= 1e-6,
        ),
        "cosine_without_gamma": cards.metric("cosine of the gradient and the same sum without gamma^t, 100 worlds", off),
    }  # fmt: skip


def baselines() -> dict[str, dict]:
    """Total variance of REINFORCE's estimate of one episode, from 4,000 a seed (5 seeds), and how far its mean is off."""
    policy, metrics = state_softmax(UNIFORM), {}
    exact = policy_gradient(GRID, UNIFORM)
    named = {
        "none": np.zeros(len(GRID.start)),
        "value": solve_policy(GRID, policy),
        "other": policy_iteration(GRID)[0],
        "constant": np.full(len(GRID.start), objective(GRID, UNIFORM)),
    }
    seen = [episodes(GRID, policy, 4000, np.random.default_rng(seed)) for seed in range(5)]
    for name, baseline in named.items():
        estimates = [reinforce_gradients(policy, one, GRID.gamma, baseline) for one in seen]
        spread = [float(one.var(axis=0).sum()) for one in estimates]
        metrics[f"variance_{name}"] = cards.metric(
            f"total variance of one episode's estimate, baseline: {name}", spread
        )
        every = np.concatenate(estimates)
        error = np.abs(every.mean(axis=0) - exact) / np.maximum(every.std(axis=0) / len(every) ** 0.5, 1e-12)
        metrics[f"off_{name}"] = cards.metric(
            f"largest distance of mean and gradient in standard errors, baseline: {name}", float(error.max())
        )
        print(f"baseline {name}: variance {np.median(spread):.1f}, mean off by {error.max():.1f} standard errors")
    return metrics


def expected_gae(mdp: MDP, policy: np.ndarray, critic: np.ndarray, lam: float) -> np.ndarray:
    """The mean of the estimate given state and action, exact."""
    errors = mdp.rewards + mdp.gamma * mdp.transitions @ critic - critic[:, None]
    decay = mdp.gamma * lam
    chain = np.einsum("sa,sat->st", policy, mdp.transitions)
    later = np.linalg.solve(np.eye(len(critic)) - decay * chain, (policy * errors).sum(axis=1))
    return errors + decay * mdp.transitions @ later


def estimates_of(critic: np.ndarray, lam: float, seen: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all steps of these episodes by state and action: how many, the mean estimate, its variance."""
    shape = GRID.rewards.shape
    sums = np.zeros((3, *shape))
    for one in seen:
        states = one.states[:, :-1]
        found, _ = gae(one.rewards, critic[states], one.mask, GRID.gamma, lam)
        for power in range(3):
            np.add.at(sums[power], (states[one.mask], one.actions[one.mask]), found[one.mask] ** power)
    counts = np.maximum(sums[0], 1)
    return sums[0], sums[1] / counts, sums[2] / counts - (sums[1] / counts) ** 2


def off(weights: np.ndarray, policy: np.ndarray, mean: np.ndarray, known: np.ndarray) -> float:
    """Root of the mean squared bias, but for what depends on the state alone: that is a baseline, and drops out."""
    gap = mean - known
    return float(np.sqrt(np.sum(weights * (gap - np.sum(policy * gap, axis=1, keepdims=True)) ** 2)))


def lambdas() -> dict[str, dict]:
    """Bias (exact) and noise (measured, 5 seeds of 1,000 episodes) of GAE against the exact advantages, for two critics."""
    policy = state_softmax(UNIFORM)
    known, value = exact_advantages(GRID, policy), solve_policy(GRID, policy)
    error = CRITIC_ERROR * np.random.default_rng(0).standard_normal(len(value))
    weights = discounted_visits(GRID, policy)[:, None] * policy
    weights /= weights.sum()
    rows = [
        [episodes(GRID, policy, 100, np.random.default_rng((seed, part))) for part in range(10)] for seed in range(5)
    ]
    metrics = {}
    for kind, critic in (("right", value), ("wrong", np.where(GRID.terminal, 0.0, value + error))):
        for name, lam in LAMBDAS.items():
            mean = expected_gae(GRID, policy, critic, lam)
            bias = off(weights, policy, mean, known)
            measured = [estimates_of(critic, lam, seen) for seen in rows]
            noise = [float(np.sqrt(np.sum(weights * variance))) for _, _, variance in measured]
            found = [off(weights, policy, at, known) for _, at, _ in measured]
            about = f"lambda {lam}, {kind} critic"
            metrics[f"gae_{kind}_{name}_bias"] = cards.metric(f"bias of the estimate, {about}", bias, unit="reward")
            metrics[f"gae_{kind}_{name}_noise"] = cards.metric(f"noise of one estimate, {about}", noise, unit="reward")
            metrics[f"gae_{kind}_{name}_measured"] = cards.metric(
                f"bias as measured from 1,000 episodes, {about}", found, known=bias, unit="reward"
            )
            print(f"{about}: bias {bias:.3f} (measured {np.median(found):.3f}), noise {np.median(noise):.2f}")
    return metrics


def learning() -> dict[str, dict]:
    """Share of the way to the best policy after so many steps in the world: REINFORCE without and with baseline, actor-critic."""
    metrics = {}
    for speed, size in STEP_SIZES.items():
        lines: dict[str, list] = {"none": [], "baseline": []}
        for name, rate in (("none", 0.0), ("baseline", 0.3)):
            for seed in range(10):
                total, line, rng = 0, [], np.random.default_rng(seed)
                for learned in reinforce(GRID, step_size=size, value_rate=rate, batch=1, steps=LEARNING_STEPS, rng=rng):
                    total += learned.steps
                    while len(line) < len(SHOWN) and total >= SHOWN[len(line)]:
                        line.append(share(GRID, learned.logits, UNIFORM))
                    if len(line) == len(SHOWN):
                        break
                lines[name].append(line)
        rng = np.random.default_rng(0)
        steps = actor_critic(GRID, step_size=size, value_rate=0.3, runs=10, steps=LEARNING_STEPS, rng=rng)
        kept = [step.logits for number, step in enumerate(steps, start=1) if number in SHOWN]
        lines["critic"] = [[share(GRID, tables[run], UNIFORM) for tables in kept] for run in range(10)]
        for name, rows in lines.items():
            for at, column in zip(SHOWN, np.transpose(rows), strict=True):
                meaning = f"share of the way to the best policy after {at} steps, step size {size}: {name}"
                metrics[f"learn_{name}_{speed}_{at}"] = cards.metric(meaning, [float(x) for x in column])
            print(
                f"step size {size}, {name}: {np.median(rows, axis=0).round(2)}, least {np.min(rows, axis=0).round(2)}"
            )
    return metrics


def steps_until(mdp: MDP, first: np.ndarray, step, goal: float = 0.9, most: int = 20_000) -> tuple[int, list[float]]:
    """How many exact steps until so much of the way is done, and the share after each step."""
    logits, line = first, []
    while (not line or line[-1] < goal) and len(line) < most:
        logits = step(logits)
        line.append(share(mdp, logits, first))
    return len(line), line


def plateau() -> tuple[MDP, np.ndarray]:
    """A walk whose right end pays, and a policy that has learned to go left: 98 % in every state."""
    mdp = random_walk(5, gamma=0.9)
    return mdp, np.tile([4.0, 0.0], (len(mdp.start), 1))


def limited(mdp: MDP, direction, kl: float):
    """One step along an exact direction to a mean KL of kl nats."""
    return lambda z: kl_step(discounted_visits(mdp, state_softmax(z)), z, direction(mdp, z), kl)


def equal_kl() -> dict[str, dict]:
    """Steps until nine tenths of the way, from a policy that is sure of the wrong thing."""
    mdp, first = plateau()
    rules = {
        "plain_3": lambda z: z + 3.0 * policy_gradient(mdp, z),
        "plain_30": lambda z: z + 30.0 * policy_gradient(mdp, z),
        "limited": limited(mdp, policy_gradient, 0.01),
        "natural": limited(mdp, natural_gradient, 0.01),
    }
    metrics = {}
    for name, step in rules.items():
        count, _ = steps_until(mdp, first, step)
        metrics[f"plateau_{name}"] = cards.metric(f"exact steps until 90 % of the way, from a plateau: {name}", count)
        print(f"plateau, {name}: {count} steps")
    return metrics


def one_batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What a step along the estimate of ten episodes claims and gains, by its KL: (claims, gains). The critic is exact."""
    policy = state_softmax(UNIFORM)
    visits, value, rng = discounted_visits(GRID, policy), solve_policy(GRID, policy), np.random.default_rng(seed)
    seen = episodes(GRID, policy, EPISODES, rng)
    direction = reinforce_gradients(policy, seen, GRID.gamma, value).mean(axis=0)
    states = seen.states[:, :-1]
    advantages, _ = gae(seen.rewards, value[states], seen.mask, GRID.gamma, 1.0)
    weights = np.where(seen.mask, GRID.gamma ** np.arange(states.shape[1]) * advantages, 0.0)
    claims, gains = [], []
    for kl in KLS.values():
        moved = kl_step(visits, UNIFORM, direction, kl)
        ratios = state_softmax(moved)[states, seen.actions] / policy[states, seen.actions]
        claims.append(float(((ratios - 1) * weights).sum(axis=1).mean()))
        gains.append(objective(GRID, moved) - objective(GRID, UNIFORM))
    return np.array(claims), np.array(gains)


def how_far() -> dict[str, dict]:
    """One batch of ten episodes, followed to a growing KL: the claim of its surrogate and the true gain; and the exact one."""
    both = [one_batch(seed) for seed in SEEDS]
    visits, exact = discounted_visits(GRID, state_softmax(UNIFORM)), policy_gradient(GRID, UNIFORM)
    metrics = {}
    for column, (name, kl) in enumerate(KLS.items()):
        claims, gains = ([float(pair[part][column]) for pair in both] for part in (0, 1))
        gain = objective(GRID, kl_step(visits, UNIFORM, exact, kl)) - objective(GRID, UNIFORM)
        metrics[f"claim_{name}"] = cards.metric(
            f"gain that the surrogate of ten episodes claims, KL {kl}", claims, unit="reward"
        )
        metrics[f"gain_{name}"] = cards.metric(f"true gain of J, KL {kl}", gains, unit="reward")
        metrics[f"exact_{name}"] = cards.metric(f"gain of J along the exact gradient, KL {kl}", gain, unit="reward")
        print(
            f"KL {kl}: claimed {np.median(claims):.1f}, gained {np.median(gains):.1f} (least {min(gains):.1f}), exact {gain:.1f}"
        )
    return metrics


def main() -> None:
    """Measure everything and write the card."""
    start = time.perf_counter()
    metrics = {
        "best": cards.metric("J of the best policy of the grid", best(GRID), unit="reward"),
        "uniform": cards.metric("J of the uniform policy of the grid", objective(GRID, UNIFORM), unit="reward"),
    }
    for part in (theorem, baselines, lambdas, learning, equal_kl, how_far):
        metrics |= part()
    modules = ["rlhw.mdp", "rlhw.worlds", "rlhw.dynamic_programming", "rlhw.actor_critic", "rlhw.trust_region"]
    cards.write(
        "actor_critic", "Actor-critic on small worlds", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.actor_critic", modules=[*modules, "benchmarks.actor_critic"],
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""Chapter B5 measured: closed forms, the error bound, and Baird's star. `python -m benchmarks.deadly_triad` writes the card."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.linear_worlds import (
    GROUPS,
    STAR,
    STAR_EXPECTED,
    STAR_WEIGHTS,
    WALK_EXPECTED,
    WALK_VALUES,
    WALK_WEIGHTS,
    star_samples,
    walk_samples,
)
from rlhw import cards
from rlhw.function_approximation import (
    Transitions,
    expected_transitions,
    least_squares_mc,
    lstd,
    on_policy_weights,
    projected_bellman_error,
    projection,
    td_system,
    transitions_along,
    value_error,
)
from rlhw.linear_learning import gradient_correction, gradient_mc, growth_rate, semi_gradient_td
from rlhw.mdp import episodes
from rlhw.worlds import random_mdp

RUNS, GAMMA = 20, STAR.mdp.gamma
STEP, STEPS = 0.01, 1000
CURE_STEP, CURE_SECOND, CURE_STEPS = 0.005, 0.05, 5000


def problems(count: int) -> Iterator[tuple[Transitions, float, np.ndarray, np.ndarray, np.ndarray]]:
    """Random MDPs with random policies and fewer features than states: (expected transitions, γ, on-policy weights, v_π, P_π)."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        states, gamma = int(rng.integers(3, 9)), float(rng.uniform(0.3, 0.99))
        mdp, policy = random_mdp(states, 2, rng, gamma), rng.dirichlet(np.ones(2), size=states)
        features = rng.standard_normal((states, int(rng.integers(1, states))))
        expected, kernel = expected_transitions(mdp, policy, features), np.einsum("sa,sat->st", policy, mdp.transitions)
        truth = np.linalg.solve(np.eye(states) - gamma * kernel, expected.rewards)
        yield expected, gamma, on_policy_weights(mdp, policy), truth, kernel


def closed_forms() -> dict[str, dict]:
    """Must show: LSTD is the projected fixed point, and least squares on returns the projection of v; and the error bound."""
    fixed, nearest, share = [], [], []
    for expected, gamma, d, truth, kernel in problems(1000):
        matrix, features = projection(expected.features, d), expected.features
        values = features @ lstd(*expected, gamma, d)
        best = features @ least_squares_mc(features, truth, d)
        fixed.append(float(np.abs(matrix @ (expected.rewards + gamma * kernel @ values) - values).max()))
        nearest.append(float(np.abs(matrix @ truth - best).max()))
        share.append(float(value_error(values, truth, d) / value_error(best, truth, d) * (1 - gamma**2)) ** 0.5)
    metrics = {}
    for name, meaning, gap in (
        ("fixed_point", "greatest distance of LSTD's values from Π(r + γPV), 100 random MDPs", max(fixed[:100])),
        ("nearest", "greatest distance of least squares on v from Πv, 100 random MDPs", max(nearest[:100])),
    ):
        metrics[name] = cards.metric(meaning, gap, bound="<= 1e-9", met=gap <= 1e-9)
        print(f"{meaning}: {gap:.1e}, bound 1e-9, {'met' if gap <= 1e-9 else 'SHORT'}")
    meaning = "greatest share of the bound 1/sqrt(1 - γ²) that LSTD's error reaches, 1,000 random MDPs on-policy"
    metrics["bound_share"] = cards.metric(meaning, max(share), bound="<= 1", met=max(share) <= 1)
    print(f"{meaning}: {max(share):.3f}, bound 1, {'met' if max(share) <= 1 else 'SHORT'}")
    return metrics


def descent() -> dict[str, dict]:
    """On the walk: distance to the closed form after 20,000 samples, constant against decaying steps, beside least squares."""
    count, rng = 20_000, np.random.default_rng(1)
    samples = walk_samples(rng, count, RUNS)
    known = {
        "mc": least_squares_mc(GROUPS, WALK_VALUES, WALK_WEIGHTS),
        "td": lstd(*WALK_EXPECTED, 1.0, WALK_WEIGHTS),
    }
    zero, ones = np.zeros((RUNS, 3)), np.ones((count, RUNS))
    metrics = {}

    def note(name: str, meaning: str, answers: np.ndarray, target: np.ndarray) -> None:
        distances = np.linalg.norm(answers - target, axis=1)
        metrics[name] = cards.metric(
            f"{meaning}: distance to the closed form after {count} samples", distances.tolist()
        )
        print(f"{name}: {np.median(distances):.4f} ({distances.min():.4f} to {distances.max():.4f})")

    for kind, steps in (("constant", np.full(count, 0.1)), ("decaying", 40 / (400 + np.arange(count)))):
        path = gradient_mc(zero, samples.features, samples.returns, steps)
        note(f"mc_{kind}", f"gradient Monte Carlo, {kind} steps", path[-1], known["mc"])
        path = semi_gradient_td(zero, *samples.transitions, 1.0, steps, ones)
        note(f"td_{kind}", f"semi-gradient TD, {kind} steps", path[-1], known["td"])
    fits = [least_squares_mc(samples.features[:, i], samples.returns[:, i], ones[:, i]) for i in range(RUNS)]
    note("mc_closed", "least squares on the same returns", np.array(fits), known["mc"])
    solved = [lstd(*(part[:, i] for part in samples.transitions), 1.0, ones[:, i]) for i in range(RUNS)]
    note("td_closed", "LSTD on the same transitions", np.array(solved), known["td"])
    return metrics


def legs() -> dict[str, dict]:
    """The star's growth rate with all three legs of the triad, and with each of them sawn off."""
    tables = Transitions(np.eye(7), np.zeros(7), np.einsum("sa,sat->st", STAR.target, STAR.mdp.transitions))
    behaving = expected_transitions(STAR.mdp, STAR.behavior, STAR.features)
    target_weights = on_policy_weights(STAR.mdp, STAR.target)
    rates = {
        "all": (STAR_EXPECTED, GAMMA, STAR_WEIGHTS, "all three"),
        "half": (STAR_EXPECTED, 0.5, STAR_WEIGHTS, "all three, discount 0.5"),
        "no_bootstrap": (STAR_EXPECTED, 0.0, STAR_WEIGHTS, "no bootstrapping (returns as targets)"),
        "on_policy": (STAR_EXPECTED, GAMMA, target_weights, "on-policy: states as the target policy meets them"),
        "behavior": (behaving, GAMMA, STAR_WEIGHTS, "on-policy: values of the behavior policy"),
        "table": (tables, GAMMA, STAR_WEIGHTS, "no approximation: one feature a state"),
    }
    metrics = {}
    for name, (expected, gamma, weights, words) in rates.items():
        rate = round(growth_rate(td_system(*expected, gamma, weights)[0]), 12) + 0.0
        metrics[f"rate_{name}"] = cards.metric(f"growth rate on the star, {words}", rate)
        print(f"growth rate, {words}: {rate:.4f}")
    return metrics


def star_runs() -> dict[str, dict]:
    """Sampled runs on the star: TD runs away; TDC, on-policy TD and LSTD do not; TDC does with steps four times as large."""
    transitions, ratios = star_samples(np.random.default_rng(2), CURE_STEPS, RUNS)
    first, start = tuple(part[:STEPS] for part in transitions), np.tile(STAR.w, (RUNS, 1))
    path = semi_gradient_td(start, *first, GAMMA, np.full(STEPS, STEP), ratios[:STEPS])
    lengths = np.linalg.norm(path[-1], axis=1)
    metrics = {"length_start": cards.metric("length of the star's weights at the start", float(np.linalg.norm(STAR.w)))}
    meaning = f"length of the weights after {STEPS} off-policy TD steps of {STEP} on the star"
    metrics["length_td"] = cards.metric(meaning, lengths.tolist())
    on = semi_gradient_td(start, *transitions, GAMMA, np.full(CURE_STEPS, STEP), np.ones_like(ratios))
    errors = [np.sqrt(value_error(STAR.features @ w, np.zeros(7), STAR_WEIGHTS)) for w in on[-1]]
    meaning = f"root value error after {CURE_STEPS} on-policy TD steps of {STEP} on the star"
    metrics["on_policy_error"] = cards.metric(meaning, errors)
    for name, step, other in (("cure", CURE_STEP, CURE_SECOND), ("cure_large", 4 * CURE_STEP, 2 * CURE_SECOND)):
        steps, second = np.full(CURE_STEPS, step), np.full(CURE_STEPS, other)
        ends = gradient_correction(start, *transitions, GAMMA, steps, second, ratios)[-1]
        projected = [projected_bellman_error(*STAR_EXPECTED, GAMMA, STAR_WEIGHTS, w) ** 0.5 for w in ends]
        words = f"after {CURE_STEPS} TDC steps of {step} (second {other}) on the star"
        metrics[f"{name}_pbe"] = cards.metric(f"root projected Bellman error {words}", projected)
        errors = [np.sqrt(value_error(STAR.features @ w, np.zeros(7), STAR_WEIGHTS)) for w in ends]
        metrics[f"{name}_error"] = cards.metric(f"root value error {words}", errors)
    before = (
        projected_bellman_error(*STAR_EXPECTED, GAMMA, STAR_WEIGHTS, STAR.w),
        value_error(STAR.features @ STAR.w, np.zeros(7), STAR_WEIGHTS),
    )
    metrics["pbe_start"] = cards.metric("root projected Bellman error on the star at the start", before[0] ** 0.5)
    metrics["error_start"] = cards.metric("root value error on the star at the start", before[1] ** 0.5)
    metrics["lstd_error"] = cards.metric(
        f"greatest error of LSTD's values from {STEPS} off-policy transitions on the star with random rewards", solved()
    )
    for name, entry in metrics.items():
        print(f"{name}: {entry['value']:.4g} ({entry.get('low', 0):.4g} to {entry.get('high', 0):.4g})")
    return metrics


def solved() -> list[float]:
    """LSTD with ratios from one run of the behavior policy, random rewards on the star: the greatest error of a value."""
    errors = []
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        pay = rng.standard_normal((7, 2))
        found = episodes(STAR.mdp, STAR.behavior, 1, rng, STEPS)
        earned = pay[found.states[0, :-1], found.actions[0]]
        transitions = transitions_along(STAR.features, found.states[0], earned)
        ratios = (STAR.target / STAR.behavior)[found.states[0, :-1], found.actions[0]]
        kernel = np.einsum("sa,sat->st", STAR.target, STAR.mdp.transitions)
        truth = np.linalg.solve(np.eye(7) - GAMMA * kernel, pay[:, 1])
        errors.append(float(np.abs(STAR.features @ lstd(*transitions, GAMMA, ratios) - truth).max()))
    return errors


if __name__ == "__main__":
    start = time.perf_counter()
    metrics = closed_forms() | descent() | legs() | star_runs()
    cards.write(
        "deadly_triad",
        "Linear values: closed forms, the error bound and Baird's star",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.deadly_triad",
        modules=[
            "rlhw.mdp",
            "rlhw.worlds",
            "rlhw.function_approximation",
            "rlhw.linear_learning",
            "benchmarks.linear_worlds",
            "benchmarks.deadly_triad",
        ],
    )

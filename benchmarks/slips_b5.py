"""The slips of chapter B5, measured: `python -m benchmarks.slips_b5` writes results/slips_b5.json."""

import numpy as np

from benchmarks.linear_worlds import (
    CHAIN,
    CHAIN_EXPECTED,
    CHAIN_FEATURES,
    CHAIN_VALUES,
    GROUPS,
    STAR,
    STAR_EXPECTED,
    STAR_WEIGHTS,
    WALK_VALUES,
    WALK_WEIGHTS,
    walk_samples,
)
from benchmarks.slips import Slip, length, write_card
from rlhw.function_approximation import (
    least_squares_mc,
    lstd,
    on_policy_weights,
    td_system,
    value_error,
)
from rlhw.linear_learning import gradient_mc, growth_rate

CHAIN_WEIGHTS = np.array([1 / 3, 2 / 3])


def distance_after(steps) -> float:
    """Root mean square distance to w_MC after 4,000 samples of the walk in groups, 50 runs."""
    samples = walk_samples(np.random.default_rng(0), 4000, 50)
    path = gradient_mc(np.zeros((50, 3)), samples.features, samples.returns, steps(np.arange(4000)))
    target = least_squares_mc(GROUPS, WALK_VALUES, WALK_WEIGHTS)
    return float(np.mean(np.sum((path[-1] - target) ** 2, axis=-1)) ** 0.5)


def chain_error(weights_of) -> float:
    """Root value error on the chain of two states."""
    return value_error(CHAIN_FEATURES @ weights_of(), CHAIN_VALUES, CHAIN_WEIGHTS) ** 0.5


def table_error(differentiated) -> float:
    """Error of V(first state) where the mean step along δ · differentiated(h, h') is zero: the chain, one feature a state."""
    matrix, vector, table, kernel = np.zeros((2, 2)), np.zeros(2), np.eye(2), CHAIN.transitions[:, 0]
    for s in range(2):
        for after in range(2):
            chance, along = CHAIN_WEIGHTS[s] * kernel[s, after], differentiated(table[s], table[after])
            matrix += chance * np.outer(along, table[s] - CHAIN.gamma * table[after])
            vector += chance * CHAIN.rewards[s, 0] * along
    return float(abs(np.linalg.solve(matrix, vector)[0] - CHAIN_VALUES[0]))


def star_rate(weights) -> float:
    """Growth rate of the star's expected TD update with correct importance ratios, states weighted so."""
    return round(growth_rate(td_system(*STAR_EXPECTED, STAR.mdp.gamma, weights())[0]), 9)


def star_length(form) -> float:
    """Length of the star's weights after expected updates of this step size, steps times size = 20."""
    step, weights = form()
    matrix, _ = td_system(*STAR_EXPECTED, STAR.mdp.gamma, weights)
    return length(np.linalg.matrix_power(np.eye(8) - step * matrix, round(20 / step)) @ STAR.w)


def asymmetry(matrix) -> float:
    """Greatest difference of an entry and its mirror image: three states in a ring, one feature a state, γ = 0.9."""
    ring = np.roll(np.eye(3), 1, axis=1)
    a = matrix(np.eye(3) / 3, np.eye(3) - 0.9 * ring)
    return float(np.abs(a - a.T).max())


SLIPS = {
    "convex_so_it_converges": Slip(
        "rms distance to w_MC after 4,000 samples, steps of 0.1 (right: steps 40/(400 + n))",
        distance_after,
        wrong=lambda n: np.full(len(n), 0.1),
        right=lambda n: 40 / (400 + n),
    ),
    "td_is_sgd": Slip(
        "asymmetry of the matrix of TD's mean step, three states in a ring (right: Monte Carlo's, a gradient)",
        asymmetry,
        wrong=lambda weights, difference: weights @ difference,
        right=lambda weights, difference: weights,
    ),
    "td_finds_the_best_fit": Slip(
        "root value error at TD's fixed point, chain of two states (right: at the best fit)",
        chain_error,
        wrong=lambda: lstd(*CHAIN_EXPECTED, CHAIN.gamma, CHAIN_WEIGHTS),
        right=lambda: least_squares_mc(CHAIN_FEATURES, CHAIN_VALUES, CHAIN_WEIGHTS),
    ),
    "differentiate_the_target": Slip(
        "error of V(1) where the target is differentiated too, chain with a table (right: semi-gradient TD)",
        table_error,
        wrong=lambda h, after: h - CHAIN.gamma * after,
        right=lambda h, after: h,
    ),
    "ratios_are_enough": Slip(
        "growth rate on the star with ratios, states as the behavior meets them (right: as the target does)",
        star_rate,
        wrong=lambda: STAR_WEIGHTS,
        right=lambda: on_policy_weights(STAR.mdp, STAR.target),
    ),
    "smaller_steps": Slip(
        "length of the star's weights after 20,000 expected off-policy steps of 0.001 (right: on-policy)",
        star_length,
        wrong=lambda: (0.001, STAR_WEIGHTS),
        right=lambda: (0.001, on_policy_weights(STAR.mdp, STAR.target)),
    ),
}

if __name__ == "__main__":
    write_card(
        "b5",
        "The slips of chapter B5, measured",
        SLIPS,
        [
            "rlhw.mdp",
            "rlhw.worlds",
            "rlhw.function_approximation",
            "rlhw.linear_learning",
            "benchmarks.linear_worlds",
            "benchmarks.slips_b5",
        ],
    )

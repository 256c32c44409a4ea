"""Question b5-lstd: TD's fixed point from transitions."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
TD's mean step over a batch of transitions is along $\mathbf b - \mathbf A w$, with
$\mathbf A = \sum_n h_n (h_n - \gamma h'_n)^{\mathsf T}$ and $\mathbf b = \sum_n r_n h_n$. The first line of the code makes
the differences $h_n - \gamma h'_n$, one row a transition. Finish `lstd(features, rewards, next_features, gamma)`: return
the weights $w$ at which the mean step is zero. `features` and `next_features` are N by D, `rewards` has N numbers.
"""

STUB = """
def lstd(features, rewards, next_features, gamma):
    differences = features - gamma * next_features
    ...
"""


def lstd(features, rewards, next_features, gamma):
    differences = features - gamma * next_features
    a = features.T @ differences
    b = features.T @ rewards
    return np.linalg.solve(a, b)


def lstd_by_loop(features, rewards, next_features, gamma):
    size = features.shape[1]
    a, b = np.zeros((size, size)), np.zeros(size)
    for h, r, after in zip(features, rewards, next_features, strict=True):
        a += np.outer(h, h - gamma * after)
        b += r * h
    return np.linalg.inv(a) @ b


def lstd_by_mean(features, rewards, next_features, gamma):
    a = np.einsum("ni,nj->ij", features, features - gamma * next_features) / len(rewards)
    return np.linalg.lstsq(a, (rewards[:, None] * features).mean(axis=0))[0]


def transposed(features, rewards, next_features, gamma):
    differences = features - gamma * next_features
    return np.linalg.solve(differences.T @ features, features.T @ rewards)


def least_residual(features, rewards, next_features, gamma):
    return np.linalg.lstsq(features - gamma * next_features, rewards)[0]


def no_bootstrapping(features, rewards, next_features, gamma):
    return np.linalg.lstsq(features, rewards)[0]


def discount_forgotten(features, rewards, next_features, gamma):
    return np.linalg.solve(features.T @ (features - next_features), features.T @ rewards)


def plus_for_minus(features, rewards, next_features, gamma):
    return np.linalg.solve(features.T @ (features + gamma * next_features), features.T @ rewards)


def b_along_differences(features, rewards, next_features, gamma):
    differences = features - gamma * next_features
    return np.linalg.solve(features.T @ differences, differences.T @ rewards)


def not_solved(features, rewards, next_features, gamma):
    return features.T @ rewards


def reward_discounted(features, rewards, next_features, gamma):
    differences = features - gamma * next_features
    return np.linalg.solve(features.T @ differences, features.T @ (gamma * rewards))


def next_features_outside(features, rewards, next_features, gamma):
    return np.linalg.solve(next_features.T @ (features - gamma * next_features), next_features.T @ rewards)


def draw(rng):
    count, size = int(rng.integers(12, 20)), int(rng.integers(2, 4))
    features = rng.standard_normal((count, size))
    # What follows resembles what was there, as along a trajectory: the system is well conditioned.
    next_features = 0.5 * features + 0.4 * rng.standard_normal((count, size))
    return features, rng.standard_normal(count), next_features, float(rng.uniform(0.4, 0.8))


def expected(features, rewards, next_features, gamma):
    """The mean step is a straight line in w: measured at zero and at each unit vector, and solved for its zero."""

    def mean_step(w):
        deltas = [
            r + gamma * np.dot(w, g) - np.dot(w, h) for h, r, g in zip(features, rewards, next_features, strict=True)
        ]
        return np.mean([delta * h for delta, h in zip(deltas, features, strict=True)], axis=0)

    size = features.shape[1]
    at_zero = mean_step(np.zeros(size))
    columns = np.stack([mean_step(np.eye(size)[i]) - at_zero for i in range(size)], axis=1)
    return np.linalg.solve(columns, -at_zero)


RIGHT = {"model": lstd, "loop": lstd_by_loop, "mean": lstd_by_mean}

QUESTION = Question(
    name="b5-lstd",
    title="TD's fixed point from transitions",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="At TD's fixed point the sum of TD error times features over the batch is zero. At yours it is not.",
    expected=expected,
    parts=(Part("any transitions", 8, draw),),
    right=RIGHT,
    wrong={
        "transposed": Wrong(
            transposed,
            "Your A is transposed. Its rows belong to the features that are moved along, its columns to the weights in the "
            "TD error.",
        ),
        "least residual": Wrong(
            least_residual,
            "You found the least mean squared TD error. That differentiates the target too; TD asks that the error be "
            "orthogonal to the features.",
        ),
        "no bootstrapping": Wrong(
            no_bootstrapping,
            "You fitted the rewards alone. The target also holds the discounted value of the next state.",
        ),
        "discount forgotten": Wrong(
            discount_forgotten,
            "You subtracted the next features without the discount.",
        ),
        "plus for minus": Wrong(
            plus_for_minus,
            "The next features came in with the wrong sign: what follows is in the target, so in A it is subtracted.",
        ),
        "b along differences": Wrong(
            b_along_differences,
            "A is right. In b each reward multiplies the features h of its state, not the differences.",
        ),
        "not solved": Wrong(
            not_solved,
            "This is b. The weights solve A w = b.",
        ),
        "reward discounted": Wrong(
            reward_discounted,
            "You discounted the rewards. The reward of a step is paid at once; only what follows is discounted.",
        ),
        "next features outside": Wrong(
            next_features_outside,
            "You moved along the next state's features. The sums have h, of the state that was left, on the outside.",
        ),
    },
)

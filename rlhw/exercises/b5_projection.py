"""Question b5-projection: how near the features come, and how near TD comes."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
How much farther from the truth does TD end than the best fit? Given the chain under the policy, `kernel` (S by S) and
`rewards` (S), the discount, the features (S by D, with D less than S) and the weights `d` of the states, return
$\Vert v_\pi - \Phi w_{\mathrm{TD}}\Vert_d \,/\, \Vert v_\pi - \Pi v_\pi\Vert_d$, one number. You need $v_\pi$ from
Bellman's equation, the best fit, and TD's fixed point. On-policy the answer is at most $1/\sqrt{1-\gamma^2}$; here
`d` may be anything.
"""

STUB = """
def td_over_best(kernel, rewards, gamma, features, d):
    ...
"""


def td_over_best(kernel, rewards, gamma, features, d):
    v = np.linalg.solve(np.eye(len(d)) - gamma * kernel, rewards)
    weighted = features.T * d
    best = features @ np.linalg.solve(weighted @ features, weighted @ v)
    a = weighted @ (features - gamma * kernel @ features)
    td = features @ np.linalg.solve(a, weighted @ rewards)
    return float(np.sqrt(d @ (v - td) ** 2 / (d @ (v - best) ** 2)))


def _pieces(kernel, rewards, gamma, features, d):
    v = np.linalg.solve(np.eye(len(d)) - gamma * kernel, rewards)
    root = np.sqrt(d)
    best = features @ np.linalg.lstsq(root[:, None] * features, root * v)[0]
    weighted = d[:, None] * features
    td = features @ np.linalg.solve(weighted.T @ (features - gamma * kernel @ features), weighted.T @ rewards)
    return v, best, td


def td_over_best_by_projection(kernel, rewards, gamma, features, d):
    states = len(d)
    v = np.linalg.inv(np.eye(states) - gamma * kernel) @ rewards
    xi = np.diag(d)
    pi = features @ np.linalg.inv(features.T @ xi @ features) @ features.T @ xi
    td = np.linalg.solve(np.eye(states) - gamma * pi @ kernel, pi @ rewards)
    return np.sqrt((v - td) @ xi @ (v - td)) / np.sqrt((v - pi @ v) @ xi @ (v - pi @ v))


def squares(kernel, rewards, gamma, features, d):
    v, best, td = _pieces(kernel, rewards, gamma, features, d)
    return float(d @ (v - td) ** 2 / (d @ (v - best) ** 2))


def upside_down(kernel, rewards, gamma, features, d):
    v, best, td = _pieces(kernel, rewards, gamma, features, d)
    return float(np.sqrt(d @ (v - best) ** 2 / (d @ (v - td) ** 2)))


def norm_not_weighted(kernel, rewards, gamma, features, d):
    v, best, td = _pieces(kernel, rewards, gamma, features, d)
    return float(np.linalg.norm(v - td) / np.linalg.norm(v - best))


def fit_not_weighted(kernel, rewards, gamma, features, d):
    v, _, td = _pieces(kernel, rewards, gamma, features, d)
    best = features @ np.linalg.lstsq(features, v)[0]
    return float(np.sqrt(d @ (v - td) ** 2 / (d @ (v - best) ** 2)))


def least_bellman_error(kernel, rewards, gamma, features, d):
    v, best, _ = _pieces(kernel, rewards, gamma, features, d)
    root = np.sqrt(d)
    fit = features @ np.linalg.lstsq(root[:, None] * (features - gamma * kernel @ features), root * rewards)[0]
    return float(np.sqrt(d @ (v - fit) ** 2 / (d @ (v - best) ** 2)))


def td_against_best(kernel, rewards, gamma, features, d):
    v, best, td = _pieces(kernel, rewards, gamma, features, d)
    return float(np.sqrt(d @ (best - td) ** 2 / (d @ (v - best) ** 2)))


def the_bound(kernel, rewards, gamma, features, d):
    return float(1 / np.sqrt(1 - gamma**2))


def always_one(kernel, rewards, gamma, features, d):
    return 1.0


def td_transposed(kernel, rewards, gamma, features, d):
    v, best, _ = _pieces(kernel, rewards, gamma, features, d)
    weighted = d[:, None] * features
    a = weighted.T @ (features - gamma * kernel @ features)
    td = features @ np.linalg.solve(a.T, weighted.T @ rewards)
    return float(np.sqrt(d @ (v - td) ** 2 / (d @ (v - best) ** 2)))


def draw(rng):
    states = int(rng.integers(4, 7))
    kernel = rng.dirichlet(np.ones(states), size=states)
    return (
        kernel,
        rng.standard_normal(states),
        0.7,
        rng.standard_normal((states, 2)),
        rng.dirichlet(np.full(states, 4.0)),
    )


def expected(kernel, rewards, gamma, features, d):
    """In coordinates in which the norm is the plain one: an orthonormal basis of the features, and equations in it."""
    v, power = np.zeros(len(d)), np.array(rewards, dtype=float)
    for _ in range(200):  # the sum of discounted rewards, term by term
        v, power = v + power, gamma * kernel @ power
    root = np.sqrt(d)
    basis, _ = np.linalg.qr(root[:, None] * features)
    moved = root[:, None] * kernel / root
    inside = np.linalg.solve(np.eye(basis.shape[1]) - gamma * basis.T @ moved @ basis, basis.T @ (root * rewards))
    truth = root * v
    return float(np.linalg.norm(truth - basis @ inside) / np.linalg.norm(truth - basis @ (basis.T @ truth)))


RIGHT = {"model": td_over_best, "projection": td_over_best_by_projection}

QUESTION = Question(
    name="b5-projection",
    title="How near TD comes",
    stars=3,
    minutes=20,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="The ratio is that of two distances from the truth, both with the states weighted by d. Yours differs.",
    expected=expected,
    parts=(Part("any chain, features and weights", 10, draw, cases=6),),
    right=RIGHT,
    wrong={
        "squares": Wrong(
            squares,
            "This is the ratio of the squared distances. The norm has a root.",
        ),
        "upside down": Wrong(
            upside_down,
            "The fraction is upside down: nothing linear is nearer than the best fit, so the ratio is at least one.",
        ),
        "norm not weighted": Wrong(
            norm_not_weighted,
            "Both fits are right, but their distances from the truth are measured with all states alike. The norm has weights d.",
        ),
        "fit not weighted": Wrong(
            fit_not_weighted,
            "Your best fit counts all states alike. The projection is the nearest in the norm with the weights d.",
        ),
        "least bellman error": Wrong(
            least_bellman_error,
            "You took the weights with the least Bellman error. TD's fixed point makes only its projected part zero.",
        ),
        "td against best": Wrong(
            td_against_best,
            "Your numerator is the distance of TD from the best fit. It is asked how far TD is from the truth.",
        ),
        "the bound": Wrong(
            the_bound,
            "This is the on-policy bound, which knows nothing of these features. Compute both errors.",
        ),
        "always one": Wrong(
            always_one,
            "You answered that TD finds the best fit. With a table it does; with few features it ends elsewhere.",
        ),
        "td transposed": Wrong(
            td_transposed,
            "The matrix of TD's system is transposed. Its rows belong to the features that are moved along, its columns to the "
            "weights in the TD error.",
        ),
    },
)

"""Softmax policies on a few arms: the score, the exact gradient, and its estimates from samples.

One question, A possible answers ("arms"), logits z, policy p = softmax(z). Everything here is small enough to be
known exactly, so that every estimate can be held against its answer. Chapters 1 and 2.
"""

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


def softmax(logits: Float[Array, " A"]) -> Float[Array, " A"]:
    """Probabilities of a softmax policy.

    p_i = exp(z_i) / Σ_j exp(z_j), computed after subtracting max z, which leaves p unchanged and avoids overflow.
    Raises ValueError when a logit is not finite.

    >>> softmax(np.log([1.0, 2.0, 1.0]))
    array([0.25, 0.5 , 0.25])
    """
    weights = np.exp(_finite("logits", logits) - np.max(logits))
    return weights / weights.sum()


def log_softmax(logits: Float[Array, " A"]) -> Float[Array, " A"]:
    """Log-probabilities: log p_i = z_i - log Σ_j exp(z_j). Finite even where p_i underflows to 0.

    >>> log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    shifted = _finite("logits", logits) - np.max(logits)
    return shifted - np.log(np.exp(shifted).sum())


def score(logits: Float[Array, " A"], action: int) -> Float[Array, " A"]:
    """The score of one action: the gradient of its log-probability with respect to the logits.

    ∂ log p_y / ∂z = 1_y - p, where 1_y is one at the action y and zero elsewhere. Its entries sum to zero.

    >>> score(np.log([1.0, 2.0, 1.0]), action=1)
    array([-0.25,  0.5 , -0.25])
    """
    indicator = np.zeros_like(logits)
    indicator[action] = 1.0
    return indicator - softmax(logits)


def cloning_gradient(logits: Float[Array, " A"], teacher: Float[Array, " A"]) -> Float[Array, " A"]:
    """Exact gradient of J_MLE(z) = Σ_y teacher_y log p_y: the teacher's probabilities minus ours.

    >>> cloning_gradient(np.zeros(2), teacher=np.array([0.9, 0.1]))
    array([ 0.4, -0.4])
    """
    return teacher - softmax(logits)


def exact_gradient(logits: Float[Array, " A"], rewards: Float[Array, " A"]) -> Float[Array, " A"]:
    """Exact gradient of J_RL(z) = Σ_y p_y r_y: probability times advantage, ∂J/∂z_i = p_i (r_i - V), V = Σ_y p_y r_y.

    Source: Sutton & Barto (2018), section 2.8.

    >>> exact_gradient(np.zeros(2), rewards=np.array([1.0, 0.0]))
    array([ 0.25, -0.25])
    """
    probabilities = softmax(logits)
    return probabilities * (rewards - probabilities @ rewards)


def sample_actions(logits: Float[Array, " A"], uniforms: Float[Array, " N"]) -> Int[Array, " N"]:
    """Actions by inverting the distribution function: the first i with u < p_0 + … + p_i.

    A sample is a function of (policy, uniform number), so the same numbers give the same actions everywhere.
    uniforms lie in [0, 1); numbers outside raise ValueError.

    >>> sample_actions(np.log([1.0, 2.0, 1.0]), np.array([0.1, 0.25, 0.7, 0.9]))
    array([0, 1, 1, 2])
    """
    if not np.all((uniforms >= 0) & (uniforms < 1)):
        raise ValueError("uniforms must lie in [0, 1); draw them with rng.random(n).")
    below = np.searchsorted(np.cumsum(softmax(logits)), uniforms, side="right")
    # Rounding can leave the last cumulative sum a hair under 1; a number above it belongs to the last arm.
    return np.minimum(below, len(logits) - 1)


def weighted_scores(
    logits: Float[Array, " A"], actions: Int[Array, " N"], weights: Float[Array, " N"]
) -> Float[Array, "N A"]:
    """One row a sample: weight times score, w_n (1_{y_n} - p). Cloning has w = 1, REINFORCE has w = r - b.

    >>> weighted_scores(np.zeros(2), np.array([0, 1]), np.array([2.0, 1.0]))
    array([[ 1. , -1. ],
           [-0.5,  0.5]])
    """
    return weights[:, None] * (np.eye(len(logits))[actions] - softmax(logits))


def reinforce_estimates(
    logits: Float[Array, " A"], rewards: Float[Array, " A"], actions: Int[Array, " N"], baseline: float = 0.0
) -> Float[Array, "N A"]:
    """One-sample estimates of the exact gradient, one row a sample: (r_{y_n} - b)(1_{y_n} - p).

    The baseline b is one number. A baseline that looks at the sampled action adds the bias -E[b(y) ∂log p_y], so
    anything but one finite number raises ValueError. Source: Williams (1992), equation 8.

    >>> reinforce_estimates(np.zeros(2), np.array([1.0, 0.0]), np.array([0, 1]), baseline=0.5)
    array([[ 0.25, -0.25],
           [ 0.25, -0.25]])
    """
    return weighted_scores(logits, actions, rewards[actions] - one_number(baseline))


def leave_one_out(rewards: Float[Array, " N"]) -> Float[Array, " N"]:
    """For each sample the mean reward of the others: b_n = Σ_{m≠n} r_m / (N - 1). It never saw y_n, so it adds no bias.

    Raises ValueError for fewer than two samples. Source: Kool et al. (2019).

    >>> leave_one_out(np.array([1.0, 2.0, 6.0]))
    array([4. , 3.5, 1.5])
    """
    if len(rewards) < 2:
        raise ValueError("rewards must hold at least two samples: with one there are no others to average.")
    return (rewards.sum() - rewards) / (len(rewards) - 1)


def gradient_variance(
    logits: Float[Array, " A"], rewards: Float[Array, " A"], baseline: float = 0.0, noise: float = 0.0
) -> float:
    """Exact total variance of a one-sample estimate, the trace of its covariance.

    Σ_y p_y ((r_y - b)² + noise) |1_y - p|² - |∂J|². `rewards` are the mean rewards, `noise` is the variance of a reward
    around its mean, the same for each arm (0: sure rewards).

    >>> round(gradient_variance(np.log([0.9, 0.1]), np.array([1.0, 0.0])), 4)
    0.0018
    """
    squares = (rewards - one_number(baseline)) ** 2 + noise
    mean_square = softmax(logits) @ (squares * squared_score_norms(logits))
    return float(mean_square - np.sum(exact_gradient(logits, rewards) ** 2))


def optimal_baseline(logits: Float[Array, " A"], rewards: Float[Array, " A"]) -> float:
    """The number b that makes `gradient_variance` least: b* = E[r |1_y - p|²] / E[|1_y - p|²].

    It weighs rewards by the squared length of the score; the value V = E[r] does not. Where the policy is so sure that all
    scores it meets are exactly zero, every b is as good and V is returned. Source: Greensmith et al. (2004).

    >>> round(optimal_baseline(np.log([0.9, 0.1]), np.array([1.0, 0.0])), 6)
    0.1
    """
    probabilities = softmax(logits)
    weights = probabilities * squared_score_norms(logits)
    if weights.sum() == 0.0:
        return float(probabilities @ rewards)
    return float(weights @ rewards / weights.sum())


def squared_score_norms(logits: Float[Array, " A"]) -> Float[Array, " A"]:
    """|1_y - p|² for each action y, equal to 1 - 2 p_y + Σ_j p_j².

    Summed entry by entry: where the policy is nearly sure that short form cancels to rounding error, and b* with it.

    >>> squared_score_norms(np.zeros(2))
    array([0.5, 0.5])
    """
    return np.sum((np.eye(len(logits)) - softmax(logits)) ** 2, axis=1)


def entropy(logits: Float[Array, " A"]) -> float:
    """Entropy of the policy in nats: H = -Σ_i p_i log p_i. log A for the uniform policy, 0 for a sure one.

    >>> round(entropy(np.log([0.5, 0.25, 0.25])) / float(np.log(2)), 12)
    1.5
    """
    return float(-softmax(logits) @ log_softmax(logits))


def one_number(baseline: object) -> float:
    """The baseline as a float; ValueError in one sentence when it is not one finite number."""
    if np.ndim(baseline) != 0 or callable(baseline) or not np.isfinite(baseline):
        raise ValueError(
            "baseline must be one finite number, the same for every action: a baseline that depends on the sampled "
            "action changes the mean of the gradient; use leave_one_out for a baseline of the other samples."
        )
    return float(baseline)


def _finite(name: str, values: Float[Array, " A"]) -> Float[Array, " A"]:
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} must be finite; entry {int(np.argmin(np.isfinite(values)))} is not.")
    return values

"""Importance weights of whole episodes, exactly: how their variance, and that of the estimates, grows with the horizon.

The simplest episode that shows it: T steps, at each the same A actions, no states. A behavior policy μ acts, and the value
of a target policy π is wanted: v = T Σ_a π(a) r(a), the mean of the return G under π. An episode weighs W = Π_t ρ_t with
ρ_t = π(a_t)/μ(a_t). Estimates from episodes themselves, of any MDP, are in `off_policy`. Source: Precup, Sutton & Singh (2000).
"""

import numpy as np
from jaxtyping import Float

Array = np.ndarray


def second_moment(target: Float[Array, " A"], behavior: Float[Array, " A"]) -> float:
    """E_μ[ρ²] = Σ_a π(a)²/μ(a), which is 1 where the policies agree and greater everywhere else.

    Raises ValueError for what is no law, and where μ never takes an action that π takes: then nothing can be said of it.

    >>> round(second_moment(np.array([0.8, 0.2]), np.array([0.5, 0.5])), 2)
    1.36
    """
    for name, law in (("target", target), ("behavior", behavior)):
        if not (np.all(law >= 0) and np.isclose(law.sum(), 1, rtol=0, atol=1e-6)):
            raise ValueError(f"{name} must be probabilities that sum to 1, one an action; got {law}.")
    if len(target) != len(behavior):
        raise ValueError(f"target and behavior must have as many actions; got {len(target)} and {len(behavior)}.")
    lost = np.flatnonzero((target > 0) & (behavior == 0))
    if len(lost):
        raise ValueError(f"behavior must give action {lost[0]} some probability: target takes it, so it must be seen.")
    taken = target > 0
    return float((target[taken] ** 2 / behavior[taken]).sum())


def weight_variance(target: Float[Array, " A"], behavior: Float[Array, " A"], horizon: int) -> float:
    """Var_μ[W] = E_μ[ρ²]^T - 1: the mean of W is 1 at every horizon T, and its variance grows like a power.

    Of n episodes n/(1 + Var[W]) count, roughly. Raises ValueError as `second_moment` does, and for a horizon below 1.

    >>> [round(weight_variance(np.array([0.8, 0.2]), np.array([0.5, 0.5]), T), 2) for T in (1, 10, 20)]
    [0.36, 20.65, 467.57]
    """
    return second_moment(target, behavior) ** _at_least_one(horizon) - 1


def ordinary_variance(
    target: Float[Array, " A"], behavior: Float[Array, " A"], rewards: Float[Array, " A"], horizon: int
) -> float:
    """Var_μ[W G], of one episode's ordinary estimate, which has the mean v: E_μ[W² G²] - v².

    W² tilts μ to the law q ∝ π²/μ of independent steps, so E_μ[W² G²] = E_μ[ρ²]^T E_q[G²]. The mean of n episodes has the
    variance divided by n. Raises ValueError as `weight_variance` does.

    >>> round(ordinary_variance(np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.array([1.0, 0.0]), 10), 2)
    1865.47
    """
    m, tilt = _tilted(target, behavior, rewards, horizon)
    return m**horizon * _square_of_sum(tilt, rewards, horizon) - (horizon * float(target @ rewards)) ** 2


def weighted_variance(
    target: Float[Array, " A"], behavior: Float[Array, " A"], rewards: Float[Array, " A"], horizon: int
) -> float:
    """n times the variance of the weighted estimate Σ W G / Σ W for many episodes n: E_μ[W² (G - v)²].

    It is the ordinary one's with the return counted from v, for a sum of weights that is off pulls numerator and denominator
    alike. For few episodes the estimate is biased besides. Raises ValueError as `weight_variance` does.

    >>> round(weighted_variance(np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.array([1.0, 0.0]), 10), 2)
    55.13
    """
    m, tilt = _tilted(target, behavior, rewards, horizon)
    return m**horizon * _square_of_sum(tilt, rewards - target @ rewards, horizon)


def per_decision_variance(
    target: Float[Array, " A"], behavior: Float[Array, " A"], rewards: Float[Array, " A"], horizon: int
) -> float:
    """Var_μ[Σ_t ρ_1…ρ_t r_t], of one episode's per-decision estimate: no reward waits for the ratios of later steps.

    With m = E_μ[ρ²] and q ∝ π²/μ the square's mean is Σ_t m^t (E_q[r²] + 2 (T - t) E_q[r] E_π[r]): each of the T - t steps s
    that follow t adds ρ_{t+1}…ρ_s r_s, whose mean is E_π[r]. Raises ValueError as `weight_variance` does.

    >>> round(per_decision_variance(np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.array([1.0, 0.0]), 10), 2)
    278.79
    """
    m, tilt = _tilted(target, behavior, rewards, horizon)
    first, second, value = float(tilt @ rewards), float(tilt @ rewards**2), float(target @ rewards)
    steps = np.arange(1, horizon + 1)
    square = m**steps @ (second + 2 * (horizon - steps) * first * value)
    return float(square) - (horizon * value) ** 2


def _tilted(target: Array, behavior: Array, rewards: Array, horizon: int) -> tuple[float, Array]:
    """m = E_μ[ρ²] and the law q ∝ π²/μ of the actions, once all arguments are found to be in order."""
    m = second_moment(target, behavior)
    if len(rewards) != len(target):
        raise ValueError(f"rewards must be one number an action, {len(target)}; got {len(rewards)}.")
    _at_least_one(horizon)
    return m, np.divide(target**2, behavior, out=np.zeros(len(target)), where=target > 0) / m


def _square_of_sum(law: Array, rewards: Array, horizon: int) -> float:
    """E[(r_1 + … + r_T)²] of independent steps under a law of the actions: T Var[r] + (T E[r])²."""
    mean = float(law @ rewards)
    return horizon * float(law @ (rewards - mean) ** 2) + (horizon * mean) ** 2


def _at_least_one(horizon: int) -> int:
    if horizon < 1:
        raise ValueError(f"horizon must be 1 or more steps; got {horizon}.")
    return horizon

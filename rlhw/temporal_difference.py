"""Learning to predict: the values of a policy from its episodes alone, by Monte Carlo, TD(0), n steps and traces.

At step t the state is s_t, and r_t is paid on the way to s_{t+1}. V(s_t) stands at values[t]; the last entry is the value of
the state an episode ends in, 0 where that is terminal.

The learners are generators. A stream holds one `Episodes` after the other: N learners side by side, a row each, so that many
seeds cost no more loops than one. After each they yield their estimates "N S". `step_size` makes the step from the number of
visits of a state, this one included: `lambda visits: 0.1` is constant, `lambda visits: 1 / visits` makes plain averages.
Chapter B3; Sutton & Barto (2018), chapters 5, 6, 7 and 12.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int, Real

from rlhw.mdp import Episodes

Array = np.ndarray
StepSize = Callable[[Int[Array, "*N"]], Float[Array, "*N"] | float]


def returns(rewards: Real[Array, "*N T"], gamma: float) -> Float[Array, "*N T"]:
    """G_t = r_t + γ r_{t+1} + γ² r_{t+2} + … to the end: what was really earned from each step on. Sutton & Barto, eq. 3.8.

    Raises ValueError unless gamma is in [0, 1].

    >>> returns(np.array([0.0, 0.0, 8.0]), gamma=0.5)
    array([2., 4., 8.])
    """
    _unit("gamma", gamma)
    rewards = np.asarray(rewards, dtype=float)  # a table of whole numbers would cut the discounted sums
    found, after = np.empty_like(rewards), np.zeros_like(rewards[..., 0])
    for t in reversed(range(rewards.shape[-1])):
        found[..., t] = after = rewards[..., t] + gamma * after
    return found


def n_step_returns(
    rewards: Real[Array, "*N T"], values: Real[Array, "*N T+1"], gamma: float, n: int
) -> Float[Array, "*N T"]:
    """n rewards, then the value: r_t + … + γ^{n-1} r_{t+n-1} + γ^n V(s_{t+n}); near the end as many rewards as there are.

    Built as it is defined: one more step in front of the target of n - 1 steps. n = 1 is the target of TD(0), n ≥ T that of
    Monte Carlo. Raises ValueError unless gamma is in [0, 1] and n at least 1. Sutton & Barto, eq. 7.1.

    >>> n_step_returns(np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.0, 7.0, 0.0]), gamma=0.5, n=2)
    array([3.75, 3.5 , 3.  ])
    """
    _unit("gamma", gamma)
    _steps(n)
    targets = values
    for _ in range(min(n, rewards.shape[-1])):
        targets = np.concatenate([rewards + gamma * targets[..., 1:], values[..., -1:]], axis=-1)
    return targets[..., :-1]


def lambda_returns(
    rewards: Real[Array, "*N T"], values: Real[Array, "*N T+1"], gamma: float, lam: float
) -> Float[Array, "*N T"]:
    """G^λ_t = r_t + γ ((1 - λ) V(s_{t+1}) + λ G^λ_{t+1}): the n-step returns, averaged with weights (1 - λ) λ^{n-1}.

    What is left of the weights is on the whole return. λ = 0 is TD(0), λ = 1 Monte Carlo; less V(s_t) it is GAE.
    Raises ValueError unless gamma and lam are in [0, 1]. Sutton & Barto, eq. 12.3.

    >>> lambda_returns(np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.0, 7.0, 0.0]), gamma=0.5, lam=0.5)
    array([4.125, 4.5  , 3.   ])
    """
    _unit("gamma", gamma)
    _unit("lam", lam)
    rewards = np.asarray(rewards, dtype=float)
    found, after = np.empty_like(rewards), values[..., -1]
    for t in reversed(range(rewards.shape[-1])):
        found[..., t] = after = rewards[..., t] + gamma * ((1 - lam) * values[..., t + 1] + lam * after)
    return found


def backward_view(
    states: Int[Array, " _"], rewards: Real[Array, " T"], values: Real[Array, " S"], gamma: float, lam: float
) -> Float[Array, " S"]:
    """Σ_t δ_t e_t over an episode (states "T+1"), V held still: each TD error goes to all states visited, by their traces.

    A trace e(s) grows by one at each visit of s and fades by γλ a step. The sum equals Σ_t (G^λ_t - V(s_t)) at s_t, the
    forward view. Raises ValueError unless gamma and lam are in [0, 1]. Sutton & Barto, section 12.2.

    >>> backward_view(np.array([0, 1, 2]), np.array([0.0, 1.0]), np.zeros(3), gamma=1.0, lam=0.5)
    array([0.5, 1. , 0. ])
    """
    _unit("gamma", gamma)
    _unit("lam", lam)
    errors = rewards + gamma * values[states[1:]] - values[states[:-1]]
    traces, total = np.zeros(values.shape), np.zeros(values.shape)
    for state, error in zip(states[:-1], errors, strict=True):
        traces *= gamma * lam
        traces[state] += 1
        total += error * traces
    return total


def mc_prediction(
    stream: Iterable[Episodes],
    values: Float[Array, " S"],
    gamma: float,
    step_size: StepSize,
    every_visit: bool = False,
) -> Iterator[Float[Array, "N S"]]:
    """Monte Carlo: V(s_t) moves towards the return G_t, at the first visit of an episode or at every one.

    Raises ValueError when gamma is not in [0, 1], and for an episode that was cut, so that its return is not known: it stops in
    a state that some learner has left. (A cut where nobody has gone on yet looks like an end.) Sutton & Barto, section 5.1.

    >>> walk = Episodes(np.array([[0, 0, 1]]), np.zeros((1, 2), int), np.ones((1, 2)), np.ones((1, 2), bool))
    >>> for every in (False, True):
    ...     print(*mc_prediction([walk], np.zeros(2), 1.0, lambda visits: 1 / visits, every_visit=every))
    [[2. 0.]]
    [[1.5 0. ]]
    """
    _unit("gamma", gamma)
    for episode, tables, counts in _side_by_side(stream, values):
        earned, learners = returns(episode.rewards, gamma), np.arange(len(tables))
        seen = np.zeros(tables.shape, dtype=bool)
        for t in range(episode.mask.shape[1]):
            here = learners, episode.states[:, t]
            counted = episode.mask[:, t] & (every_visit | ~seen[here])
            seen[here] = True
            _move(tables, counts, episode.states[:, t], earned[:, t], counted, step_size)
        ends = episode.states[:, -1]
        if np.any(cut := counts.any(axis=0)[ends]):
            raise ValueError(
                f"stream holds an episode that was cut in state {ends[cut.argmax()]}, which is no end: Monte Carlo needs whole "
                "episodes. Raise max_steps, or learn by TD."
            )
        yield tables.copy()


def td_prediction(
    stream: Iterable[Episodes], values: Float[Array, " S"], gamma: float, step_size: StepSize
) -> Iterator[Float[Array, "N S"]]:
    """TD(0): V(s_t) moves by step · δ_t, δ_t = r_t + γ V(s_{t+1}) - V(s_t), at once, in the midst of the episode.

    Raises ValueError unless gamma is in [0, 1]. Sutton & Barto, eq. 6.2.

    >>> walk = Episodes(np.array([[0, 1, 2]]), np.zeros((1, 2), int), np.array([[0.0, 1.0]]), np.ones((1, 2), bool))
    >>> print(*td_prediction([walk, walk], np.zeros(3), gamma=1.0, step_size=lambda visits: 0.5))
    [[0.  0.5 0. ]] [[0.25 0.75 0.  ]]
    """
    _unit("gamma", gamma)
    for episode, tables, counts in _side_by_side(stream, values):
        learners = np.arange(len(tables))
        for t in range(episode.mask.shape[1]):
            targets = episode.rewards[:, t] + gamma * tables[learners, episode.states[:, t + 1]]
            _move(tables, counts, episode.states[:, t], targets, episode.mask[:, t], step_size)
        yield tables.copy()


def n_step_td(
    stream: Iterable[Episodes], values: Float[Array, " S"], gamma: float, step_size: StepSize, n: int
) -> Iterator[Float[Array, "N S"]]:
    """n-step TD: n steps after a visit, or at the end, V(s_t) moves towards the n-step return with the values of that moment.

    Raises ValueError unless gamma is in [0, 1] and n at least 1. Sutton & Barto, section 7.1.

    >>> walk = Episodes(np.array([[0, 1, 2]]), np.zeros((1, 2), int), np.array([[0.0, 1.0]]), np.ones((1, 2), bool))
    >>> print(*n_step_td([walk], np.zeros(3), gamma=1.0, step_size=lambda visits: 0.5, n=2))
    [[0.5 0.5 0. ]]
    """
    _unit("gamma", gamma)
    _steps(n)
    for episode, tables, counts in _side_by_side(stream, values):
        learners, lengths = np.arange(len(tables)), episode.mask.sum(axis=1)
        for t in range(episode.mask.shape[1]):
            rewards = episode.rewards[:, t : t + n]
            ahead = np.clip(lengths - t, 0, n)  # steps to the state that is looked up: fewer than n near the end
            looked_up = tables[learners, episode.states[learners, t + ahead]]
            targets = rewards @ gamma ** np.arange(rewards.shape[1]) + gamma**ahead * looked_up
            _move(tables, counts, episode.states[:, t], targets, episode.mask[:, t], step_size)
        yield tables.copy()


def td_lambda(
    stream: Iterable[Episodes], values: Float[Array, " S"], gamma: float, step_size: StepSize, lam: float
) -> Iterator[Float[Array, "N S"]]:
    """TD(λ): each TD error moves, at once, all states visited in this episode, by step · δ_t · trace. Traces add up.

    Raises ValueError unless gamma and lam are in [0, 1]. Sutton & Barto, section 12.2.

    >>> walk = Episodes(np.array([[0, 1, 2]]), np.zeros((1, 2), int), np.array([[0.0, 1.0]]), np.ones((1, 2), bool))
    >>> print(*td_lambda([walk], np.zeros(3), gamma=1.0, step_size=lambda visits: 0.5, lam=0.5))
    [[0.25 0.5  0.  ]]
    """
    _unit("gamma", gamma)
    _unit("lam", lam)
    for episode, tables, counts in _side_by_side(stream, values):
        learners, traces = np.arange(len(tables)), np.zeros_like(tables)
        for t in range(episode.mask.shape[1]):
            here, active = (learners, episode.states[:, t]), episode.mask[:, t]
            targets = episode.rewards[:, t] + gamma * tables[learners, episode.states[:, t + 1]]
            errors = np.where(active, targets - tables[here], 0.0)
            traces *= gamma * lam
            traces[here] += active
            counts[here] += active
            # A state that was never visited has no trace; counting it as visited once spares a division by zero.
            tables += step_size(np.maximum(counts, 1)) * errors[:, None] * traces
        yield tables.copy()


def _side_by_side(
    stream: Iterable[Episodes], values: Float[Array, " S"]
) -> Iterator[tuple[Episodes, Float[Array, "N S"], Int[Array, "N S"]]]:
    """Each episode with the learners' tables of values and of visits, made at the first episode and kept."""
    tables = counts = None
    for episode in stream:
        if tables is None:
            tables = np.tile(np.asarray(values, dtype=float), (len(episode.states), 1))
            counts = np.zeros(tables.shape, dtype=int)
        yield episode, tables, counts


def _move(
    tables: Float[Array, "N S"],
    counts: Int[Array, "N S"],
    states: Int[Array, " N"],
    targets: Float[Array, " N"],
    active: Bool[Array, " N"],
    step_size: StepSize,
) -> None:
    """In place, for the active learners: count the visit, and move V(s) towards the target by the step of this visit."""
    rows = np.flatnonzero(active)
    here = rows, states[rows]
    counts[here] += 1
    tables[here] += step_size(counts[here]) * (targets[rows] - tables[here])


def _unit(name: str, number: float) -> None:
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be in [0, 1]; got {number}.")


def _steps(n: int) -> None:
    if n < 1:
        raise ValueError(f"n must be 1 or more steps; got {n}.")

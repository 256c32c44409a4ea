"""A dialogue small enough to be enumerated: in each turn one of three replies, and a wrong one loses the thread.

A dialogue is on track or lost. On track the right reply is GO_ON, any other loses the thread. Once lost, going on does not help:
only REPAIR leads back. A turn that ends on track earns 1. So the best policy earns T in T turns, a first wrong reply makes the
next turn harder, and every mean is a sum over 3^T dialogues.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

ON_TRACK, LOST = 0, 1
GO_ON, REPAIR, CHATTER = 0, 1, 2
# 3^12 dialogues are half a million.
MOST_TURNS = 12


@dataclass(frozen=True)
class Dialogues:
    """All 3^T dialogues: replies, the state before each reply, the reward of each turn, and how likely the dialogue is."""

    replies: Int[ndarray, "N T"]
    states: Int[ndarray, "N T"]
    rewards: Float[ndarray, "N T"]
    chances: Float[ndarray, " N"]


def lost_shares(error: float, repair: float, turns: int) -> Float[ndarray, " T"]:
    """The chance to be lost after each turn: l_t = (1 - l_{t-1}) error + l_{t-1} (1 - repair), l_0 = 0. Equation eq-lost.

    error: the chance of a wrong reply on track; repair: of the right one when lost. Raises ValueError for what is no chance.

    >>> lost_shares(0.1, 0.0, 3).round(3)
    array([0.1  , 0.19 , 0.271])
    """
    _check_chances(error, repair)
    shares, lost = [], 0.0
    for _ in range(turns):
        lost = (1 - lost) * error + lost * (1 - repair)
        shares.append(lost)
    return np.array(shares)


def expected_lost(error: float, repair: float, turns: int) -> float:
    """How many of T turns end lost: (ε/(ε+q)) (T - φ (1 - φ^T)/(1 - φ)) with φ = 1 - ε - q. Equation eq-lost-turns.

    With q = 1 - ε it is ε T; with q = 0 and small ε T it is near ε T (T + 1)/2. 0 for ε = 0. Raises ValueError as `lost_shares`.

    >>> round(expected_lost(0.05, 0.0, 10), 3), round(expected_lost(0.05, 0.95, 10), 3)
    (2.376, 0.5)
    """
    _check_chances(error, repair)
    if error == 0:
        return 0.0
    keep = 1 - error - repair
    return float(error / (error + repair) * (turns - keep * (1 - keep**turns) / (1 - keep)))


def _check_chances(error: float, repair: float) -> None:
    for name, value in (("error", error), ("repair", repair)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability; got {value}.")


def replies_law(logits: Float[ndarray, "*S A"]) -> Float[ndarray, "*S A"]:
    """The softmax of each row."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def enumerate_dialogues(logits: Float[ndarray, "T S A"]) -> Dialogues:
    """Every dialogue of a policy that is a row of logits for each turn and state.

    Raises ValueError for logits of another shape than (T, 2, 3), and for more than 12 turns: 3^T dialogues must fit in memory.

    >>> every = enumerate_dialogues(np.zeros((2, 2, 3)))
    >>> len(every.chances), round(float(every.chances @ every.rewards.sum(axis=1)), 4)
    (9, 0.6667)
    """
    if logits.ndim != 3 or logits.shape[1:] != (2, 3):
        raise ValueError(f"logits must have the shape (turns, 2 states, 3 replies); got {logits.shape}.")
    if len(logits) > MOST_TURNS:
        raise ValueError(f"logits hold {len(logits)} turns; more than {MOST_TURNS} are too many to list all dialogues.")
    turns, law = len(logits), replies_law(logits)
    replies = np.array(list(product((GO_ON, REPAIR, CHATTER), repeat=turns)))
    states, chances = np.zeros_like(replies), np.ones(len(replies))
    ends = np.full(len(replies), ON_TRACK)
    rewards = np.zeros(replies.shape)
    for t in range(turns):
        states[:, t] = ends
        chances = chances * law[t, ends, replies[:, t]]
        ends = np.where(replies[:, t] == np.where(ends == ON_TRACK, GO_ON, REPAIR), ON_TRACK, LOST)
        rewards[:, t] = ends == ON_TRACK
    return Dialogues(replies, states, rewards, chances)


def to_go(rewards: Float[ndarray, "N T"]) -> Float[ndarray, "N T"]:
    """What is still earned from each turn on, the turn itself included."""
    return np.flip(np.cumsum(np.flip(rewards, axis=1), axis=1), axis=1)


def state_values(logits: Float[ndarray, "T S A"]) -> Float[ndarray, "T S"]:
    """v(t, s): what the policy earns on average from turn t on, in each state: what a critic would have to learn."""
    law, turns = replies_law(logits), len(logits)
    values = np.zeros((turns + 1, 2))
    for t in reversed(range(turns)):
        well = np.array([law[t, ON_TRACK, GO_ON], law[t, LOST, REPAIR]])
        values[t] = well * (1 + values[t + 1, ON_TRACK]) + (1 - well) * values[t + 1, LOST]
    return values[:turns]


def mean_and_variance(
    logits: Float[ndarray, "T S A"], every: Dialogues, weights: Float[ndarray, "N T"]
) -> tuple[Float[ndarray, "T S A"], float]:
    """Mean and total variance of the update Σ_t w_t ∇log π(reply t) from one dialogue, by enumeration.

    Any weights may be tried: with `to_go(rewards)` less a baseline that the past decides the mean is the exact gradient.
    """
    turns = np.arange(len(logits))
    scores = np.eye(3)[every.replies] - replies_law(logits)[turns, every.states]
    updates = np.zeros((len(weights), *logits.shape))
    rows = np.arange(len(weights))[:, None]
    updates[rows, turns, every.states] = weights[:, :, None] * scores
    mean = np.tensordot(every.chances, updates, axes=1)
    return mean, float(every.chances @ (updates**2).sum(axis=(1, 2, 3)) - (mean**2).sum())


def cloning_step(
    common: Float[ndarray, " A"], lost: Float[ndarray, " A"], share_lost: float, rate: float
) -> tuple[Float[ndarray, " A"], Float[ndarray, " A"]]:
    """One step of cloning right replies, of which `share_lost` are repairs, for logits that share a part: u on track, u + v lost.

    Both kinds of example move the common part u; only the repairs move v. The exact gradient of the mean log-likelihood.
    """
    on_track = (1 - share_lost) * (np.eye(3)[GO_ON] - replies_law(common))
    repairs = share_lost * (np.eye(3)[REPAIR] - replies_law(common + lost))
    return common + rate * (on_track + repairs), lost + rate * repairs

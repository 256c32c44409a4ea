"""Laws of steps that are limited by a KL: the mean KL, its Fisher matrix, the surrogate, the natural gradient, the step."""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.actor_critic import (
    advantages_in_time,
    decision_worlds,
    earned_in_time,
    live,
    policy_of,
    visits_in_time,
)
from rlhw.laws.oracles import Array, assert_close, log_probabilities_of, numerical_gradient


def kl_by_definition(visits: Array, old: Array, new: Array) -> float:
    """The mean over visits of KL(old, new), term by term."""
    terms = [
        weight * sum(np.exp(p) * (p - q) for p, q in zip(log_probabilities_of(a), log_probabilities_of(b), strict=True))
        for weight, a, b in zip(visits, old, new, strict=True)
    ]
    return float(sum(terms) / sum(visits))


def pairs_of_policies() -> Iterator[tuple[Array, Array, Array, np.random.Generator]]:
    """Visits with a state never visited, old logits, another table of that shape, and the generator."""
    for _, logits, rng in decision_worlds(seed=64):
        visits = rng.uniform(0.3, 3.0, len(logits))
        visits[-1] = 0.0
        yield visits, logits, rng.standard_normal(logits.shape) - 0.4, rng


def check_mean_kl(mean_kl: Callable) -> None:
    """(visits, old logits, new logits) -> KL(old, new) a choice in nats, averaged over the visits."""
    for visits, old, change, _ in pairs_of_policies():
        law = "the mean KL is that of the old policy from the new one, in nats, averaged over states by visits"
        for new in (old + change, old + 500.0 * change):
            assert_close(mean_kl(visits, old, new), kl_by_definition(visits, old, new), law)


def check_fisher(fisher: Callable) -> None:
    """(visits, policy) -> "S A S A": the second derivatives of the mean KL at no step."""
    for visits, old, _, _ in pairs_of_policies():
        policy = policy_of(old)
        scores = np.eye(old.shape[1]) - policy[:, None]
        expected = np.zeros((*old.shape, *old.shape))
        for s, a in np.ndindex(*old.shape):
            expected[s, :, s, :] += visits[s] / sum(visits) * policy[s, a] * np.outer(scores[s, a], scores[s, a])
        got = fisher(visits, policy)
        assert_close(got, expected, "the Fisher matrix is the mean of score times score, transposed")

        def bend(x: Array, visits: Array = visits, old: Array = old) -> Array:
            return numerical_gradient(lambda y: kl_by_definition(visits, old, old + y), x, step=1e-4)

        one = np.zeros(old.shape)
        one[0, 0] = 1e-4
        law = "the Fisher matrix is the curvature of the mean KL"
        assert_close(np.asarray(got)[0, 0], (bend(one) - bend(-one)) / 2e-4, law, tolerance=1e-4)


def check_surrogate(surrogate: Callable) -> None:
    """(*world, old logits, new logits) -> J(old) plus the old advantages of the new choices at the old visits; at no step it has
    the value and the gradient of J.
    """
    for world, old, rng in decision_worlds(seed=65):
        new = old + rng.standard_normal(old.shape)
        policy = policy_of(old)
        gains = np.sum(policy_of(new) * advantages_in_time(world, policy), axis=1)
        law = "the surrogate is J(old) plus the old visits times the mean old advantage of the new choices"
        expected = earned_in_time(world, old) + visits_in_time(world, policy) @ gains
        assert_close(surrogate(*world, old, new), expected, law)
        exact = numerical_gradient(lambda z, world=world: earned_in_time(world, z), old, step=1e-5)
        slope = numerical_gradient(lambda z, world=world, old=old: float(surrogate(*world, old, z)), old, step=1e-5)
        assert_close(slope, exact, "at the old policy the surrogate has the gradient of J", tolerance=1e-7)


def check_natural_gradient(natural_gradient: Callable) -> None:
    """(*world, logits) -> x "S A" with F x = the gradient of J, F the Fisher matrix at the policy's own visits before the end;
    of mean zero in each state and zero where the policy never is.
    """
    for world, logits, _ in decision_worlds(seed=66):
        policy = policy_of(logits)
        visits = np.where(live(world), visits_in_time(world, policy), 0.0)
        blocks = [np.diag(p) - np.outer(p, p) for p in policy]
        x = np.asarray(natural_gradient(*world, logits))
        exact = numerical_gradient(lambda z, world=world: earned_in_time(world, z), logits, step=1e-5)
        product = np.array([w / visits.sum() * block @ row for w, block, row in zip(visits, blocks, x, strict=True)])
        law = "the Fisher matrix times the natural gradient is the gradient"
        assert_close(product, exact, law, tolerance=1e-7)
        assert_close(np.sum(x, axis=1), np.zeros(len(x)), "the natural gradient has mean zero in each state")
        law = "there is no step where the policy never is"
        assert_close(x[visits == 0], np.zeros_like(x[visits == 0]), law)


def check_kl_step(kl_step: Callable) -> None:
    """(visits, logits, direction, kl) -> logits + c direction, c > 0, at a mean KL of exactly kl nats."""
    for visits, logits, direction, rng in pairs_of_policies():
        for kl in (1e-6, 0.01, float(rng.uniform(0.5, 2.0)), 60.0):
            moved = np.asarray(kl_step(visits, logits, direction, kl))
            scale = np.sum((moved - logits) * direction) / np.sum(direction**2)
            law = "the step lies along the direction"
            assert_close(moved, logits + scale * direction, law)
            assert_close(np.sign(scale), 1.0, "the step goes the way of the direction, not against it")
            reached = kl_by_definition(visits, logits, moved) / kl
            assert_close(reached, 1.0, "the mean KL from the old policy is exactly the limit", tolerance=1e-6)

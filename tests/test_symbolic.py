"""The symbolic proofs: they close for several K, their wrong forms do not, and the decision procedure knows zero from near zero."""

import numpy as np
import pytest
import sympy as sp

from rlhw import symbolic

ARMS = [2, 3, 4]
PROOFS = (
    symbolic.softmax_score,
    symbolic.score_identity,
    symbolic.policy_gradient,
    symbolic.baseline_invariance,
    symbolic.cloning_gradient,
)


@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
def test_residuals_vanish(proof, arms):
    residuals = proof(arms)
    assert residuals
    assert all(symbolic.is_zero(residual) for residual in residuals)


@pytest.mark.parametrize("arms", [2, 3])
def test_optimal_baseline_is_where_the_derivative_vanishes(arms):
    assert symbolic.is_zero(symbolic.optimal_baseline(arms))


@pytest.mark.parametrize("arms", ARMS)
def test_a_baseline_of_the_action_leaves_a_bias(arms):
    assert not any(symbolic.is_zero(residual) for residual in symbolic.action_baseline_bias(arms))


def test_general_proof_closes_and_its_wrong_form_does_not():
    assert symbolic.score_identity_general() == 0
    theta, y = sp.Symbol("theta", real=True), sp.Symbol("y", integer=True)
    p = sp.Function("p", positive=True)(y, theta)
    squared = sp.Sum(p * sp.diff(p, theta), (y, 1, 3)) - sp.diff(sp.Sum(p, (y, 1, 3)), theta)
    assert squared != 0


def test_residuals_are_the_stated_expressions():
    """With numbers put in, a residual's two sides are what numpy computes: the proof speaks of the right formula."""
    (z1, z2), (p1, _) = symbolic.logits_of(2), symbolic.softmax(symbolic.logits_of(2))
    assert float(p1.subs({z1: 0.3, z2: -1.1})) == pytest.approx(1 / (1 + np.exp(-1.4)), abs=1e-12)
    bias = symbolic.action_baseline_bias(2)[0]
    b1, b2 = sp.symbols("b1:3", real=True)
    number = float(
        bias.subs({z1: 0.3, z2: -1.1, b1: 2.0, b2: -1.0, sp.Symbol("r1", real=True): 5, sp.Symbol("r2", real=True): 7})
    )
    p = 1 / (1 + np.exp(-1.4))
    assert number == pytest.approx(-(p * (1 - p) * 2.0 - (1 - p) * p * -1.0), abs=1e-12)


@pytest.mark.parametrize(
    "near", ["exp(z1) - exp(z1) * (1 + Rational(1, 10**9))", "exp(z1 + z2) - exp(z1) * exp(z2) * z1"]
)
def test_nearly_zero_is_not_zero(near):
    z1, z2 = symbolic.logits_of(2)
    assert not symbolic.is_zero(sp.sympify(near, locals={"z1": z1, "z2": z2}))


@pytest.mark.parametrize(
    "zero", ["exp(z1 + z2) - exp(z1) * exp(z2)", "exp(2 * z1) - exp(z1)**2", "exp(z1 - z2) * exp(z2) - exp(z1)"]
)
def test_zero_is_recognised(zero):
    z1, z2 = symbolic.logits_of(2)
    assert symbolic.is_zero(sp.sympify(zero, locals={"z1": z1, "z2": z2}))


def test_one_arm_is_refused():
    with pytest.raises(ValueError, match="arms must be 2 or more"):
        symbolic.softmax_score(1)

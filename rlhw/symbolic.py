"""The identities of the course, proved with symbols by sympy.

Each function returns residuals: expressions that are identically zero when the identity holds. `is_zero` decides. Free real
logits z_1 … z_K, so a residual of zero is a proof for every policy over K arms; `score_identity_general` holds for any K and
any differentiable policy.
"""

from collections.abc import Sequence

import sympy as sp


def logits_of(arms: int) -> list[sp.Symbol]:
    """Free real logits z_1 … z_K. Raises ValueError for fewer than two arms."""
    if arms < 2:
        raise ValueError(f"arms must be 2 or more: one arm leaves nothing to choose; got {arms}.")
    return list(sp.symbols(f"z1:{arms + 1}", real=True))


def softmax(logits: Sequence[sp.Expr]) -> list[sp.Expr]:
    """p_i = exp(z_i)/Σ_j exp(z_j) as expressions."""
    weights = [sp.exp(z) for z in logits]
    return [w / sum(weights) for w in weights]


def is_zero(expression: sp.Expr) -> bool:
    """True when the expression vanishes identically: exponentials become positive symbols, then the numerator is expanded.

    The logits enter only through exp(z_i), so with e_i = exp(z_i) every residual is a rational function, and a rational
    function is zero exactly when its expanded numerator is.

    >>> z = sp.Symbol("z1", real=True)
    >>> is_zero(sp.exp(z) * sp.exp(-z) - 1), is_zero(sp.exp(z) - 1)
    (True, False)
    """
    exponentials = {sp.exp(z): sp.Symbol(f"e_{z.name}", positive=True) for z in expression.free_symbols}
    rational = sp.together(sp.powsimp(expression).subs(exponentials))
    return sp.expand(sp.numer(rational)) == 0


def softmax_score(arms: int) -> list[sp.Expr]:
    """Residuals of ∂ log p_y/∂z_i = [i = y] - p_i, for every y and i. Equation eq-softmax-score."""
    z = logits_of(arms)
    p = softmax(z)
    return [sp.diff(sp.log(p[y]), z[i]) - (sp.Integer(int(i == y)) - p[i]) for y in range(arms) for i in range(arms)]


def score_identity(arms: int) -> list[sp.Expr]:
    """Residuals of E_p[∂ log p_y/∂z_i] = 0, one for each logit. Equation eq-score-identity."""
    z = logits_of(arms)
    p = softmax(z)
    return [sum(p[y] * sp.diff(sp.log(p[y]), z[i]) for y in range(arms)) for i in range(arms)]


def score_identity_general() -> sp.Expr:
    """Residual of Σ_y p_y ∂ log p_y = ∂ Σ_y p_y for K answers and any differentiable p, K a symbol.

    Its two sides are the same sum, term by term; as Σ_y p_y = 1 for every θ, the right side is the derivative of a constant.
    """
    theta, y, arms = (
        sp.Symbol("theta", real=True),
        sp.Symbol("y", integer=True),
        sp.Symbol("K", integer=True, positive=True),
    )
    p = sp.Function("p", positive=True)(y, theta)
    expected_score = sp.Sum(sp.simplify(p * sp.diff(sp.log(p), theta)), (y, 1, arms))
    return expected_score - sp.diff(sp.Sum(p, (y, 1, arms)), theta)


def policy_gradient(arms: int) -> list[sp.Expr]:
    """Residuals of ∂/∂z_i Σ_y p_y r_y = E_p[r_y ∂ log p_y/∂z_i] = p_i (r_i - V), free rewards r_1 … r_K."""
    z, r = logits_of(arms), sp.symbols(f"r1:{arms + 1}", real=True)
    p = softmax(z)
    value = sum(p[y] * r[y] for y in range(arms))
    residuals = []
    for i in range(arms):
        direct = sp.diff(value, z[i])
        residuals.append(direct - sum(p[y] * r[y] * sp.diff(sp.log(p[y]), z[i]) for y in range(arms)))
        residuals.append(direct - p[i] * (r[i] - value))
    return residuals


def baseline_invariance(arms: int) -> list[sp.Expr]:
    """Residuals of E_p[(r_y - b) ∂ log p_y] = E_p[r_y ∂ log p_y] for a free number b. Equation eq-baseline."""
    return action_baseline_bias(arms, depends_on_action=False)


def action_baseline_bias(arms: int, depends_on_action: bool = True) -> list[sp.Expr]:
    """E_p[(r_y - b_y) ∂ log p_y] - E_p[r_y ∂ log p_y] with b_y free: -E_p[b_y ∂ log p_y], which is not zero.

    With depends_on_action=False all b_y are one symbol b, and every entry vanishes.
    """
    z, r = logits_of(arms), sp.symbols(f"r1:{arms + 1}", real=True)
    b = sp.symbols(f"b1:{arms + 1}", real=True) if depends_on_action else [sp.Symbol("b", real=True)] * arms
    p = softmax(z)
    scores = [[sp.diff(sp.log(p[y]), z[i]) for i in range(arms)] for y in range(arms)]
    with_baseline = [sum(p[y] * (r[y] - b[y]) * scores[y][i] for y in range(arms)) for i in range(arms)]
    without = [sum(p[y] * r[y] * scores[y][i] for y in range(arms)) for i in range(arms)]
    return [a - c for a, c in zip(with_baseline, without, strict=True)]


def cloning_gradient(arms: int) -> list[sp.Expr]:
    """Residuals of ∂/∂z_i Σ_y q_y log p_y = q_i - p_i, with a free teacher q that sums to one. Equation eq-cloning-softmax."""
    z = logits_of(arms)
    q = list(sp.symbols(f"q1:{arms}", positive=True))
    q.append(1 - sum(q))
    p = softmax(z)
    objective = sum(q[y] * sp.log(p[y]) for y in range(arms))
    return [sp.diff(objective, z[i]) - (q[i] - p[i]) for i in range(arms)]


def optimal_baseline(arms: int) -> sp.Expr:
    """Residual of d/db E_p[(r_y - b)² |1_y - p|²] = 0 at b* = E_p[r|score|²]/E_p[|score|²]. Equation eq-optimal-baseline."""
    z, r, b = logits_of(arms), sp.symbols(f"r1:{arms + 1}", real=True), sp.Symbol("b", real=True)
    p = softmax(z)
    squares = [sum((sp.Integer(int(i == y)) - p[i]) ** 2 for i in range(arms)) for y in range(arms)]
    second_moment = sum(p[y] * (r[y] - b) ** 2 * squares[y] for y in range(arms))
    best = sum(p[y] * r[y] * squares[y] for y in range(arms)) / sum(p[y] * squares[y] for y in range(arms))
    return sp.diff(second_moment, b).subs(b, best)

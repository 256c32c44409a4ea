"""A world small enough to enumerate: three questions, four answers, a network policy with twelve-odd parameters.

Nothing in it is special: questions have unequal weights, the network is not linear, rewards are not centred. Every expectation of
chapters 1 and 2 is a sum over it, every gradient a central difference.
"""

from dataclasses import dataclass, field

import numpy as np

from rlhw.laws import numerical_gradient, probabilities_of

QUESTIONS, ANSWERS, WIDTH = 3, 4, 2


@dataclass
class SmallWorld:
    """Questions with weights `questions` (X), a teacher (X K), rewards (X K), and the policy's parameters `theta` (P)."""

    seed: int = 0
    questions: np.ndarray = field(init=False)
    teacher: np.ndarray = field(init=False)
    rewards: np.ndarray = field(init=False)
    theta: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.inputs = rng.standard_normal((QUESTIONS, WIDTH))
        self.questions = rng.dirichlet(np.full(QUESTIONS, 3.0))
        self.teacher = rng.dirichlet(np.ones(ANSWERS), size=QUESTIONS)
        self.rewards = 1.0 + 2.0 * rng.standard_normal((QUESTIONS, ANSWERS))
        self.theta = 0.8 * rng.standard_normal(WIDTH * WIDTH + ANSWERS * WIDTH)

    def policy(self, theta: np.ndarray) -> np.ndarray:
        """π_θ(y|x) as an array (X K): a tanh layer, then the softmax head."""
        first = theta[: WIDTH * WIDTH].reshape(WIDTH, WIDTH)
        head = theta[WIDTH * WIDTH :].reshape(ANSWERS, WIDTH)
        return np.stack([probabilities_of(head @ np.tanh(first @ x)) for x in self.inputs])

    def gradient(self, objective) -> np.ndarray:
        """Central difference of objective(policy array) with respect to θ (P)."""
        return numerical_gradient(lambda theta: float(objective(self.policy(theta))), self.theta)

    def scores(self) -> np.ndarray:
        """g_θ(x, y), an array (X K P), by central differences of log π_θ(y|x)."""
        pairs = [(x, y) for x in range(QUESTIONS) for y in range(ANSWERS)]
        rows = [self.gradient(lambda pi, x=x, y=y: np.log(pi[x, y])) for x, y in pairs]
        return np.array(rows).reshape(QUESTIONS, ANSWERS, -1)

    def mean_over_questions(self, values: np.ndarray) -> np.ndarray:
        """Σ_x D(x) values[x]."""
        return np.tensordot(self.questions, values, axes=1)

    def expectation(self, law: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Σ_x D(x) Σ_y law(y|x) values[x, y], for values of shape (X K …)."""
        return np.einsum("x,xk,xk...->...", self.questions, law, values)

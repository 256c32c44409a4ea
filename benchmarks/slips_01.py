"""The slips of chapter 1, measured: `python -m benchmarks.slips_01` writes results/slips_01.json."""

import numpy as np

from benchmarks.slips import Slip, length, write_card
from rlhw.laws import numerical_gradient
from rlhw.policy_gradient import cloning_gradient, entropy, exact_gradient, sample_actions, score, softmax

# The chapter's example: p = (1/4, 1/2, 1/4), r = (1, 0, 2), and a teacher for the same question.
LOGITS = np.log([1.0, 2.0, 1.0])
REWARDS = np.array([1.0, 0.0, 2.0])
TEACHER = np.array([0.5, 0.25, 0.25])
ARMS = range(3)


def own_samples(draw) -> float:
    """Mean final entropy of 20 walks along the score: four arms, step 0.2, 1,000 steps, answers from draw(logits, u)."""
    rng = np.random.default_rng(0)
    finals = []
    for _ in range(20):
        logits = np.zeros(4)
        for u in rng.random(1000):
            action = int(draw(logits, np.array([u]))[0])
            logits = logits + 0.2 * score(logits, action)
        finals.append(entropy(logits))
    return float(np.mean(finals))


def ascent_sign(direction) -> float:
    """J_MLE after 50 exact steps of size 0.5 along direction(probabilities, teacher), from the example's policy."""
    logits = LOGITS
    for _ in range(50):
        logits = logits + 0.5 * direction(softmax(logits), TEACHER)
    return float(TEACHER @ np.log(softmax(logits)))


def mean_update(update) -> float:
    """Length of the expected update Σ_y p_y update(y), in the example."""
    return length(sum(softmax(LOGITS)[y] * update(y) for y in ARMS))


def weighted_derivatives(weight) -> float:
    """Third component of Σ_y weight(p_y) r_y ∂p_y, in the example; ∂p_y by central differences."""
    p = softmax(LOGITS)
    slopes = [numerical_gradient(lambda z, y=y: float(softmax(z)[y]), LOGITS) for y in ARMS]
    return float(sum(weight(p[y]) * REWARDS[y] * slopes[y] for y in ARMS)[2])


def graph_of(surrogate) -> float:
    """Length of the gradient that automatic differentiation would give the mean of surrogate(logits, y) over samples."""
    p = softmax(LOGITS)
    return length(sum(p[y] * numerical_gradient(lambda z, y=y: float(surrogate(z, y)), LOGITS) for y in ARMS))


def climb(gradient) -> float:
    """Value of two arms with rewards 1 and 0 after 100 steps of size 1 from even odds; t is the first logit's lead."""
    lead = np.zeros(1)
    for _ in range(100):
        lead = lead + gradient(lead)
    return float(_value(lead))


def _value(lead: np.ndarray) -> float:
    return 1.0 / (1.0 + float(np.exp(-lead[0])))


def cosine_to_reward_gradient(gradient) -> float:
    """Cosine of the angle between gradient() and the exact gradient of J_RL, in the example."""
    target, other = exact_gradient(LOGITS, REWARDS), gradient()
    return float(other @ target) / (length(other) * length(target))


SLIPS = {
    "own_samples": Slip(
        "entropy after 1,000 cloning steps on one's own answers, mean of 20 walks (right: on a uniform teacher's)",
        own_samples,
        wrong=lambda logits, u: sample_actions(logits, u),
        right=lambda logits, u: sample_actions(np.zeros(4), u),
        unit="nats",
    ),
    "ascent_sign": Slip(
        "J_MLE after 50 steps along p - 1_y (right: along 1_y - p)",
        ascent_sign,
        wrong=lambda p, teacher: p - teacher,
        right=lambda p, teacher: teacher - p,
        unit="nats",
    ),
    "density_constant": Slip(
        "length of E[∂r] (right: of ∂E[r])",
        graph_of,
        wrong=lambda z, y: REWARDS[y],
        right=lambda z, y: softmax(z) @ REWARDS,
    ),
    "pi_twice": Slip(
        "third component of Σ π r ∂π (right: of Σ r ∂π)",
        weighted_derivatives,
        wrong=lambda p: p,
        right=lambda p: 1.0,
    ),
    "reward_as_loss": Slip(
        "length of the mean gradient of the reward of a sample (right: of reward times log-probability)",
        graph_of,
        wrong=lambda z, y: REWARDS[y],
        right=lambda z, y: REWARDS[y] * np.log(softmax(z)[y]),
    ),
    "action_baseline": Slip(
        "length of the expected update with b(y) = r(y) (right: with b = V)",
        mean_update,
        wrong=lambda y: (REWARDS[y] - REWARDS[y]) * score(LOGITS, y),
        right=lambda y: (REWARDS[y] - softmax(LOGITS) @ REWARDS) * score(LOGITS, y),
    ),
    "gradient_of_gradient": Slip(
        "value after 100 steps along J'' (right: along J')",
        climb,
        wrong=lambda t: numerical_gradient(lambda u: float(numerical_gradient(_value, u, 1e-4)[0]), t, 1e-4),
        right=lambda t: numerical_gradient(_value, t, 1e-4),
    ),
    "logit_per_answer": Slip(
        "log10 of the number of answers of 20 GPT-2 tokens (right: logits that the network has)",
        lambda form: form(50257, 20),
        wrong=lambda vocabulary, tokens: tokens * float(np.log10(vocabulary)),
        right=lambda vocabulary, tokens: float(vocabulary),
    ),
    "swapped_names": Slip(
        "cosine of the cloning gradient with the reward gradient (right: of the reward gradient with itself)",
        cosine_to_reward_gradient,
        wrong=lambda: cloning_gradient(LOGITS, TEACHER),
        right=lambda: exact_gradient(LOGITS, REWARDS),
    ),
}

if __name__ == "__main__":
    write_card("01", "The slips of chapter 1, measured", SLIPS, ["rlhw.policy_gradient", "benchmarks.slips_01"])

"""Question ch6-which-loss: which loss pulls where."""

from functools import cache

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong
from rlhw.laws import log_probabilities_of, numerical_gradient

TEXT = r"""
Answers of several tokens are drawn from $\pi_\theta$. A loss is computed for each of them and differentiated with
respect to $\theta$, the drawn answers held fast; many such gradients are averaged. Of what is this mean the gradient?
Let $d_t = \log\pi_\theta(y_t\mid x, y_{<t}) - \log\pi_{\text{ref}}(y_t\mid x, y_{<t})$ be the log-ratio of a token and
$d = \sum_t d_t$ that of the answer. "Held fast" numbers are not differentiated.

- **1**: $k_1$ of the answer: $d$
- **2**: $k_2$ of the answer: $\frac12 d^2$
- **3**: $k_3$ of the answer: $e^{-d} - 1 + d$
- **4**: $k_2$ of each token, summed: $\sum_t \frac12 d_t^2$
- **5**: $k_3$ of each token, summed, as in GRPO: $\sum_t (e^{-d_t} - 1 + d_t)$
- **6**: each token's log-probability times the KL to go, $\sum_t \log\pi_\theta(y_t\mid x, y_{<t})\,(d_t + d_{t+1} +
  \dots)$, the bracket held fast
- **7**: each token's log-probability times its own log-ratio, $\sum_t \log\pi_\theta(y_t\mid x, y_{<t})\,d_t$, with $d_t$
  held fast
- **8**: the cloning loss, $-\log\pi_\theta(y\mid x)$; here alone the answers are drawn from $\pi_{\text{ref}}$

Worked: the loss $d$ times $d$ held fast has the same gradient as **2**, $d\,\nabla\log\pi_\theta(y\mid x)$. Answer with
a dictionary from numbers to "pi-ref" (the mean is the gradient of $\operatorname{KL}(\pi_\theta\,\Vert\,\pi_{\text{ref}})$),
"ref-pi" (of $\operatorname{KL}(\pi_{\text{ref}}\,\Vert\,\pi_\theta)$), "zero" (it is 0 whatever the policy) or "neither".
"""

STUB = """
answer = None  # such as {1: "pi-ref", 2: "zero", ...}
"""

SYMBOLS, STEPS = 2, 2
ANSWERS = np.array([(first, second) for first in range(SYMBOLS) for second in range(SYMBOLS)])


def token_logprobs(logits):
    """Of the tokens of all answers, "A T": a row of logits for the first token, one after each first token for the second."""
    rows = log_probabilities_of(logits.reshape(1 + SYMBOLS, SYMBOLS))
    return np.stack([rows[0, ANSWERS[:, 0]], rows[1 + ANSWERS[:, 0], ANSWERS[:, 1]]], axis=1)


@cache
def computed(seed=6):
    """By enumeration of a small policy: central differences of each mean loss, held against those of both KLs."""
    rng = np.random.default_rng(seed)
    here, reference = rng.standard_normal((2, (1 + SYMBOLS) * SYMBOLS))
    ref, held = token_logprobs(reference), token_logprobs(here)
    drawn, drawn_ref = np.exp(held.sum(1)), np.exp(ref.sum(1))
    to_go = np.cumsum((held - ref)[:, ::-1], axis=1)[:, ::-1]

    def k3(d):
        return np.exp(-d) - 1 + d

    def slope(loss):
        return numerical_gradient(lambda logits: float(loss(token_logprobs(logits))), here)

    losses = {
        "1": lambda p: drawn @ (p - ref).sum(1),
        "2": lambda p: drawn @ ((p - ref).sum(1) ** 2 / 2),
        "3": lambda p: drawn @ k3((p - ref).sum(1)),
        "4": lambda p: drawn @ ((p - ref) ** 2 / 2).sum(1),
        "5": lambda p: drawn @ k3(p - ref).sum(1),
        "6": lambda p: drawn @ (p * to_go).sum(1),
        "7": lambda p: drawn @ (p * (held - ref)).sum(1),
        "8": lambda p: -drawn_ref @ p.sum(1),
    }
    targets = {
        "pi-ref": slope(lambda p: np.exp(p.sum(1)) @ (p - ref).sum(1)),
        "ref-pi": slope(lambda p: drawn_ref @ (ref - p).sum(1)),
        "zero": np.zeros(here.shape),
    }
    slopes = {number: slope(loss) for number, loss in losses.items()}
    return {
        number: next((name for name, target in targets.items() if np.allclose(found, target, atol=1e-7)), "neither")
        for number, found in slopes.items()
    }


def expected():
    return dict(computed())


SPELLINGS = {"π": "pi", "‖": "-", "||": "-", "kl(": "", ")": "", " ": "", "_": "-", "0": "zero"}


def tidy(answer):
    def plain(text):
        text = str(text).strip().lower()
        for written, meant in SPELLINGS.items():
            text = text.replace(written, meant)
        return text

    return {plain(key): plain(value) for key, value in dict(answer).items()}


def agrees(got, known):
    try:
        return tidy(got) == tidy(known)
    except (TypeError, ValueError):
        return False


TRUE = {
    "1": "zero",
    "2": "pi-ref",
    "3": "ref-pi",
    "4": "neither",
    "5": "neither",
    "6": "pi-ref",
    "7": "neither",
    "8": "ref-pi",
}
OTHER_KL = {"pi-ref": "ref-pi", "ref-pi": "pi-ref"}

QUESTION = Question(
    name="ch6-which-loss",
    title="Which loss pulls where",
    stars=2,
    minutes=15,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "At least one differs. Differentiate each loss with the answer held fast: what stands in front of each "
        "token's score ∇log π? Then ask what its mean is, with the score identity at hand."
    ),
    expected=expected,
    parts=(Part("eight losses", 8, cases=1),),
    right={
        "value": TRUE,
        "numbers, capital letters, another order": {int(key): value.upper() for key, value in reversed(TRUE.items())},
        "signs": {key: value.replace("pi", "π").replace("-", "‖").replace("zero", "0") for key, value in TRUE.items()},
        "written out": {
            "1": 0,
            "2": "KL(pi || ref)",
            "3": "KL(ref || pi)",
            "4": "neither",
            "5": "neither ",
            "6": "KL(pi || ref)",
            "7": "neither",
            "8": "KL(ref || pi)",
        },
    },
    wrong={
        "both KLs exchanged": Wrong(
            {key: OTHER_KL.get(value, value) for key, value in TRUE.items()},
            "You have the two KLs exchanged throughout. In KL(π ‖ ref) the mean is taken under π; cloning the "
            "reference makes the other one small.",
        ),
        "k1 as a value": Wrong(
            TRUE | {"1": "pi-ref"},
            "Look at 1 again: the mean of d is the KL, but its gradient with the answers held fast is the mean of "
            "∇log π. What is that under π itself?",
        ),
        "k2 only nearly": Wrong(
            TRUE | {"2": "neither"},
            "Look at 2 again: as a value k2 is only nearly the KL, but here its gradient counts. It is d ∇log π, with "
            "a mean that you know from REINFORCE with d for the reward.",
        ),
        "k3 as a value": Wrong(
            TRUE | {"3": "pi-ref"},
            "Look at 3 again: the mean of k3 is KL(π ‖ ref), its gradient is not. Differentiated it gives (1 - e^-d) "
            "∇log π: under which law is e^-d ∇log π a mean of scores?",
        ),
        "values for gradients": Wrong(
            TRUE | {"1": "pi-ref", "2": "neither", "3": "pi-ref"},
            "For 1, 2 and 3 you said what their values estimate. With the answers held fast, the gradient of an "
            "unbiased estimate need not be the gradient of what it estimates.",
        ),
        "tokens like answers": Wrong(
            TRUE | {"4": "pi-ref", "5": "ref-pi", "7": "pi-ref"},
            "You took 4, 5 and 7 for sums of what holds of answers. But a token also decides which tokens can follow, "
            "and the KL that comes later has no part in its weight.",
        ),
        "token k2 exact": Wrong(
            TRUE | {"4": "pi-ref"},
            "Look at 4 again: its gradient is the sum of d_t ∇log π(y_t). What the token did to the KL of later "
            "tokens is missing. You said of another loss with the same gradient that it is neither.",
        ),
        "token k3 exact": Wrong(
            TRUE | {"5": "ref-pi"},
            "Look at 5 again: 1 - e^-d_t swaps the token's law for the reference's, but its prefix still comes from "
            "the policy.",
        ),
        "GRPO descends the KL": Wrong(
            TRUE | {"5": "pi-ref"},
            "Look at 5 again: the value of the summed k3 is KL(π ‖ ref) on average, and that is what one sees in a "
            "plot. Its gradient is another matter.",
        ),
        "to go is unnecessary": Wrong(
            TRUE | {"6": "neither"},
            "Look at 6 again: it is REINFORCE with d for the reward, where the log-ratios of past tokens were left "
            "out. Why may they be left out?",
        ),
        "own ratio is enough": Wrong(
            TRUE | {"7": "pi-ref"},
            "Look at 7 again: a token's weight holds only its own log-ratio. What it causes later counts too, as in 6.",
        ),
        "cloning as neither": Wrong(
            TRUE | {"8": "neither"},
            "Look at 8 again: the cloning loss is a cross-entropy. Which KL, and which number that does not depend on "
            "θ, is it the sum of?",
        ),
        "cloning as zero": Wrong(
            TRUE | {"8": "zero"},
            "Look at 8 again: the mean of ∇log π is 0 under π itself. Here the answers come from the reference.",
        ),
    },
    agrees=agrees,
)

"""Question hw1-variance: the variance of a sampled update over questions and answers, and the baselines that make it least."""

import numpy as np

from rlhw.exercises import contexts
from rlhw.exercises.question import Part, Question, Wrong, close

TEXT = r"""
One sampled update of REINFORCE draws a question $x$ with probability $p(x)$ and an answer $y$ with probability
$\pi(y\mid x)$, the softmax of row $x$ of the logits. It is the table $(r(x, y) - b(x))\,\nabla\log\pi(y\mid x)$, with $X$
rows (questions) and $K$ columns (answers); $b(x)$ is a baseline for each question. The score $\nabla\log\pi(y\mid x)$ is
the gradient with respect to all logits: only its row $x$ is not 0. The total variance of the update is the sum, over all
$X\cdot K$ entries, of their variances when question **and** answer are drawn.

Write `variance(logits, question_probs, rewards, b)` and return a pair, computed by sums and not by sampling:

1. the total variance of the update with the baselines `b`, one number;
2. the best baselines: the $X$ numbers $b^*(x)$ that make the total variance least (they do not depend on `b`).

Example: two questions with $p = (\frac14, \frac34)$, two answers, all logits 0, rewards $\bigl((1, 0), (0, 4)\bigr)$, no
baseline: `b` = (0, 0). The squared length of the update is $\frac12 r^2$, so its mean is $\frac14\cdot\frac14 +
\frac34\cdot 4 = \frac{49}{16}$. The gradient is $\bigl((\frac1{16}, -\frac1{16}), (-\frac34, \frac34)\bigr)$ with squared
length $\frac{145}{128}$. The variance is $\frac{49}{16} - \frac{145}{128} = \frac{247}{128}$, and the best baselines are
$(\frac12, 2)$.
"""

STUB = """
def variance(logits, question_probs, rewards, b):
    ...
    return total_variance, best_baselines
"""


def variance(logits, question_probs, rewards, b):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    scores = np.eye(logits.shape[1])[None, :, :] - policy[:, None, :]
    squares = (scores**2).sum(axis=2)
    mean_square = (question_probs[:, None] * policy * (rewards - b[:, None]) ** 2 * squares).sum()
    values = (policy * rewards).sum(axis=1, keepdims=True)
    gradient = question_probs[:, None] * policy * (rewards - values)
    best = (policy * squares * rewards).sum(axis=1) / (policy * squares).sum(axis=1)
    return mean_square - (gradient**2).sum(), best


def by_enumeration(logits, question_probs, rewards, b):
    chances, updates, best = [], [], []
    for x in range(len(logits)):
        p = np.exp(logits[x] - max(logits[x]))
        p = p / p.sum()
        above, below = 0.0, 0.0
        for y in range(len(p)):
            score = np.eye(len(p))[y] - p
            update = np.zeros(logits.shape)
            update[x] = (rewards[x, y] - b[x]) * score
            updates.append(update)
            chances.append(question_probs[x] * p[y])
            above += p[y] * rewards[x, y] * score @ score
            below += p[y] * score @ score
        best.append(above / below)
    mean = sum(c * update for c, update in zip(chances, updates, strict=True))
    total = sum(c * np.sum((update - mean) ** 2) for c, update in zip(chances, updates, strict=True))
    return total, best


def by_einsum(logits, question_probs, rewards, b):
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    joint = question_probs[:, None] * policy
    scores = np.eye(logits.shape[1]) - policy[:, None, :]
    estimates = np.einsum("xy,xyk->xyk", rewards - b[:, None], scores)
    mean = np.einsum("xy,xyk->xk", joint, estimates)
    total = np.einsum("xy,xyk,xyk->", joint, estimates, estimates) - np.einsum("xk,xk->", mean, mean)
    lengths = np.einsum("xyk,xyk->xy", scores, scores)
    best = np.einsum("xy,xy,xy->x", policy, lengths, rewards) / np.einsum("xy,xy->x", policy, lengths)
    return [float(total), best.tolist()]


def by_algebra(logits, question_probs, rewards, b):
    policy = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    squares = 1.0 - 2.0 * policy + (policy**2).sum(axis=1, keepdims=True)
    best = np.average(rewards, axis=1, weights=policy * squares)
    per_question = (policy * squares * (rewards - b[:, None]) ** 2).sum(axis=1)
    slopes = policy * rewards - policy * (policy * rewards).sum(axis=1, keepdims=True)
    return question_probs @ per_question - question_probs**2 @ (slopes**2).sum(axis=1), best


def by_inside_and_between(logits, question_probs, rewards, b):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy = weights / weights.sum(axis=1, keepdims=True)
    inside, means, best = 0.0, np.zeros((len(logits), *logits.shape)), np.zeros(len(logits))
    for x, p in enumerate(policy):
        scores = np.eye(len(p)) - p
        estimates = (rewards[x] - b[x])[:, None] * scores
        means[x, x] = p @ estimates
        inside += question_probs[x] * (p @ ((estimates - means[x, x]) ** 2).sum(axis=1))
        best[x] = np.average(rewards[x], weights=p * (scores**2).sum(axis=1))
    gradient = np.tensordot(question_probs, means, axes=1)
    between = question_probs @ ((means - gradient) ** 2).sum(axis=(1, 2))
    return inside + between, best


def moments(logits, question_probs, rewards, b):
    """π, the chances p(x) π(y|x), the updates in the row of their question (X, A, A), and the scores there."""
    p = contexts.policy(logits)
    scores = np.eye(logits.shape[1]) - p[:, None, :]
    return p, question_probs[:, None] * p, (rewards - b[:, None])[:, :, None] * scores, scores


def spread(chances, updates):
    mean = np.einsum("xy,xyk->xk", chances, updates)
    return float(np.einsum("xy,xyk->", chances, updates**2) - (mean**2).sum())


def wrong_variance(formula):
    """A wrong first number. Where only the second is judged the answer is right, so that the hint is found for everybody
    with this number, whatever their baselines are."""

    def answer(logits, question_probs, rewards, b):
        if asks_for_baselines(b):
            return None, variance(logits, question_probs, rewards, b)[1]
        return float(formula(*moments(logits, question_probs, rewards, b))), None

    return answer


def wrong_baselines(formula):
    """Wrong second numbers, in the same way."""

    def answer(logits, question_probs, rewards, b):
        if not asks_for_baselines(b):
            return variance(logits, question_probs, rewards, b)[0], None
        p, chances, _, scores = moments(logits, question_probs, rewards, b)
        return None, formula(p, (scores**2).sum(axis=2), rewards, chances)

    return answer


def baselines_taken_off(logits, question_probs, rewards, b):
    """The best baselines of the weights r - b instead of those of the rewards."""
    total, best = variance(logits, question_probs, rewards, b)
    return total, best - b


def questions_apart(p, chances, updates, scores):
    asked = chances.sum(axis=1)
    means = np.einsum("xy,xyk->xk", p, updates)
    return np.einsum("xy,xyk->", chances, updates**2) - asked @ (means**2).sum(axis=1)


def gradient_unweighted(p, chances, updates, scores):
    means = np.einsum("xy,xyk->xk", p, updates)
    return np.einsum("xy,xyk->", chances, updates**2) - (means**2).sum()


def weights_alone(p, chances, updates, scores):
    weights = updates[:, :, 0] / scores[:, :, 0]
    return (chances * weights**2).sum() - (chances * weights).sum() ** 2


def own_entry_only(p, chances, updates, scores):
    return spread(chances, updates * np.eye(p.shape[1]))


def average(weights, rewards):
    return (weights * rewards).sum(axis=1) / weights.sum(axis=1)


def one_for_all(p, squares, rewards, chances):
    return np.full(len(p), (chances * squares * rewards).sum() / (chances * squares).sum())


def draw_baselines(rng):
    logits, question_probs = contexts.draw_table(rng)
    b = rng.choice([-1.0, 1.0], len(logits)) * rng.uniform(0.5, 1.5, len(logits))
    return logits, question_probs, 0.5 + rng.standard_normal(logits.shape), b


def draw_one_without(rng):
    """The first question has no baseline: by this `expected` knows which number is asked. The others have one, or whoever
    takes b off the best baselines would pass."""
    *case, b = draw_baselines(rng)
    return (*case, np.append(0.0, b[1:]))


def asks_for_baselines(b):
    return b[0] == 0.0


def expected(logits, question_probs, rewards, b):
    """Half the expected squared distance of two independent updates; and the lowest points of its parabolas in each b(x).

    Where the first question has no baseline only the second is asked, elsewhere only the first: what is not asked is None.
    """
    p = np.exp(contexts.log_policy(logits))
    chances, scores = (question_probs[:, None] * p).ravel(), np.zeros((*p.shape, *p.shape))
    for x, y in np.ndindex(p.shape):
        scores[x, y, x] = (np.arange(p.shape[1]) == y) - p[x]

    def variance_with(baselines):
        updates = ((rewards - baselines[:, None])[:, :, None, None] * scores).reshape(p.size, p.size)
        return float(chances @ ((updates[:, None, :] - updates) ** 2).sum(axis=2) @ chances) / 2

    if not asks_for_baselines(b):
        return variance_with(b), None
    middle = variance_with(b)
    left, right = (np.array([variance_with(b + s * row) for row in np.eye(len(b))]) for s in (-1.0, 1.0))
    return None, b + (left - right) / (2 * (left - 2 * middle + right))


def agrees(got, known):
    """Both, or the one that is asked: the other is None."""
    try:
        pairs = list(zip(got, known, strict=True))
    except (TypeError, ValueError):
        return False
    return len(pairs) == 2 and all(true is None or close(given, true) for given, true in pairs)


RIGHT = {
    "model": variance,
    "enumeration": by_enumeration,
    "einsum, as lists": by_einsum,
    "algebra": by_algebra,
    "inside and between": by_inside_and_between,
    "no baseline first": lambda *case: (variance(*case)[0], variance(*case[:3], 0.0 * case[3])[1]),
    "a list of two": lambda *case: list(variance(*case)),
    "nested lists": lambda *case: [float(variance(*case)[0]), variance(*case)[1].tolist()],
    "tuples": lambda *case: (np.array(variance(*case)[0]), tuple(variance(*case)[1])),
}

QUESTION = Question(
    name="hw1-variance",
    title="The variance of an update, and the baselines that make it least",
    stars=3,
    minutes=25,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Return (variance, best baselines): the expected squared distance of the update from its mean, over questions and "
        "answers and all entries; and for each question the b(x) at which that number, a parabola in b(x), is least. Yours "
        "differs."
    ),
    expected=expected,
    parts=(Part("the variance", 4, draw_baselines, cases=3), Part("the best baselines", 4, draw_one_without, cases=3)),
    right=RIGHT,
    wrong={
        "mean not taken off": Wrong(
            wrong_variance(lambda p, chances, updates, scores: (chances[:, :, None] * updates**2).sum()),
            "This is the mean of the squared length. The variance is measured from the mean update, which is the gradient "
            "and not 0.",
        ),
        "questions apart": Wrong(
            wrong_variance(questions_apart),
            "You averaged the variances that the questions have one by one. The mean update differs from question to "
            "question, and which one is asked is chance too.",
        ),
        "questions equally often": Wrong(
            wrong_variance(lambda p, chances, updates, scores: spread(p / len(p), updates)),
            "You took the questions as equally frequent. Each is asked with its probability p(x).",
        ),
        "answers equally often": Wrong(
            wrong_variance(
                lambda p, chances, updates, scores: spread(chances.sum(axis=1)[:, None] / p.shape[1] + 0.0 * p, updates)
            ),
            "You took the answers as equally frequent. The policy draws them with its own probabilities.",
        ),
        "baselines ignored": Wrong(
            lambda *case: (variance(*case[:3], 0.0 * case[3])[0] if np.any(case[3]) else None, variance(*case)[1]),
            "Your variance is the same for every b. The mean of the update does not depend on it, but the variance does: "
            "that is what a baseline is for.",
        ),
        "own entry only": Wrong(
            wrong_variance(own_entry_only),
            "You counted the entry of the drawn answer only. The score has an entry for every answer of that question, and "
            "all of them vary.",
        ),
        "entries averaged": Wrong(
            wrong_variance(lambda p, chances, updates, scores: spread(chances, updates) / p.size),
            "You averaged over the entries; the total variance is their sum. Yours is too small by the factor X K.",
        ),
        "standard deviation": Wrong(
            wrong_variance(lambda p, chances, updates, scores: spread(chances, updates) ** 0.5),
            "You took a square root at the end: that is a standard deviation.",
        ),
        "score left out": Wrong(
            wrong_variance(weights_alone),
            "This is the variance of the weight, reward minus baseline. The update is weight times score, and the score "
            "varies too.",
        ),
        "values": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(p, rewards)),
            "These are the values V(x). Good baselines, but not the best: an answer with a long score has more say.",
        ),
        "one for all questions": Wrong(
            wrong_baselines(one_for_all),
            "You found the best single number for all questions. Each question may have its own, and that is better still.",
        ),
        "policy left out": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(squares, rewards)),
            "In your baselines the answers are equally likely. Both expectations are under the policy.",
        ),
        "length not squared": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(p * squares**0.5, rewards)),
            "You weighted the rewards with the length of the score. It is its square that counts: a variance is made small.",
        ),
        "own entry of the score": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(p * (1 - p) ** 2, rewards)),
            "Your squared length of the score holds the entry of the drawn answer only. The squares of all entries are added.",
        ),
        "not divided": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: (p * squares * rewards).sum(axis=1)),
            "These are the upper halves of the fractions. Divided by the mean squared length of the score they become weighted "
            "means of the rewards.",
        ),
        "advantages averaged": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(p * squares, rewards) - average(p, rewards)),
            "You averaged the advantages r - V, so you have b* - V. Average the rewards themselves.",
        ),
        "times p(x)": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: average(p * squares, rewards) * chances.sum(axis=1)),
            "You multiplied each baseline by p(x). How often a question is asked does not change what is best to subtract "
            "there: p(x) stands above and below and cancels.",
        ),
        "baselines taken off": Wrong(
            baselines_taken_off,
            "You took b off your best baselines: they hold for the rewards less b. Asked for is what to subtract from the "
            "rewards themselves.",
        ),
        "rewards averaged": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: rewards.mean(axis=1)),
            "These are the plain means of the rewards. The answers are not drawn equally often, and their scores are not "
            "equally long.",
        ),
        "one number": Wrong(
            wrong_baselines(lambda p, squares, rewards, chances: one_for_all(p, squares, rewards, chances)[0]),
            "You returned one best baseline. Asked for are X numbers: each question may have its own.",
        ),
        "gradient without p(x)": Wrong(
            wrong_variance(gradient_unweighted),
            "The mean of the squared length is right. In the gradient that you took off p(x) is missing: it is the mean over "
            "questions too.",
        ),
        "questions added up": Wrong(
            wrong_variance(lambda p, chances, updates, scores: questions_apart(p, p, updates, scores)),
            "You added up the variances of the questions, each as if it were asked alone. One question is drawn, with its "
            "probability p(x).",
        ),
        "wrong order": Wrong(
            lambda *case: variance(*case)[::-1],
            "Both are right, but they come in the wrong order. First the variance, then the baselines.",
        ),
    },
    agrees=agrees,
)

"""Question ch1-proof-puzzle: put the proof in order."""

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
The lines below prove $\nabla J_{\text{RL}} = \mathbb E_\pi[r\,\nabla\log\pi]$ for one question. They are shuffled,
and two of them are false. Give the letters of the four true lines in the right order, as one string.

- **A**: $\nabla J = \sum_y r(y)\,\nabla\pi(y)$, because the sum is finite and $r$ does not depend on $\theta$.
- **B**: $= \sum_y \pi(y)\, r(y)\,\nabla\log\pi(y)$, because $\nabla\pi = \pi\,\nabla\log\pi$.
- **C**: $= \sum_y \pi(y)\,\nabla r(y)$, because the expectation is over $\pi$.
- **D**: $J = \mathbb E_\pi[r(y)] = \sum_y \pi(y)\, r(y)$, by the definition of an expectation.
- **E**: $= \mathbb E_\pi[r(y)\,\nabla\pi(y)]$, because each term is weighted by its probability.
- **F**: $= \mathbb E_\pi[r(y)\,\nabla\log\pi(y)]$, by the definition of an expectation, read backwards.
"""

STUB = """
proof = None  # such as "ABCD"
"""


def letters(answer):
    text = answer if isinstance(answer, str) else "".join(map(str, answer))
    return "".join(character for character in text.upper() if character.isalpha())


def expected():
    return "DABF"


def agrees(got, known):
    try:
        return letters(got) == letters(known)
    except TypeError:
        return False


RIGHT = {
    "value": "DABF",
    "lower case": "dabf",
    "spaces": "D A B F",
    "commas": "D, A, B, F",
    "commas without spaces": "D,A,B,F",
    "spaces around": " DABF\n",
    "list": ["D", "A", "B", "F"],
    "tuple of lower-case letters": ("d", "a", "b", "f"),
}

QUESTION = Question(
    name="ch1-proof-puzzle",
    title="Put the proof in order",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Start from what J is, move the gradient inside, bring in the logarithm, and end at the expectation.",
    expected=expected,
    parts=(Part("the order", 10, cases=1),),
    right=RIGHT,
    wrong={
        "reward differentiated": Wrong(
            "DCBF",
            "Line C differentiates the reward and leaves the policy alone. The reward does not depend on θ, so C "
            "would be 0: it is the policy's probabilities that move.",
        ),
        "density twice": Wrong(
            "DAEF",
            "Line E is one of the false ones: the sum of r ∂π has no π in front, so reading it as an expectation "
            "counts π twice.",
        ),
        "starts too late": Wrong(
            "ADBF",
            "All four lines are the right ones, but line A differentiates a sum that nobody has written down yet."
            " Which line says what J is?",
        ),
        "logarithm too early": Wrong(
            "DBAF",
            "The right four lines, with two in the wrong order: line B replaces a ∂π, and the line that brings ∂π"
            " in comes only after it.",
        ),
        "not finished": Wrong(
            "DAB",
            "So far everything is right, but the proof stops at a sum. One more line is needed to reach the "
            "expectation that was to be shown.",
        ),
        "no definition": Wrong(
            "ABF",
            "The steps follow well from each other, but the beginning is missing: say first what J is, as a sum.",
        ),
        "backwards": Wrong(
            "FBAD",
            "You have the right lines and read them from the end to the beginning. A proof starts at the "
            "definition and ends at the claim.",
        ),
        "step left out": Wrong(
            "DAF",
            "Between the derivative of π and the expectation a step is left out. Where does the logarithm come from?",
        ),
    },
    agrees=agrees,
)

"""Question ch7-proof-puzzle: put the proof of π* in order."""

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
For one question with finitely many answers, $\pi_{\text{ref}}(y) > 0$ for each of them and $\beta > 0$, let

$J(\pi) = \mathbb E_\pi[r(y)] - \beta\operatorname{KL}(\pi\,\Vert\,\pi_{\text{ref}})$,
$\pi^\ast(y) = \pi_{\text{ref}}(y)\,e^{r(y)/\beta}/Z$ and $Z = \sum_y \pi_{\text{ref}}(y)\,e^{r(y)/\beta}$.

$\pi^\ast$ is positive and sums to one. The lines below prove that it is the one best policy, and what it attains. They
are shuffled, and three of them are false. Give the letters of the six true lines in the right order, as one string.

- **A**: $= \beta\log Z - \beta\operatorname{KL}(\pi\,\Vert\,\pi^\ast)$, because $Z$ is the same number for every answer.
- **B**: $\le \beta\log Z$, because a KL is never negative; it is 0 for equal laws only.
- **C**: $= \mathbb E_\pi\bigl[\beta\log\frac{\pi^\ast(y)}{\pi_{\text{ref}}(y)} -
  \beta\log\frac{\pi(y)}{\pi_{\text{ref}}(y)}\bigr]$, because $\log Z$ is the same for every answer and drops out.
- **D**: $= \mathbb E_\pi\bigl[\beta\log Z + \beta\log\frac{\pi^\ast(y)}{\pi_{\text{ref}}(y)} -
  \beta\log\frac{\pi(y)}{\pi_{\text{ref}}(y)}\bigr]$, by the definition of $\pi^\ast$, solved for $r(y)$.
- **E**: So no policy attains more than $\beta\log Z$, and $\pi^\ast$, for which the KL is 0, is the only one that attains
  it.
- **F**: $J(\pi) = \mathbb E_\pi\bigl[r(y) - \beta\log\frac{\pi(y)}{\pi_{\text{ref}}(y)}\bigr]$, by the definitions of $J$
  and of the KL.
- **G**: $= \beta\log Z - \beta\operatorname{KL}(\pi^\ast\,\Vert\,\pi)$, because the KL is the mean of a log-ratio.
- **H**: $= \mathbb E_\pi\bigl[\beta\log Z - \beta\log\frac{\pi(y)}{\pi^\ast(y)}\bigr]$, because $\pi_{\text{ref}}(y)$
  cancels.
- **I**: $\le \beta\log Z$, because every term $-\beta\log\frac{\pi(y)}{\pi^\ast(y)}$ of the mean is at most 0.
"""

STUB = """
proof = None  # such as "ABCDEF"
"""


def letters(answer):
    text = answer if isinstance(answer, str) else "".join(map(str, answer))
    return "".join(character for character in text.upper() if character.isalpha())


def expected():
    return "FDHABE"


def agrees(got, known):
    try:
        return letters(got) == letters(known)
    except TypeError:
        return False


QUESTION = Question(
    name="ch7-proof-puzzle",
    title="Put the proof about the best policy in order",
    stars=2,
    minutes=12,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law=(
        "Start from what J is, put in what r is by the definition of π*, let the reference cancel, find a KL, use "
        "what is known of every KL, and say what follows."
    ),
    expected=expected,
    parts=(Part("the order", 10, cases=1),),
    right={
        "value": "FDHABE",
        "lower case": "fdhabe",
        "commas": "F, D, H, A, B, E",
        "list": ["F", "D", "H", "A", "B", "E"],
        "spaces around": " FDHABE\n",
    },
    wrong={
        "Z dropped": Wrong(
            "FCHABE",
            "Line C drops log Z, and line H has it again. It drops out where two answers are compared, which is not "
            "done here: J would be 0 at π*, whatever the rewards are.",
        ),
        "KL turned round": Wrong(
            "FDHGBE",
            "Line G has the KL the wrong way round. The mean is taken under π, so the KL is that of π from π*, with π "
            "in the numerator.",
        ),
        "term by term": Wrong(
            "FDHAIE",
            "Line I says that every term is at most 0. Where π gives less than π* the term is positive; only the mean "
            "of all has a sign, and that is what takes a proof.",
        ),
        "term by term at once": Wrong(
            "FDHIE",
            "Line I looks like a short cut, and it is false: where π gives less than π* the term is positive. Bring "
            "the whole mean into one number whose sign is known.",
        ),
        "reference not cancelled": Wrong(
            "FDABEH",
            "All six lines are the right ones, but H comes too late: between D and A a log-ratio of π and π* must "
            "appear, and H is where it does.",
        ),
        "step left out": Wrong(
            "FDABE",
            "In D stand two log-ratios, each with the reference; A knows only one, without it. Which true line leads "
            "from one to the other?",
        ),
        "not finished": Wrong(
            "FDHAB",
            "So far everything is right: J is at most β log Z. One line is left, the one that says who attains it.",
        ),
        "bound without a KL": Wrong(
            "FDHBE",
            "B speaks of a KL, and none has been written down before it. Which line makes a KL of the mean in H?",
        ),
        "starts too late": Wrong(
            "DHABE",
            "The steps follow well from each other, but what is it that they transform? Say first what J is.",
        ),
        "conclusion first": Wrong(
            "EFDHAB",
            "The right six lines, but you state the conclusion before it is proven: it uses the bound.",
        ),
        "bound before the KL": Wrong(
            "FDHBAE",
            "The right six lines, with two in the wrong order: B uses a KL that only A writes down.",
        ),
        "Z and the KL": Wrong(
            "FCHGBE",
            "Two of the false lines are in your proof. In C a number is lost that is the same for all answers, but "
            "not 0; in G the mean is taken under the wrong law.",
        ),
    },
    agrees=agrees,
)

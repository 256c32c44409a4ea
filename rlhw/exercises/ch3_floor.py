"""Question ch3-floor: how far the student is from its floor."""

import numpy as np

from rlhw.exercises.question import Part, Question, Wrong

TEXT = r"""
On average over all answers a student's loss cannot get below the teacher's entropy: that is its floor. How far above
is it? `teacher_logprobs` and `student_logprobs` are the log-probabilities, in nats, that teacher and student give to
the same N answers, drawn from the teacher. `entropy` is the teacher's entropy in nats an answer, known exactly. A loss
is the mean over these answers of minus the log-probability.

Return two numbers: (1) the gap, by how much the student's loss lies above the teacher's own loss *on these answers*;
(2) the gap as a share of the entropy. For example, with losses of 5.3 and 5.1 nats and an entropy of 5 nats these are
0.2 and 0.04. Were the answers drawn anew and anew, the gap would be
$\operatorname{KL}(\pi_{\text{teacher}}\,\Vert\,\pi_\theta)$ on average.
"""

STUB = """
def floor_gap(teacher_logprobs, student_logprobs, entropy):
    teacher_loss = -np.mean(teacher_logprobs)
    ...
"""


def floor_gap(teacher_logprobs, student_logprobs, entropy):
    teacher_loss = -np.mean(teacher_logprobs)
    student_loss = -np.mean(student_logprobs)
    gap = student_loss - teacher_loss
    return gap, gap / entropy


def floor_gap_by_loop(teacher_logprobs, student_logprobs, entropy):
    gap = 0.0
    for n in range(len(teacher_logprobs)):
        gap += (teacher_logprobs[n] - student_logprobs[n]) / len(teacher_logprobs)
    return [gap, gap / entropy]


def floor_gap_by_matrix(teacher_logprobs, student_logprobs, entropy):
    losses = np.stack([teacher_logprobs, student_logprobs]) @ np.full(len(teacher_logprobs), -1 / len(teacher_logprobs))
    return np.diff(losses)[0] * np.array([1.0, 1.0 / entropy])


def sides_exchanged(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(student_logprobs) - np.mean(teacher_logprobs)
    return gap, gap / entropy


def above_the_entropy(teacher_logprobs, student_logprobs, entropy):
    gap = -np.mean(student_logprobs) - entropy
    return gap, gap / entropy


def whole_loss(teacher_logprobs, student_logprobs, entropy):
    loss = -np.mean(student_logprobs)
    return loss, loss / entropy


def share_of_student_loss(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(teacher_logprobs) - np.mean(student_logprobs)
    return gap, gap / -np.mean(student_logprobs)


def share_of_sample(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(teacher_logprobs) - np.mean(student_logprobs)
    return gap, gap / -np.mean(teacher_logprobs)


def ratio_of_losses(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(teacher_logprobs) - np.mean(student_logprobs)
    return gap, np.mean(student_logprobs) / np.mean(teacher_logprobs)


def per_cent(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(teacher_logprobs) - np.mean(student_logprobs)
    return gap, 100.0 * gap / entropy


def absolute_differences(teacher_logprobs, student_logprobs, entropy):
    gap = np.mean(np.abs(teacher_logprobs - student_logprobs))
    return gap, gap / entropy


def median(teacher_logprobs, student_logprobs, entropy):
    gap = np.median(teacher_logprobs - student_logprobs)
    return gap, gap / entropy


def summed(teacher_logprobs, student_logprobs, entropy):
    gap = np.sum(teacher_logprobs - student_logprobs)
    return gap, gap / entropy


def teacher_counted_twice(teacher_logprobs, student_logprobs, entropy):
    gap = np.sum(np.exp(teacher_logprobs) * (teacher_logprobs - student_logprobs))
    return gap, gap / entropy


def draw(rng):
    answers, entropy = int(rng.integers(20, 40)), float(rng.uniform(4.0, 6.0))
    # The luck of the sample, from a tenth of a nat to half a nat, either way; and a gap that is not near zero.
    luck = float(rng.uniform(0.1, 0.5) * rng.choice([-1.0, 1.0]))
    spread, noise = rng.gamma(2.0, 0.5, size=answers), rng.normal(0.0, 0.8, size=answers)
    teacher = -entropy - luck - (spread - spread.mean())
    return teacher, teacher - float(rng.uniform(0.2, 0.6)) - (noise - noise.mean()), entropy


def expected(teacher_logprobs, student_logprobs, entropy):
    """The constant that, taken off the teacher's log-probabilities, fits the student's best: the lowest point of a parabola."""
    left, middle, right = (float(np.sum((teacher_logprobs - c - student_logprobs) ** 2)) for c in (-1.0, 0.0, 1.0))
    gap = (left - right) / (2 * (left - 2 * middle + right))
    return gap, gap / entropy


RIGHT = {
    "model": floor_gap,
    "loop": floor_gap_by_loop,
    "matrix": floor_gap_by_matrix,
}

QUESTION = Question(
    name="ch3-floor",
    title="How far from the floor",
    stars=2,
    minutes=10,
    text=TEXT.strip(),
    stub=STUB.strip(),
    law="Two numbers: the student's loss minus the teacher's on the same answers, and that as a share of the entropy.",
    expected=expected,
    parts=(Part("any sample of answers", 6, draw),),
    right=RIGHT,
    wrong={
        "sides exchanged": Wrong(
            sides_exchanged,
            "Both numbers have the wrong sign. Exchanging the two sides does not give the KL in the other "
            "direction either: for that the answers would have to be the student's.",
        ),
        "above the entropy": Wrong(
            above_the_entropy,
            "You held the loss on these few answers against the entropy, a mean over all answers. If the sample "
            "happens to hold rare ones, both losses are high, and that luck now stands in your gap.",
        ),
        "whole loss": Wrong(
            whole_loss,
            "Your first number is the student's whole loss. Most of it is the teacher's own uncertainty, which no "
            "student can learn away.",
        ),
        "share of student loss": Wrong(
            share_of_student_loss,
            "The gap is right. You divided it by the student's loss; the share was to be one of the teacher's entropy.",
        ),
        "share of sample": Wrong(
            share_of_sample,
            "The gap is right. You divided it by the teacher's loss on these answers, which is only an estimate of"
            " the entropy; the entropy itself is known.",
        ),
        "ratio of losses": Wrong(
            ratio_of_losses,
            "The gap is right. Your second number is the ratio of the two losses: it is 1, not 0, for a student "
            "who has reached the floor.",
        ),
        "per cent": Wrong(
            per_cent,
            "The gap is right, and the share too, but in per cent: 4 per cent are a share of 0.04.",
        ),
        "absolute differences": Wrong(
            absolute_differences,
            "You took absolute values before averaging. To some answers the student gives more than the teacher "
            "does, and they count against the others: the mean comes first.",
        ),
        "median": Wrong(
            median,
            "You took the median over the answers. A KL is an expectation: the few answers that the student finds "
            "almost impossible belong in it with their full weight.",
        ),
        "summed": Wrong(
            summed,
            "You added the answers up. The gap is in nats an answer, and must not grow with the sample.",
        ),
        "teacher counted twice": Wrong(
            teacher_counted_twice,
            "You weighted each answer by its probability under the teacher. The answers were drawn from the "
            "teacher, so that is already in how often they come.",
        ),
    },
)

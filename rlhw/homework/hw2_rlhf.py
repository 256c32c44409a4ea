"""hw2: nine functions of RLHF, labels of one's own, a run on them, and what people read."""

from rlhw.homework.assignment import Asked, Assignment, Level, Prose, Written

INTRODUCTION = r"""
From labels to an aligned model, and back to what the numbers are worth. You write the nine functions that everything
stands on, label pairs yourself, put your labels through the whole loop, and say what came of it.

It asks for what chapters 3 to 8 taught, each time a step further than their exercises: a solution that the book shows does
not answer a question here. The worked example in each question fits on paper; try it before you run the check. All
functions need numpy alone.

The labels and the run take an hour together, of which the computer needs some minutes. Begin with them if you like: they
need none of the functions."""

PREFERENCES = r"""
## 1. What people said

**Taught in** chapters 4 and 5. An export of several annotators becomes votes, and votes become a loss. Whatever is left out
is counted; whatever is undecided counts half."""

SEQUENCES = r"""
## 2. Answers as tokens

**Taught in** chapters 3 and 6. From here on an answer is a row of tokens with a mask. Three things go wrong most often, in
published code too: a shift by one, padding that is counted, and a reward at the wrong token. None of them crashes."""

OPTIMISATION = r"""
## 3. Three ways to a better policy

**Taught in** chapters 6 and 7: PPO's loss, DPO's loss, and the optimum that both look for."""

PIPELINE = r"""
## 4. Your own labels, through the whole loop

**Taught in** chapters 4, 5 and 8. First the labels, then the run; both are pasted as text, so that a reader sees what you
worked with."""

WORDS = r"""
## 5. In your own words

People read these two answers. They look for what *you* measured and wrote: quote your own numbers and your own lines."""

EXPLAIN = r"""
Choose **one** of your functions `gae`, `clipped_loss` or `dpo_loss`, and explain it to somebody who has read chapter 5 and
no further. In about 200 words:

1. What does it compute, and where in the loop is it called?
2. Take one line of your code that would be easy to get wrong. What is the wrong version, and would anything crash with it?
3. Show with numbers of your own (two or three tokens, or one comparison) what the wrong version gives and what yours
   gives.
4. Which sign has the gradient (or the advantage) in your example, and why must it have that sign?
"""

RESULTS = r"""
What came of your labels? In about 300 words, with the numbers of *your* run card:

1. **The labels.** How many, how long did they take, what made you choose one answer over another? Name one pair on which
   you were unsure, and say why.
2. **The reward model.** Its accuracy with n, and Wilson's interval for it (chapter 8; for 5 of 9 it goes from 0.27 to 0.81).
   Its validation loss beside ln 2. What may you conclude, and what not?
3. **The policies.** $J$ of the clone, PPO, GRPO and DPO beside $J^\ast$, each with its standard error. Which difference is
   larger than its uncertainty? Where did the KL go, and did gold follow the learned reward?
4. **Samples.** One post with the answers of two policies, from `runs/mine/run/report.html`. Do you prefer what the numbers
   prefer?
5. **What you would do next**, with ten times the time. One measurement or one change, and what it would tell you.

A run that went badly and is described rightly gets all points.
"""

ASSIGNMENT = Assignment(
    name="hw2",
    stem="hw2_rlhf",
    title="Homework 2: from labels to an aligned model",
    introduction=INTRODUCTION.strip(),
    items=(
        Prose(PREFERENCES),
        Asked("hw2-comparisons", binds=("comparisons",)),
        Asked("hw2-bt-loss", binds=("bt_loss",)),
        Asked("hw2-kwise", binds=("kwise_loss",)),
        Prose(SEQUENCES),
        Asked("hw2-answer-logprob", binds=("answer_logprob",)),
        Asked("hw2-shaped-rewards", binds=("shaped_rewards",)),
        Asked("hw2-gae", binds=("gae",)),
        Prose(OPTIMISATION),
        Asked("hw2-clipped-loss", binds=("clipped_loss",)),
        Asked("hw2-dpo-loss", binds=("dpo_loss",)),
        Asked("hw2-pi-star", binds=("pi_star",)),
        Prose(PIPELINE),
        Asked("hw2-own-labels", binds=("labels",)),
        Asked("hw2-run-card", binds=("run_card",), expression="(labels, run_card)"),
        Prose(WORDS),
        Written(
            name="hw2-explain-code",
            title="Explain one of your functions",
            points=12,
            minutes=30,
            text=EXPLAIN.strip(),
            rubric=(
                Level(
                    12,
                    "All four points, right, with numbers that can be checked by hand; the wrong version is one that runs.",
                ),
                Level(
                    9, "Three of the four points right, or all four with one slip in the numbers or the sign's reason."
                ),
                Level(
                    6,
                    "What the function computes is right, but the line, the numbers or the sign are asserted, not shown.",
                ),
                Level(
                    3,
                    "A paraphrase of the code, line by line, without what it is for; or of the chapter without the code.",
                ),
                Level(0, "Nothing, or what has nothing to do with the student's own function."),
            ),
            samples=(
                (
                    12,
                    "`gae` turns the rewards of tokens into advantages, after the rollout and before the PPO epochs: what it "
                    "returns is the weight of each token in the clipped loss, and the critic's target. The line that I got "
                    "wrong first is `following[n, last] = np.where(ended, 0, final_values)`. I had left it out, so every "
                    "answer seemed to have ended. Nothing crashes: an answer that was cut only looks as if its last token had "
                    "thrown away all that was to come. Two tokens, γ = 0.8, λ = 0.5, rewards (0, 1), values (0.5, 0.25), "
                    "final value 0.5. Without the line δ = (-0.3, 0.75) and A = (-0.3 + 0.4·0.75, 0.75) = (0, 0.75). With it "
                    "the last δ is 1 + 0.4 - 0.25 = 1.15 and A = (0.16, 1.15). The sign: the last token earned 1 and left 0.5 "
                    "to be had, where the critic had expected 0.25 in all. So it was better than expected, its advantage is "
                    "positive, and PPO makes it more likely.",
                    "All four points; the numbers can be followed, and the wrong version runs. Its own code is quoted.",
                ),
                (
                    7,
                    "The DPO loss compares the policy with the reference on the chosen and the rejected answer and takes the "
                    "log-sigmoid of the difference. It is called for every batch of comparisons. An easy mistake is to swap "
                    "chosen and rejected in the gradient, then the model learns the opposite. It would not crash, the loss "
                    "would just not go down. In my code the gradient of the chosen one is negative because we want to "
                    "increase its probability and the optimizer goes down.",
                    "Right about purpose and sign (6), and a real mistake that does not crash (1). No numbers, and with the "
                    "gradient swapped the loss goes *up*; no line of its own code.",
                ),
                (
                    3,
                    "First I compute the ratio with np.exp. Then I clip it with np.clip between 1 - clip and 1 + clip. Then I "
                    "take the minimum of both products and multiply with minus one. Then I use np.where for the gradient. "
                    "Then I divide by the number of tokens and return both.",
                    "The code read aloud. What it is for, what could go wrong, numbers and signs are missing.",
                ),
            ),
        ),
        Written(
            name="hw2-results",
            title="What came of your labels",
            points=16,
            minutes=45,
            text=RESULTS.strip(),
            rubric=(
                Level(
                    16,
                    "All five points with the student's own numbers; no claim exceeds its interval; a sample is read.",
                ),
                Level(
                    12,
                    "All five points, with one claim that its interval does not carry, or one number without its company.",
                ),
                Level(
                    8,
                    "The numbers are reported right, but hardly read: what follows from n, ln 2 and the errors is missing.",
                ),
                Level(
                    4,
                    "Some numbers of the run, or a general account of RLHF with few of them; conclusions are not supported.",
                ),
                Level(0, "Nothing, or numbers that are not those of the run card."),
            ),
            samples=(
                (
                    16,
                    "I labelled 45 pairs in nine minutes. I chose the summary with more facts that stand in the post, and at a "
                    "draw the shorter one; on the bike post both named one right fact and one wrong one, and my choice there "
                    "is a coin. Accuracy on the held-out labels: 5 of 9, Wilson 0.27 to 0.81. So the model may be worse than "
                    "a coin or nearly perfect. The loss is 1.31 where a constant model has 0.69: as chances its scores are "
                    "worse than none, it is too sure. J (s.e. to J*): clone 2.31, behind J* = 4.02 by 1.71 (0.11); PPO 1.1, "
                    "behind by 2.9 (0.2); DPO 2.28, behind by 1.74 (0.11). PPO is worse than the clone by more than four "
                    "standard errors; clone and DPO do not differ. PPO spent 4 nats, and its learned reward rose from 0.1 to "
                    "2.4 while gold fell from 2.3 to 2.1: over-optimisation of 36 labels. Sample: post 3, clone 'my bike was "
                    "stolen. what now?', PPO 'my bike was stolen by my boss. my boss lied. i am sad.' I prefer the clone, and "
                    "gold does. Next I would hold β fixed and label 300: if the accuracy's interval then excludes 0.5, it was "
                    "the number of labels and not how I label.",
                    "Own numbers throughout, each conclusion within its interval, and a bad run described rightly.",
                ),
                (
                    9,
                    "I labelled 50 pairs. The accuracy is 0.7 on 10 labels and the validation loss 0.8, ln 2 is 0.69. J*: 4.0, "
                    "clone 2.3, PPO 2.0, GRPO 2.1, DPO 2.4. So DPO is the best method and PPO does not work for language "
                    "models. The KL of PPO is 5. The sample of DPO is better than the one of PPO, it is more correct. Next "
                    "time I would use a larger model.",
                    "Numbers right and complete (8), a sample is named (1). But 2.4 against 2.3 is within the error, one run "
                    "says nothing about a method in general, 0.7 of 10 gets no interval, and the next step tests nothing.",
                ),
                (
                    4,
                    "RLHF aligns models with human preferences. My reward model reached 70 % accuracy, which is good, and after "
                    "PPO the reward went up a lot, so the model is now aligned with my preferences.",
                    "One number without n, and the learned reward taken for success: the slip of chapter 8.",
                ),
            ),
        ),
    ),
)

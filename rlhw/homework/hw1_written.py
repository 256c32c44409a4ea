"""What people read in homework 1: four answers in words, with the rubric they are marked by and three marked samples each."""

from rlhw.homework.assignment import Level, Written

ALGORITHM = Written(
    name="hw1-algorithm",
    title="From the gradient to an algorithm",
    points=8,
    minutes=15,
    text=r"""
The gradient of $J_{\text{MLE}}$ is an expectation. (1) Write it as one, for any policy that is differentiable in $\theta$:
say over what the expectation goes, and what stands inside. Say in one sentence why $\nabla_\theta$ may pass through it.
(2) Give the stochastic algorithm that follows: what is drawn in each step, from where, how $\theta$ moves, and why it moves
along the gradient in the mean. (3) A friend draws the answers from $\pi_\theta$ instead and changes nothing else. What is the
mean of the friend's update, and why?

Ten lines are enough.
""".strip(),
    rubric=(
        Level(
            8,
            "All four, two points each: the expectation over p and the teacher, with the score inside, and why the "
            "gradient passes (p and the teacher do not depend on θ, the sums are finite); question and answer drawn, the "
            "answer from the teacher; ascent with a step size, whose mean is the step size times the gradient by (1); "
            "the friend's mean is 0, because probabilities sum to one.",
        ),
        Level(
            6,
            "Three of the four, and nothing false in the fourth; or all four, with the reason for the passing gradient "
            "or for the mean of the step missing.",
        ),
        Level(
            4,
            "The gradient and an algorithm that draws from the teacher, but no reasons are given, or the friend's mean "
            "is said not to be 0; or the law of the answers is never named.",
        ),
        Level(
            2,
            "A formula or an algorithm in outline, with one serious slip: the sign of descent, answers from the "
            "policy, or the gradient of J' instead of J.",
        ),
        Level(0, "None of it, or REINFORCE under the name of cloning."),
    ),
    samples=(
        (
            8,
            r"(1) $\nabla J = \mathbb E_{x\sim p}\,\mathbb E_{y\sim\pi_{\text{teacher}}(\cdot\mid "
            r"x)}[\nabla\log\pi_\theta(y\mid x)]$. $J$ is a finite sum, and of its factors only $\log\pi_\theta$ "
            r"depends on $\theta$, so it is differentiated term by term. (2) Repeat: draw $x$ from $p$ and $y$ from "
            r"the teacher (in practice the next line of the data set), set "
            r"$\theta\leftarrow\theta+\eta\,\nabla\log\pi_\theta(y\mid x)$ with a step size $\eta > 0$. By (1) the mean of "
            r"this step is $\eta\nabla J$. (3) Zero: "
            r"$\sum_y\pi_\theta\nabla\log\pi_\theta = \sum_y\nabla\pi_\theta = \nabla 1 = 0$ for every $x$. Single "
            r"updates are not 0, so the friend walks at random.",
            "Everything that was asked, with reasons. That single updates are not 0 was not even asked.",
        ),
        (
            4,
            r"$J' = \mathbb E[\nabla\log\pi_\theta(y\mid x)]$. Algorithm: take a pair $(x, y)$ from the teacher's "
            r"data and do gradient ascent on $\log\pi_\theta(y\mid x)$. With own samples it still learns, only "
            r"slower, because the policy is not as good as the teacher.",
            "The algorithm is right and draws from the teacher. The expectation does not say over what it goes, the "
            "reason is missing, and the friend learns nothing: the mean update is 0.",
        ),
        (
            2,
            r"We sample $y\sim\pi_\theta$ and update $\theta\leftarrow\theta+\eta\,\nabla\log\pi_\theta(y\mid x)$, "
            r"because this makes the sampled answer more likely.",
            "The form of an update, with the answers from the wrong law: this is the friend's algorithm. Nothing "
            "else was answered.",
        ),
    ),
)

PROOF = Written(
    name="hw1-proof",
    title="The gradient of the expected reward",
    points=10,
    minutes=20,
    text=r"""
Prove that $\nabla_\theta J_{\text{RL}} = \mathbb E_{x\sim p}\,\mathbb E_{y\sim\pi_\theta(\cdot\mid x)}[\,r(x,
y)\,\nabla_\theta\log\pi_\theta(y\mid x)\,]$ for finitely many questions and answers and any policy with
$\pi_\theta(y\mid x) > 0$ that is differentiable in $\theta$. Say at each step what allows it. Then give the algorithm that
follows from it (what is drawn, from where, how $\theta$ moves), and say in one sentence why the answers must be drawn anew
after each update.

Two points each: the setting; the gradient moved inside, with the reason; the log-derivative; the expectation under the
right law; the algorithm, fresh answers included.
""".strip(),
    rubric=(
        Level(
            10,
            "All five steps: J as a sum over x and y; the gradient inside, because the sums are finite and p and r "
            "do not depend on θ; ∇π = π ∇log π; read as an expectation under p and the policy of now; REINFORCE, "
            "with fresh answers because the law has moved.",
        ),
        Level(
            8,
            "Four of the five, and nothing false in the fifth. Usually the reason for moving the gradient inside is "
            "missing.",
        ),
        Level(6, "Three of the five; or all, with p(x) left out throughout."),
        Level(4, "Two of the five: J written out and the log-derivative known, say, but no way from one to the other."),
        Level(
            2,
            "One of the five. Also where the claim is reached by two errors that cancel: the gradient of r taken, or "
            "π counted twice, and the right formula written at the end.",
        ),
        Level(0, "None of it: the claim repeated, or the gradient of another objective."),
    ),
    samples=(
        (
            10,
            r"$J = \sum_x p(x)\sum_y\pi_\theta(y\mid x)\,r(x,y)$. The sums are finite, and neither $p$ nor $r$ "
            r"depends on $\theta$, so $\nabla J = \sum_x p(x)\sum_y r(x,y)\,\nabla\pi_\theta(y\mid x)$. Since "
            r"$\pi_\theta > 0$, $\nabla\log\pi_\theta = \nabla\pi_\theta/\pi_\theta$, that is $\nabla\pi_\theta = "
            r"\pi_\theta\nabla\log\pi_\theta$. Put in: $\nabla J = \sum_x p(x)\sum_y\pi_\theta(y\mid "
            r"x)\,r(x,y)\,\nabla\log\pi_\theta(y\mid x)$, and this is the expectation of $r\,\nabla\log\pi_\theta$ "
            r"over $x\sim p$ and $y\sim\pi_\theta(\cdot\mid x)$. Algorithm: draw $x$, let the policy of now answer, "
            r"observe $r$, set $\theta\leftarrow\theta+\eta\,r\,\nabla\log\pi_\theta(y\mid x)$. The expectation is "
            r"under $\pi_\theta$; after the update that is another law, and old answers are no samples of it.",
            "Each step with its reason, and each of the five asked for.",
        ),
        (
            6,
            r"$J=\sum_x p(x)\sum_y\pi(y\mid x)\,r(x,y)$, so $\nabla J=\sum_x p(x)\sum_y r\,\nabla\pi=\sum_x "
            r"p(x)\sum_y\pi\,r\,\nabla\log\pi=\mathbb E_{x\sim p,\,y\sim\pi}[r\,\nabla\log\pi]$, as "
            r"$\nabla\log\pi=\nabla\pi/\pi$. Algorithm: sample $x$ and $y\sim\pi$, get $r$, go along $r\,\nabla\log\pi$.",
            "The setting, the log-derivative and the law are right: six points. No word on why the gradient moves inside, "
            "and none on fresh answers.",
        ),
        (
            2,
            r"$\nabla\mathbb E_\pi[r]=\mathbb E_\pi[\nabla r]$, and as $r$ is a function of $y$ which is sampled "
            r"with $\pi$, the chain rule gives $\mathbb E_\pi[r\nabla\log\pi]$. So we draw $y$ from $\pi$ and update "
            r"by $r\nabla\log\pi$.",
            "The first step holds the law constant and gives 0; the second does not follow from it. A claim that is "
            "reached by two errors, with the right formula at the end: this level, and no word on fresh answers.",
        ),
    ),
)

BASELINE = Written(
    name="hw1-baseline",
    title="The zero identity and the baseline",
    points=8,
    minutes=15,
    text=r"""
Use the formula of the last proof as given. (1) Put $r(x, y) = 1$ for every answer into it and show in this way that
$\mathbb E_{y\sim\pi_\theta(\cdot\mid x)}[\nabla_\theta\log\pi_\theta(y\mid x)] = 0$ for each question $x$. (2) Conclude
that subtracting $b(x)$ from the reward does not change the expected update. (3) Say at which step your argument breaks when
the baseline looks at the answer, $b(x, y)$, and give an example with numbers where the update changes.

Note that (1) asks for this method. Another proof of the identity gets the points of (2) and (3) only.
""".strip(),
    rubric=(
        Level(
            8,
            "All four, two points each: J = 1 for r = 1 whatever θ is, so its gradient is 0, and by the formula that "
            "is the mean score (for one question: p puts all its weight on x, or x is held fixed); b(x) taken out of "
            "the expectation over y; the step that breaks is just this one; an example with numbers.",
        ),
        Level(
            6,
            "Three of the four. Usually the sum over x is treated as if its being 0 made each term 0, or the example "
            "has no numbers, or the identity is proven by another method, with (2) and (3) complete.",
        ),
        Level(4, "Two of the four."),
        Level(2, "One of the four."),
        Level(0, "None of it, or only the claims repeated."),
    ),
    samples=(
        (
            8,
            r"(1) Fix $x$ and let $p$ put all its weight on it. With $r=1$, $J=\sum_y\pi_\theta(y\mid x)=1$ for "
            r"every $\theta$, so $\nabla J=0$. The formula says $\nabla J=\mathbb "
            r"E_y[1\cdot\nabla\log\pi_\theta(y\mid x)]$. So that is 0. (2) Given $x$, $b(x)$ is a number: $\mathbb "
            r"E_y[b(x)\nabla\log\pi_\theta]=b(x)\,\mathbb E_y[\nabla\log\pi_\theta]=0$, and the expectation is "
            r"linear. (3) $b(x,y)$ can't be taken out of $\mathbb E_y$. One question, two answers, logits 0, $r = b "
            r"= (1, 0)$: the update is always 0, but the gradient is $(\frac14,-\frac14)$.",
            "By the method that was asked for, question by question, with an example that can be checked.",
        ),
        (
            6,
            r"With $r=1$ we have $J=1$, so $0=\nabla J=\mathbb E_x\mathbb E_y[\nabla\log\pi]$, hence the inner mean "
            r"is 0 for each $x$. Then $\mathbb E_y[(r-b(x))\nabla\log\pi]=\mathbb E_y[r\nabla\log\pi]-b(x)\cdot 0$. "
            r"With $b(x,y)$ one can't pull $b$ out: for $\pi=(\frac12,\frac12)$ and "
            r"$b=r=(1,0)$ the update is always zero, and the gradient is $(\frac14,-\frac14)$.",
            "Two points are missing in (1): a mean over questions may be 0 without each of its terms being 0. The "
            "example is short and complete.",
        ),
        (
            4,
            r"$\sum_y\pi\nabla\log\pi=\sum_y\nabla\pi=\nabla\sum_y\pi=\nabla 1=0$. So $\mathbb "
            r"E_y[b(x)\nabla\log\pi]=b(x)\cdot 0=0$ and the baseline has no effect on the mean. If $b$ depends on "
            r"$y$ then $b$ is not constant in $\mathbb E_y$; e.g. for $b=r$ the weight is always 0 and nothing is "
            r"learnt, though the gradient isn't 0.",
            "All true, and the identity by another method than the one that was asked for; the example has no "
            "numbers, but says what would be seen. (2) and the step of (3) earn two points each.",
        ),
    ),
)

DIFFERENCES = Written(
    name="hw1-differences",
    title="Similarities and differences",
    points=10,
    minutes=20,
    text=r"""
Compare cloning and REINFORCE, in about fifteen lines. Say (1) what the two updates have in common, in one formula that
covers both; (2) where the answers come from, and what that means for data made once and used again; (3) how much one answer
tells about what should have been done, and what that means for the number of samples; (4) what each has at its optimum,
compared with the teacher; (5) which of the two you would use first for a language model that is to summarise posts, and what
would make you change to the other. Give a reason for each.
""".strip(),
    rubric=(
        Level(
            10,
            "All five with a reason: weight times score, with weight 1 and weight r - b(x); the teacher's answers "
            "stay valid, one's own must be drawn anew; a target for every token against one number an answer, so "
            "more noise; the teacher with its mistakes against what the reward knows of; cloning first, since a "
            "policy that never gives a good answer earns nothing to learn from, then REINFORCE where a reward one "
            "can trust goes further.",
        ),
        Level(8, "Four with a reason; the fifth is named, or left out, without an error."),
        Level(6, "Three with a reason; or all five named, and no reasons."),
        Level(4, "Two with a reason."),
        Level(2, "One with a reason, or some true sentences about either, not compared."),
        Level(0, "None; or the two are exchanged throughout."),
    ),
    samples=(
        (
            10,
            r"(1) Both move along $w\,\nabla\log\pi_\theta(y\mid x)$; cloning has $w=1$, REINFORCE $w=r(x,y)-b(x)$. "
            r"(2) In cloning $y$ comes from the teacher, whose law does not depend on $\theta$: the data can be made "
            r"once, shuffled and used for many epochs. In REINFORCE $y$ comes from $\pi_\theta$, so after an update "
            r"old answers follow the wrong law. (3) Cloning is told what to write at each place; a reward is one "
            r"number for a whole answer and does not say which word was bad, so its gradient is noisy and takes many "
            r"samples and a baseline. (4) Cloning's best is the teacher, mistakes included. REINFORCE can be better, "
            r"as far as the reward is right, and finds what the reward overlooks as well. (5) Cloning first: from "
            r"random text no summary would ever be drawn, so every reward is the same. Then REINFORCE, once the "
            r"policy sometimes beats the teacher and there is a reward that I would trust.",
            "Each point with its reason.",
        ),
        (
            6,
            r"Both are gradient ascent on log-probabilities, weighted by 1 or by the reward. MLE uses the expert's "
            r"data, which is fixed, RL samples from the policy and has to sample again because the policy changes. "
            r"MLE can't be better than the expert since it only copies; RL can. RL has higher variance. I would "
            r"start with MLE and then do RL.",
            "Common form, origin of the data and optimum come with a reason. That REINFORCE is noisier and that "
            "cloning comes first is only stated.",
        ),
        (
            2,
            r"MLE is supervised learning and RL is reinforcement learning. MLE needs labels and RL needs rewards. RL "
            r"is harder to train but more powerful. In RL the reward is the loss that is backpropagated.",
            "True of either in general, and not compared; the last sentence is false: the reward is not "
            "differentiated.",
        ),
    ),
)

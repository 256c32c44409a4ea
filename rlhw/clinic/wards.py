"""The runs behind the curves: five short trainings, each a generator of what its instruments show.

A ward calls the library as a user would, always by `module.name`, so that a bug put in the place of one name is met and
nothing else changes. Each takes a seed and yields one row of instruments a step, read before the step is taken.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rlhw import batches, behavior_cloning, dpo, grpo, ppo, reward_model
from rlhw.batches import Batch
from rlhw.clinic import world
from rlhw.logprobs import sequence_logprobs
from rlhw.training import warmup_decay

Row = dict[str, float]
CLONING_STEPS, REWARD_STEPS, DPO_STEPS, ROLLOUTS, GROUP_ROLLOUTS = 80, 60, 80, 32, 40
TEACHER, START = 4, 7
# The third prompt of the GRPO ward is one that no answer does well on: all get the same few points.
SAME_SCORE = 0.3
# GRPO is often run without a price of the KL; our loop asks for one above 0, and this is below float32's resolution.
NO_PRICE = 1e-9


def _stepped(
    steps: Iterator[Row], optimizer: torch.optim.Optimizer, count: int, look: Callable[[], Row]
) -> Iterator[Row]:
    """Rows of a training loop: what `look` sees before each step, and what the loop says of it; the rate decays to zero."""
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warmup_decay(0, count))
    for _ in range(count):
        seen = look()
        yield seen | next(steps)
        schedule.step()


# Cloning


def teacher_law() -> tuple[Batch, Tensor]:
    """All answers to the eight prompts, and the probability "B K" of each as a demonstration: the teacher's, uncut ones only."""
    batch = world.all_answers(torch.cartesian_prod(*[torch.arange(2)] * 3))
    with torch.no_grad():
        logprobs = sequence_logprobs(world.table(TEACHER, 3 + world.STEPS), batch)
    ended = ((batch.responses == world.EOS) & batch.response_mask).any(-1)
    return batch, torch.softmax(logprobs.masked_fill(~ended, -torch.inf), 1)


def _text(tokens: Tensor) -> str:
    return "".join(world.LETTERS[token] for token in tokens.tolist() if token != world.EOS)


def cloning(seed: int) -> Iterator[Row]:
    """Behavior cloning from text: the teacher's answers to prompts of three letters, 64 new ones a step."""
    generator, (answers, p) = torch.Generator().manual_seed(seed), teacher_law()
    student = world.table(0, 3 + world.STEPS, random=False)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.2)
    lengths = answers.response_mask.sum(-1).double()

    def demonstrations() -> Iterator[Batch]:
        while True:
            rows = torch.randint(len(p), (64,), generator=generator)
            chosen = torch.multinomial(p[rows], 1, generator=generator)[:, 0]
            texts = zip(
                answers.prompts[rows], answers.responses[rows, chosen], answers.response_mask[rows, chosen], strict=True
            )
            records = [{"prompt": _text(prompt), "completion": _text(answer[mask])} for prompt, answer, mask in texts]
            yield batches.collate(records, world.Tokens(), max_length=3 + world.STEPS)

    @torch.no_grad()
    def look() -> Row:
        logprobs = sequence_logprobs(student, answers)
        kl = torch.where(p > 0, p * (p.clamp(min=1e-300).log() - logprobs), 0.0).sum(1).mean()
        return {"kl": float(kl), "length": float((logprobs.exp() * lengths).sum(1).mean())}

    config = behavior_cloning.CloningConfig(max_grad_norm=10.0)
    yield from _stepped(
        behavior_cloning.train_bc(student, demonstrations(), optimizer, config), optimizer, CLONING_STEPS, look
    )


# Reward model


def rewarding(seed: int) -> Iterator[Row]:
    """A reward model from 64 votes a step, each between two answers that stand in an order drawn by lot."""
    generator, answers = torch.Generator().manual_seed(seed), world.all_answers()
    gold = world.reward(answers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = reward_model.RewardModel(world.table(0).trunk, reward_model.last_token).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    order = torch.sign(gold[:, :, None] - gold[:, None, :])

    def votes() -> Iterator[tuple[Batch, Tensor]]:
        while True:
            rows = torch.randint(len(gold), (64,), generator=generator)
            pair = torch.rand(64, gold.shape[1], generator=generator).topk(2).indices
            values = gold[rows[:, None], pair]
            first = (
                torch.rand(64, generator=generator, dtype=torch.float64)
                < ((values[:, 0] - values[:, 1]) / world.TAU).sigmoid()
            )
            wins = torch.zeros(64, 2, 2, dtype=torch.float64)
            wins[:, 0, 1], wins[:, 1, 0] = first.double(), (~first).double()
            masks = answers.response_mask[rows[:, None], pair]
            yield (
                Batch(answers.prompts[rows], answers.prompt_mask[rows], answers.responses[rows[:, None], pair], masks),
                wins,
            )

    @torch.no_grad()
    def look() -> Row:
        scores = model(answers)
        agreed = torch.sign(scores[:, :, None] - scores[:, None, :]) == order
        return {"ordered": float(agreed[order != 0].double().mean()), "spread": float(scores.std(1).mean())}

    config = reward_model.RewardConfig(max_grad_norm=10.0)
    yield from _stepped(
        reward_model.train_reward_model(model, votes(), optimizer, config), optimizer, REWARD_STEPS, look
    )


# DPO


def direct(seed: int) -> Iterator[Row]:
    """DPO on 64 votes a pair of answers, drawn once: all pairs, so that its best policy is nearly that of the objective."""
    generator, answers = torch.Generator().manual_seed(seed), world.all_answers()
    gold, policy = world.reward(answers), world.table(START)
    start = world.frozen(policy)
    chance = ((gold[:, :, None] - gold[:, None, :]) / world.TAU).sigmoid()
    upper = torch.triu(torch.binomial(torch.full_like(chance, 64.0), chance, generator=generator), 1)
    wins = upper + torch.tril(64.0 - upper.mT, -1)
    ref_logprobs = dpo.reference_logprobs(start, [answers])
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.6)
    data = iter(lambda: (answers, wins, ref_logprobs), None)
    steps = dpo.train_dpo(policy, data, optimizer, dpo.DPOConfig(beta=world.BETA / world.TAU, max_grad_norm=10.0))
    best = world.best(start)[0]

    @torch.no_grad()
    def look() -> Row:
        logprobs = sequence_logprobs(policy, answers)
        distance = (logprobs.exp() * (logprobs - best)).sum(1).mean()
        return world.exact(policy, start) | {"distance": float(distance)}

    yield from _stepped(steps, optimizer, DPO_STEPS, look)


# PPO and GRPO


def _prompts(times: int) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield world.PROMPTS.repeat(times, 1), world.PROMPT_MASK.repeat(times, 1)


def _reported(steps: Iterator[Row]) -> Iterator[Row]:
    """What the loop says of its samples, by names of their own: the exact values have the short ones."""
    for figures in steps:
        yield {
            "reported_kl" if key == "kl" else key: figures[key]
            for key in figures.keys() - {"reward", "objective", "length"}
        }


def proximal(seed: int) -> Iterator[Row]:
    """PPO with a critic: 12 prompts with 8 answers a rollout, two passes over each."""
    policy = world.table(START)
    reference, start = world.frozen(policy), world.frozen(policy)
    critic = ppo.ValueModel(world.table(START).trunk).double()
    groups = [{"params": policy.parameters(), "lr": 0.1}, {"params": critic.parameters(), "lr": 0.2}]
    optimizer = torch.optim.Adam(groups)
    config = ppo.PPOConfig(max_new_tokens=world.STEPS, eos_id=world.EOS, k=8, epochs=2, whiten=False, value_clip=10.0)
    loop = {"generator": torch.Generator().manual_seed(seed), "kl": ppo.FixedKL(world.BETA)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        steps = ppo.train_ppo(policy, critic, reference, world.reward, _prompts(4), optimizer, config, **loop)
        yield from _stepped(_reported(steps), optimizer, ROLLOUTS, lambda: world.exact(policy, start))


def group_score(batch: Batch) -> Tensor:
    """The world's reward, but the same score for every answer to the third prompt."""
    return torch.where(batch.prompts[:, -1:] == 2, SAME_SCORE, world.reward(batch))


def grouped(seed: int) -> Iterator[Row]:
    """GRPO in float32, as it is usually run: 12 prompts with 6 answers a rollout, advantages scaled by the group's deviation."""
    policy = world.table(START).float()
    reference, start = world.frozen(policy), world.frozen(policy)
    optimizer = torch.optim.SGD(policy.parameters(), lr=15.0)
    config = grpo.GRPOConfig(max_new_tokens=world.STEPS, eos_id=world.EOS, k=6, max_grad_norm=10.0)
    loop = {"generator": torch.Generator().manual_seed(seed), "kl": ppo.FixedKL(NO_PRICE)}
    steps = grpo.train_grpo(
        policy, reference, group_score, _prompts(4), optimizer, config, advantages=grpo.group_advantages, **loop
    )
    yield from _stepped(_reported(steps), optimizer, GROUP_ROLLOUTS, lambda: world.exact(policy, start, group_score))

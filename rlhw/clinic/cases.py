"""The patients: what was done to each, which law notices, what is seen, and how to find it.

Reading this file spoils the game.
"""

from collections.abc import Callable

import numpy as np
import torch

from rlhw import batches, behavior_cloning, dpo, grpo, laws, ppo, reward_model, rollouts
from rlhw.batches import PLAIN, Batch
from rlhw.clinic import world, wrong
from rlhw.clinic.case import Case
from rlhw.clinic.readings import CLONING, DPO, GRPO, PPO, REWARD
from rlhw.laws import as_numpy, pipelines

LAWS: dict[str, Callable[[], None]] = {
    "check_collate": lambda: pipelines.check_collate(lambda *inputs: batches.collate(*inputs)),
    "check_all_answers, cloning": lambda: pipelines.check_all_answers(
        lambda model, *four: behavior_cloning.response_logprobs(model, Batch(*four)).sum(-1)
    ),
    "check_all_answers, dpo": lambda: pipelines.check_all_answers(
        lambda model, *four: dpo.sequence_logprobs(model, Batch(*four))
    ),
    "check_pairwise_loss": lambda: laws.check_pairwise_loss(as_numpy(reward_model.pairwise_loss)),
    "check_collect, ppo": lambda: pipelines.check_collect(_collected(ppo)),
    "check_collect, rollouts": lambda: pipelines.check_collect(_collected(rollouts)),
    "check_shaped_rewards": lambda: laws.check_shaped_rewards(as_numpy(ppo.shaped_rewards)),
    "check_critic_slope": lambda: pipelines.check_critic_slope(_critic_slope),
    "check_same_twice": lambda: pipelines.check_same_twice(
        lambda model, *four: ppo.response_logprobs(model, Batch(*four))
    ),
    "check_generate": lambda: laws.check_generate(_generated),
    "check_equal_rewards": lambda: pipelines.check_equal_rewards(grpo.group_advantages),
}


def _collected(module: object) -> Callable:
    def collect(policy: object, reference: object, prompts: object, mask: object, **settings: object) -> tuple:
        found = module.collect(
            policy, reference, lambda batch: torch.zeros(batch.responses.shape[:2]), prompts, mask, **settings
        )
        return found.batch.responses, found.batch.response_mask, found.logprobs, found.ref_logprobs

    return collect


def _generated(*inputs: object, **settings: object) -> tuple:
    batch, logprobs = rollouts.generate(*inputs, **settings)
    return batch.responses, batch.response_mask, logprobs


class _Given(torch.nn.Module):
    """A critic that says these values, whatever it is asked."""

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.values = values

    def forward(self, batch: Batch) -> torch.Tensor:
        return self.values


def _critic_slope(values: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """The gradient of one PPO update's loss by the critic's values, one prompt with one answer, at the policy that sampled."""
    like = torch.as_tensor(returns)[None, None]
    live = torch.as_tensor(values)[None, None].clone().requires_grad_()
    tokens = torch.zeros(like.shape, dtype=torch.int64)
    ones = torch.ones(1, 1, dtype=torch.bool)
    batch = Batch(tokens[:, 0, :1], ones, tokens, torch.ones_like(tokens, dtype=torch.bool))
    policy = world.table(0)
    with torch.no_grad():
        logprobs = ppo.response_logprobs(policy, batch)
    old = ppo._Experience(batch, logprobs, live.detach(), like - live.detach(), like)
    config = ppo.PPOConfig(max_new_tokens=4, eos_id=2, value_clip=10.0)
    loss, _ = ppo._loss(policy, _Given(live), old, config, PLAIN)
    return torch.autograd.grad(loss, live)[0][0, 0].numpy()


CASES = (
    Case(
        1, "pad is eos", CLONING, "rlhw.batches:_padded", wrong.padded_by_its_token, LAWS["check_collate"],
        {"loss_first": "lower", "loss": "lower", "kl": "higher", "length": "higher"}, "length",
        ("Two of the curves go different ways: the loss says all is better than well.",
         "No student can have a smaller loss than the teacher's entropy, unless it is asked less than the whole answer. What "
         "does this one never learn to say?",
         "Look at how long its answers become, and at the mask of the last token of an answer."),
        "the loss lies below the teacher's entropy, and the student's answers run on to the limit: it never learns to stop",
        "Make masks from lengths, never by comparing tokens with the padding token.",
        "GPT-2 has no padding token, so its end mark is made one; a collator that masks by the token's number then hides "
        "every real end mark from the loss.",
    ),
    Case(
        2, "shift by one", CLONING, "rlhw.behavior_cloning:response_logprobs", wrong.logprobs_without_a_shift,
        LAWS["check_all_answers, cloning"],
        {"loss": "lower", "kl": "higher", "length": "higher"}, "loss",
        ("A loss this good is bad news. Which number can no student get below?",
         "At the first step the loss is the healthy one; then it goes to zero, as if the answer could be seen.",
         "Which tokens has the model read when it is asked for token t? Add up the probabilities of all answers."),
        "the loss goes to zero, far below the teacher's entropy, while the KL from the teacher grows: the "
        "model repeats what it "
        "has just read",
        "The logits before a token predict it: shift logits and tokens by one against each other, in one place only.",
        "Hugging Face's models shift the labels themselves when they are given labels, and leave it to you when you take the "
        "logits: code that goes from one to the other shifts twice or not at all.",
    ),
    Case(
        3, "prompt in the loss", CLONING, "rlhw.batches:collate", wrong.collate_the_whole_text, LAWS["check_collate"],
        {"loss_first": "higher", "loss": "higher"}, "loss",
        ("One curve is off, by much the same amount from the first step to the last.",
         "The student is as good as the healthy one, and its loss never comes down to the teacher's entropy. What else is "
         "being counted?",
         "Before training every token costs ln 3. How many tokens does the first loss amount to, and how long is an answer?"),
        "the loss begins and ends too high: the tokens of the prompt are predicted as well, and their entropy comes on top",
        "Give the prompt as prompt, and let the mask hold the answer alone.",
        "`labels = input_ids.clone()` is right for pretraining and is copied from there. In this table the prompt's rows are "
        "its own, so that only the number is wrong; a network pays for it with capacity.",
    ),
    Case(
        4, "trained on order", REWARD, "rlhw.reward_model:pairwise_loss", wrong.votes_by_position, LAWS["check_pairwise_loss"],
        {"loss": "higher", "accuracy": "lower", "ordered": "lower"}, "accuracy",
        ("Nothing is learned; but the gradient is not zero, and the scores do move.",
         "The loss is no better than a constant model's, and half of the votes are agreed with. Which question about each "
         "pair has that answer?",
         "The two answers stand in an order drawn by lot. Who tells the loss which of them won?"),
        "the loss stays a little above ln 2 and the accuracy at a coin's one half, however long it trains",
        "Take the winner from the label, not from the place where its answer stands.",
        "Many data sets put the chosen answer first, and a loss written for those reads any other as noise.",
    ),
    Case(
        5, "mean over tokens", DPO, "rlhw.dpo:sequence_logprobs", wrong.mean_logprobs, LAWS["check_all_answers, dpo"],
        {"distance": "higher", "entropy": "lower"}, "distance",
        ("By the loss and the accuracy this patient is well. By what it should become it is not.",
         "It comes to rest, but not at π*. At the start its loss is ln 2, so policy and reference are treated alike.",
         "Add up the probabilities of all answers to a prompt, as this run computes them. Do they make one?"),
        "loss and accuracy look healthy, and the policy comes to rest somewhere else than at π*",
        "The log-probability of an answer is the sum over its tokens.",
        "A mean looks fairer to long answers. Chapter 7 shows that with it the optimum is another one.",
    ),
    Case(
        6, "KL sign", PPO, "rlhw.ppo:shaped_rewards", wrong.rewards_with_a_plus, LAWS["check_shaped_rewards"],
        {"objective": "lower", "kl": "higher", "entropy": "lower"}, "kl",
        ("The reward is a little higher than the healthy one's. Would you ship it?",
         "J falls short of the healthy run's although the reward does not: the difference is what J takes off.",
         "The KL is reported, and rightly; it grows as if somebody were paid for it."),
        "the KL grows beyond the healthy one, and is reported so; the entropy goes to almost nothing",
        "The price of a token is minus β log π/π_ref.",
        "A penalty that is subtracted in one place and negated in another is added.",
    ),
    Case(
        7, "dropout while scoring", PPO, "rlhw.ppo:response_logprobs", wrong.logprobs_in_training_mode,
        LAWS["check_same_twice"],
        {"clipped_first": "higher"}, "clipped_first",
        ("Look at the very first rollout: something is there that cannot be, before anything was learned.",
         "Right after sampling, the policy is the policy that sampled. What is the ratio of a number with itself?",
         "Tokens are clipped in the first update. What makes a model answer the same question differently each time?"),
        "tokens are clipped from the first update on, when the policy still is the one that sampled",
        "Score in eval mode, or set every dropout to 0 for reinforcement learning.",
        "GPT-2's configuration has dropout 0.1, and `model.train()` switches it on; chapter 6 keeps models in eval mode.",
    ),
    Case(
        8, "reward at the wrong token", PPO, "rlhw.ppo:shaped_rewards", wrong.rewards_at_the_right_edge,
        LAWS["check_shaped_rewards"],
        {"objective": "lower", "kl": "lower", "length": "higher", "entropy": "higher"}, "length",
        ("It learns something, and far from all that there is to learn.",
         "Answers stay long, though short ones are the good ones. Which answers are paid here?",
         "Where does the score of an answer stand when a longer one is beside it in the batch?"),
        "answers stay long and the reward hardly rises: only the longest answers of a batch are paid",
        "Put the score at each answer's own last token: the mask's sum less one, not the last column.",
        "`rewards[:, -1] += score` is right as long as all answers are equally long.",
    ),
    Case(
        9, "drifting reference", PPO, "rlhw.ppo:collect", wrong.collect_with_one_model, LAWS["check_collect, ppo"],
        {"objective": "lower", "kl": "higher", "gap": "lower", "entropy": "lower"}, "gap",
        ("Two curves of this patient should tell the same story, one from samples and one by listing all answers.",
         "One of the KLs is too good to be true.",
         "From which policy is the reported KL taken, and is that one still what it was at the start?"),
        "the reported KL stays at zero while the policy leaves its start",
        "Copy the reference before training (`copy.deepcopy`), freeze the copy, and check that its weights do not change.",
        "`reference = policy` is a second name for one model, not a second model.",
    ),
    Case(
        10, "advantages not detached", PPO, "rlhw.ppo:_loss", wrong.loss_with_fresh_advantages, LAWS["check_critic_slope"],
        {"value_loss": "higher"}, "value_loss",
        ("The policy learns as the healthy one does, more or less. Somebody else does not.",
         "The critic comes to rest, and far from the returns. What else pulls at it?",
         "The value loss of an answer ends near 2.6, and an answer has 1.3 tokens: 2 a token, half the square of 1/value_weight. "
         "Set the slope of the whole loss by V to zero, with A = R - V in it."),
        "the value loss stays high: the critic is pushed down by the policy's loss, which likes large advantages",
        "Compute advantages without gradient, once, before the updates.",
        "With policy and critic in one loss, `advantages = returns - values` needs a `.detach()`.",
    ),
    Case(
        11, "other temperature", PPO, "rlhw.rollouts:generate", wrong.generate_with_less_noise,
        LAWS["check_collect, rollouts"],
        {"objective": "lower", "gap": "higher", "clipped_first": "higher"}, "gap",
        ("Before anything is learned the policy is the one that sampled. Which curve should start at nothing?",
         "In the first update nothing should be clipped; and the KL from samples should agree with the one from all answers. "
         "Neither holds.",
         "Sampling has a law of its own. Is it that of the policy at temperature one?"),
        "tokens are clipped in the first update, and the reported KL comes out above the one from all answers",
        "Sample from the policy itself, at temperature 1 and without top-k, or score under the law that was sampled.",
        "Sampling settings of a chat are carried over to training; the policy that is scored is not the one that spoke.",
    ),
    Case(
        12, "zero-variance group", GRPO, "rlhw.grpo:group_advantages", wrong.advantages_with_a_tiny_guard,
        LAWS["check_equal_rewards"],
        {"entropy": "lower"}, "entropy",
        ("Somewhere there is movement where there should be none.",
         "The entropy ends below the healthy one's, and no reward comes of it: for one prompt in three no "
         "answer is better than another.",
         "All six answers got 0.3. What is left of that, in float32, when their mean is taken off, and by what is it divided?"),
        "the entropy falls to nearly nothing without any reward to show for it: rounding errors, divided by "
        "themselves, are taken for advantages",
        "Make equal rewards exactly zero before dividing, and let the guard beside the deviation be larger than rounding.",
        "The mean of equal float32 numbers need not be that number: six times 0.3 over 6 is off in the last digit.",
    ),
    Case(
        13, "eos is no action", GRPO, "rlhw.rollouts:generate", wrong.generate_without_its_end, LAWS["check_generate"],
        {"gap": "lower"}, "gap",
        ("One of these numbers cannot be.",
         "A KL is never negative, its estimate never by much, and two ways of measuring it agree. What does one of them leave out?",
         "Count the tokens of an answer that get a log-probability. Which decision of the policy is not among them?"),
        "the reported KL dips below zero, farther than luck goes, and stays below the one from all answers: one decision of the "
        "policy is not counted",
        "The end mark is chosen like any token: it belongs in the mask, in the log-probability and in the KL.",
        "Special tokens are skipped when text is decoded, and the mask is made from the text.",
    ),
)  # fmt: skip

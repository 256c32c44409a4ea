"""Models and batches of a few numbers, nothing special about them: for the tests of the training loops."""

import threading

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from rlhw.batches import Batch

VOCABULARY, EOS, PAD = 11, 9, 10


def gpt2(seed: int = 0, **changes) -> GPT2LMHeadModel:
    """GPT-2 with 2 layers of width 16, no dropout, weights large enough that every token matters."""
    settings = {"vocab_size": VOCABULARY, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
    settings |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.3}
    settings |= {"bos_token_id": EOS, "eos_token_id": EOS, "pad_token_id": PAD}
    torch.manual_seed(seed)
    return GPT2LMHeadModel(GPT2Config(**settings | changes)).eval()


def llama(seed: int = 0, **changes) -> LlamaForCausalLM:
    """Llama with 3 layers of width 16."""
    settings = {"vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3}
    settings |= {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}
    settings |= {"bos_token_id": EOS, "eos_token_id": EOS, "pad_token_id": PAD}
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**settings | changes)).eval()


def random_batch(prompts: int, answers: int, seed: int = 0, longest_prompt: int = 5, longest_answer: int = 4) -> Batch:
    """Prompts and answers of unequal lengths; no token is EOS or PAD but the EOS that ends each answer."""
    generator = torch.Generator().manual_seed(seed)

    def draw(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=generator)

    starts, lengths = draw(longest_prompt, prompts, 1), 1 + draw(longest_answer, prompts, answers, 1)
    prompt_mask = torch.arange(longest_prompt) >= starts
    response_mask = torch.arange(longest_answer) < lengths
    responses = draw(EOS, prompts, answers, longest_answer).scatter(-1, lengths - 1, EOS)
    return Batch(draw(EOS, prompts, longest_prompt), prompt_mask, responses, response_mask)


def padded(batch: Batch, left: int, right: int, fill: int) -> Batch:
    """The same texts with more padding, and `fill` in all of it."""

    def widen(tokens, mask, sides):
        mask = nn.functional.pad(mask, sides, value=False)
        return nn.functional.pad(tokens, sides).masked_fill(~mask, fill), mask

    prompts = widen(batch.prompts, batch.prompt_mask, (left, 0))
    return Batch(*prompts, *widen(batch.responses, batch.response_mask, (0, right)))


def random_wins(prompts: int, answers: int, seed: int = 0) -> torch.Tensor:
    """Unequal, fractional counts of votes between all answers of a prompt."""
    wins = torch.rand(prompts, answers, answers, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return wins * (1 - torch.eye(answers, dtype=torch.double))


class Rank:
    """One of several processes, played by a thread: an engine that averages gradients and reduces as DDP and gloo do."""

    def __init__(self, number: int, barrier: threading.Barrier, board: dict) -> None:
        self.number, self.barrier, self.board = number, barrier, board

    def gather(self, value):
        self.board[self.number] = value
        self.barrier.wait(timeout=30)
        values = [self.board[number] for number in range(self.barrier.parties)]
        self.barrier.wait(timeout=30)
        return values

    def backward(self, loss):
        loss.backward()

    def clip_grad_norm_(self, parameters, max_norm):
        parameters = list(parameters)
        gradients = self.gather([parameter.grad.clone() for parameter in parameters])
        for parameter, *all_of_it in zip(parameters, *gradients, strict=True):
            parameter.grad = torch.stack(all_of_it).mean(0)
        return nn.utils.clip_grad_norm_(parameters, max_norm)

    def reduce(self, tensor, reduction):
        total = torch.stack(self.gather(tensor)).sum(0)
        return total / self.barrier.parties if reduction == "mean" else total


def on_ranks(jobs) -> list:
    """Run each job(engine) in a thread of its own, as one rank of several, and return their results in order."""
    barrier, board, results = threading.Barrier(len(jobs)), {}, [None] * len(jobs)

    def work(number: int) -> None:
        results[number] = jobs[number](Rank(number, barrier, board))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

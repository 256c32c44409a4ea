"""Four steps of each job, in one process or in shards over several: `python tests/pipeline/sharded_jobs.py FOLDER STEPS [SCALE]`.

Under `python -m torch.distributed.run` with ACCELERATE_USE_FSDP=true each process holds a part of every model. STEPS: so many
are taken, and the next call goes on from their checkpoint. SCALE: losses are scaled by this power of two. All is in float64.
"""

import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_models import gpt2, random_batch, random_wins
from tiny_models import tokenizer

from rlhw.logprobs import masked_sum
from rlhw.pipeline import folder as folders
from rlhw.pipeline import jobs
from rlhw.pipeline.folder import Job
from rlhw.pipeline.host import host
from rlhw.pipeline.precision import LossScale
from rlhw.pipeline.settings import DPO, GRPO, PPO, Cloning, Reward

STEPS, NEW, BETA = 4, 4, 0.2
ROWS = 48
HELD = {"patience": 2, "measure_every": 1, "micro_batch": 2}
SETTINGS = {
    "bc": Cloning(steps=STEPS, size=6, rate=0.05, **HELD),
    # The rate is so high that the held-out loss rises: training stops early, and the best weights come back.
    "reward": Reward(epochs=0.6, size=6, rate=0.05, **HELD | {"patience": 1}),
    "dpo": DPO(epochs=0.5, size=6, rate=1e-2),
    "ppo": PPO(rollouts=STEPS, prompts=6, answers=2, rate=1e-2),
    "grpo": GRPO(rollouts=STEPS, prompts=6, answers=2, rate=1e-2),
}


def earned(batch) -> torch.Tensor:
    """Any function of the tokens will do."""
    return masked_sum((batch.responses * 0.37).sin().double(), batch.response_mask)


def run(verb: str, job: Job) -> dict:
    """The job of this name, from a new model."""
    policy, settings = gpt2(1).double(), SETTINGS[verb]
    batch, wins = random_batch(ROWS, 3, seed=1), random_wins(ROWS, 3, seed=1)
    if verb == "bc":
        return jobs.bc(job, policy, tokenizer(), batch, settings)
    if verb == "reward":
        return jobs.reward(job, policy.base_model, tokenizer(), (batch, wins), settings)
    if verb == "dpo":
        return jobs.dpo(job, policy, tokenizer(), (batch, wins), settings, beta=BETA)
    prompts = batch.prompts, batch.prompt_mask
    return getattr(jobs, verb)(job, policy, tokenizer(), prompts, earned, settings, beta=BETA, max_new_tokens=NEW)


def main(out: str, steps: str, scale: str = "") -> None:
    here = host("cpu")
    if scale:
        here = replace(here, engine=LossScale(here.engine, first=2.0 ** int(scale)))
    jobs.SAVE_EVERY = 1
    folders.islice = lambda stream, count: islice(stream, min(count, int(steps)))
    for verb in SETTINGS:
        place = Path(out) / verb
        place.mkdir(parents=True, exist_ok=True)
        done = run(verb, Job(place, here, seed=3))
        if here.main:
            folders.write_whole(place / "done.json", folders.json.dumps(done))
    if here.accelerator is not None:
        print(here.words)
        here.accelerator.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Every patient of the clinic beside the healthy run, five seeds: `python -m benchmarks.clinic` writes results/clinic.json."""

import sys
import time

from rlhw import cards, clinic
from rlhw.clinic.cases import CASES

SEEDS = range(5)


def main() -> int:
    start, metrics = time.perf_counter(), {}
    for case in CASES:
        reading = case.ward.readings[case.measure]
        pairs = [clinic.curves(case.number, seed) for seed in SEEDS]
        healthy, sick = (
            [reading.of(run) for run in runs] for runs in zip(*[(p.healthy, p.sick) for p in pairs], strict=True)
        )
        said = [
            {
                key: found
                for key, r in case.ward.readings.items()
                if (found := r.compare(p.healthy, p.sick)) != "the same"
            }
            for p in pairs
        ]
        agree = sum(found == case.symptoms for found in said)
        print(
            f"{case.number:2} {case.name:26} {reading.words}: {healthy} {sick}  symptoms as said in {agree} of 5",
            flush=True,
        )
        metrics[f"patient_{case.number}_healthy"] = cards.metric(f"{case.ward.name}: {reading.words}, healthy", healthy)
        metrics[f"patient_{case.number}_sick"] = cards.metric(
            f"the same, patient {case.number}", sick, bound="all seeds beyond all healthy ones",
            met=min(sick) > max(healthy) or max(sick) < min(healthy),
        )  # fmt: skip
        metrics[f"patient_{case.number}_agree"] = cards.metric(
            f"seeds of five with all symptoms of patient {case.number} as declared",
            float(agree),
            bound="5",
            met=agree == 5,
        )
    cards.write(
        "clinic", "The silent-bug clinic: patients and healthy runs", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.clinic",
        modules=[
            "rlhw.clinic", "rlhw.tabular_lm", "rlhw.batches", "rlhw.logprobs", "rlhw.language_model", "rlhw.rollouts", "rlhw.ppo",
            "rlhw.grpo", "rlhw.dpo", "rlhw.reward_model", "rlhw.behavior_cloning", "rlhw.training",
        ],
    )  # fmt: skip
    return 0 if cards.report("clinic") else 1


if __name__ == "__main__":
    sys.exit(main())

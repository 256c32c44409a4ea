"""How much a learner downloads: `python -m benchmarks.wheel` builds the wheel and writes results/wheel.json.

Prints each figure beside its bound and ends with exit status 1 when one is SHORT.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rlhw import cards

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, str(ROOT)]
        subprocess.run(build, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        megabytes = wheel.stat().st_size / 1e6
    tiny = sum(path.stat().st_size for path in (ROOT / "rlhw" / "tiny").iterdir()) / 1e6
    metrics = {
        "wheel": cards.metric(
            "the wheel, the tiny GPT-2 in it", megabytes, unit="MB", bound="< 8 MB", met=megabytes < 8
        ),
        "tiny": cards.metric("the folder of the tiny GPT-2", tiny, unit="MB", bound="< 4 MB", met=tiny < 4),
    }
    cards.write(
        "wheel", "What a learner downloads", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.wheel", modules=["rlhw.language_model"],
    )  # fmt: skip
    return 0 if cards.report("wheel") else 1


if __name__ == "__main__":
    sys.exit(main())

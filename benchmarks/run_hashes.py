"""The hashes of what a run of the pipeline leaves: two runs are the same when all of these are. Used by `benchmarks.resume`."""

import hashlib
import json
from pathlib import Path

from safetensors import safe_open

from rlhw import checkpoint
from rlhw.pipeline.settings import STAGES


def fingerprints(folder: Path, stages: tuple[str, ...] = STAGES) -> dict[str, str]:
    """The sha256 of all that is left of these stages but its times: models, checkpoints, comparisons, curves, the summary.

    Left out is report.html: it shows the same figures, and the ids in its drawings are drawn anew each time.
    """
    found = {}
    for stage in stages:
        place = folder / stage
        found[f"{stage}/done.json"] = _sha256_of_record((place / "done.json").read_text(encoding="utf8"), folder)
        files = [*(place / "model").glob("*"), *place.glob("*.jsonl")]
        found |= {str(file.relative_to(folder)): _sha256(file.read_bytes()) for file in sorted(files)}
        if newest := checkpoint.latest(place):
            with safe_open(newest, framework="np") as file:
                names = file.keys()
                tensors = {f"{stage}/{newest.name}/{name}": _sha256(file.get_tensor(name).tobytes()) for name in names}
                record = _sha256_of_record(file.metadata()["record"], folder)
            found |= tensors | {f"{stage}/{newest.name}/record": record}
    if "report" in stages:
        found["summary.json"] = _sha256_of_record((folder / "summary.json").read_text(encoding="utf8"), folder)
    return found


def _sha256_of_record(text: str, folder: Path) -> str:
    """Of JSON without its times and without the place of the run, which a model's configuration may name."""
    return _sha256(json.dumps(_timeless(json.loads(text))).replace(str(folder), "").encode())


def _timeless(record: object) -> object:
    """JSON without its entries named "seconds"."""
    if isinstance(record, dict):
        return {name: _timeless(value) for name, value in record.items() if name != "seconds"}
    return [_timeless(value) for value in record] if isinstance(record, list) else record


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

"""Result cards: what a run measured, how, and on what code. The book's numbers are read from here.

A card is `results/<name>.json`: metrics, seconds, peak memory, hardware, versions, the command, the commit, and the sha256 of
each module that the numbers depend on. When such a module has changed since, the card is stale and the page says so.
"""

import hashlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# In a checkout the cards stand beside the package; a wheel carries them inside it.
FOLDER = PACKAGE / "results" if (PACKAGE / "results").is_dir() else PACKAGE.parent / "results"
VERSIONED = ("numpy", "scipy", "sympy", "torch", "transformers", "trl")

SCHEMA = {
    "type": "object",
    "required": [
        "name",
        "title",
        "metrics",
        "seconds",
        "peak_memory_mb",
        "hardware",
        "versions",
        "command",
        "commit",
        "modules",
    ],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "title": {"type": "string", "minLength": 1},
        "metrics": {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/$defs/metric"}},
        "seconds": {"type": "number", "minimum": 0},
        "peak_memory_mb": {"type": "number", "minimum": 0},
        "hardware": {"type": "string"},
        "versions": {"type": "object", "additionalProperties": {"type": "string"}},
        "command": {"type": "string", "minLength": 1},
        "commit": {"type": "string"},
        "modules": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
    },
    "$defs": {
        "metric": {
            "type": "object",
            "required": ["meaning", "value"],
            "additionalProperties": False,
            "properties": {
                "meaning": {"type": "string", "minLength": 1},
                "value": {"type": "number"},
                "unit": {"type": "string"},
                "low": {"type": "number"},
                "high": {"type": "number"},
                "seeds": {"type": "array", "items": {"type": "integer"}, "minItems": 5},
                "known": {"type": "number"},
                "bound": {"type": "string"},
                "met": {"type": "boolean"},
                "note": {"type": "string"},
            },
        }
    },
}


def metric(meaning: str, values: float | Sequence[float], **more: object) -> dict:
    """One entry of a card. One number is exact; a sequence is one value a seed, kept as median with its least and greatest.

    `more` may hold unit, known (the known answer beside it), bound, met, note.

    >>> metric("share of best pulls", [0.7, 0.9, 0.8, 0.8, 0.6], unit="1")["value"]
    0.8
    """
    if isinstance(values, int | float):
        return {"meaning": meaning, "value": float(values), **more}
    ordered = sorted(float(v) for v in values)
    if len(ordered) < 5:
        raise ValueError(f"values of '{meaning}' come from {len(ordered)} seeds; a card needs at least 5.")
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    spread = {"value": median, "low": ordered[0], "high": ordered[-1], "seeds": list(range(len(ordered)))}
    return {"meaning": meaning, **spread, **more}


def write(
    name: str, title: str, metrics: dict[str, dict], *, seconds: float, command: str, modules: Sequence[str]
) -> Path:
    """Write `results/<name>.json` at one stroke and return its path.

    modules: dotted names such as "rlhw.bandits" whose source the numbers depend on. Raises ValueError with one sentence when
    the card does not follow the schema (a metric without meaning, a number that is not finite, an unknown field).
    """
    card = {
        "name": name,
        "title": title,
        "metrics": metrics,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"python": platform.python_version()} | _versions(),
        "command": command,
        "commit": _commit(),
        "modules": {module: _digest(module) for module in sorted(modules)},
    }
    validate(card)
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    os.replace(draft, path)
    return path


def validate(card: dict) -> None:
    """ValueError naming the field when a card does not follow the schema or holds a number that is not finite."""
    import jsonschema

    try:
        jsonschema.validate(card, SCHEMA)
        json.dumps(card, allow_nan=False)
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path) or "the card"
        raise ValueError(f"card '{card.get('name', '?')}': {place}: {error.message}") from None
    except ValueError:
        raise ValueError(
            f"card '{card['name']}' holds a number that is not finite; report it in a note instead."
        ) from None


def names() -> list[str]:
    """Names of all cards, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "equations")


def read(name: str) -> dict:
    """The card, validated. FileNotFoundError names the cards there are; ValueError names the field that is wrong."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        there = ", ".join(names()) or "none"
        raise FileNotFoundError(
            f"there is no card '{name}' in results/; cards there are: {there}. `make bench` writes them."
        )
    text = path.read_text(encoding="utf8")
    _valid(text)
    return json.loads(text)


@lru_cache(maxsize=512)
def _valid(text: str) -> None:
    """Validate a card, once: to hold it against the schema takes a hundred times what reading it takes."""
    validate(json.loads(text))


def value(name: str, path: str, form: str = ".3g") -> str:
    """One number of a card as text. path is "metric" (its value) or "metric.low", "metric.high", "metric.known", or a
    field of the card such as "seconds". A percent sign stands apart, as everywhere in the course: 45 %, never 45%. KeyError names
    what is missing and what there is.
    """
    card = read(name)
    key, _, part = path.partition(".")
    if key in card["metrics"]:
        entry, part = card["metrics"][key], part or "value"
        if part in entry:
            return _unsigned_zero(format(entry[part], form)).replace("%", "\N{NO-BREAK SPACE}%")
        raise KeyError(f"card '{name}', metric '{key}' has no '{part}'; it has {', '.join(entry)}.")
    if key in ("seconds", "peak_memory_mb"):
        return format(card[key], form)
    raise KeyError(f"card '{name}' has no metric '{key}'; it has {', '.join(card['metrics'])}.")


def _unsigned_zero(text: str) -> str:
    """Without the sign of a number that is rounded to nothing: -0.00 looks like a statement about its direction."""
    return text[1:] if re.fullmatch(r"-0(\.0*)?%?", text) else text


def stale(name: str) -> list[str]:
    """The modules that have changed since the card was measured, as dotted names; empty when the card is current."""
    return [module for module, digest in read(name)["modules"].items() if _digest(module) != digest]


def table(name: str) -> str:
    """The card as a Markdown table: what, value with its spread over seeds, and the known answer or bound beside it."""
    rows = ["| what | measured | known answer or bound |", "| --- | --- | --- |"]
    for entry in read(name)["metrics"].values():
        unit = f" {entry['unit']}" if entry.get("unit", "1") != "1" else ""
        spread = f" ({entry['low']:.3g} to {entry['high']:.3g})" if "low" in entry else ""
        beside = f"{entry['known']:.4g}" if "known" in entry else entry.get("bound", "")
        verdict = "" if "met" not in entry else (", met" if entry["met"] else ", SHORT")
        rows.append(f"| {entry['meaning']} | {entry['value']:.4g}{unit}{spread} | {beside}{verdict} |")
    return "\n".join(rows)


def report(name: str) -> bool:
    """Print each metric that has a bound beside it, with "met" or "SHORT"; True when all are met."""
    bounded = [entry for entry in read(name)["metrics"].values() if "bound" in entry]
    for entry in bounded:
        print(
            f"{entry['meaning']}: {entry['value']:.4g} (bound: {entry['bound']}) {'met' if entry['met'] else 'SHORT'}"
        )
    return all(entry["met"] for entry in bounded)


def _digest(module: str) -> str:
    """The sha256 of a module's source; of a package: of all its sources, in the order of their names. Zeros: no such module."""
    path = PACKAGE.parent / module.replace(".", "/")
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    if not all(file.is_file() for file in files):
        return "0" * 64
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in VERSIONED if name in sys.modules}


def _commit() -> str:
    try:
        run = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=PACKAGE, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not in a repository"

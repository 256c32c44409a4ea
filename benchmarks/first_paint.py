"""Seconds until each page of the built book shows something on a slow telephone network: `python -m benchmarks.first_paint`.

Writes the card `first_paint` and prints each figure beside its bound, met or SHORT. The network is Lighthouse's "slow 4G",
made by Chromium's own throttling: 150 ms before each answer, 1.6 Mbit/s down, 0.75 Mbit/s up, nothing kept from before.
The processor is not slowed. Pages are those of the last `make book`, sent as `make serve` sends them (uncompressed);
the slowest is loaded five times, and also compressed, as GitHub Pages sends it, and under DevTools' harder preset of that name.
"""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from benchmarks.house import bounded
from rlhw import cards
from tests.browser.serving import Site, served

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "_build/html"
MOST_SECONDS = 4.0
LOADS = 5
PHONE = {"width": 390, "height": 844}
SHOWN = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


@dataclass(frozen=True)
class Network:
    """Milliseconds before each answer, and megabits a second down and up."""

    latency: float
    down: float
    up: float


SLOW = Network(latency=150, down=1.6, up=0.75)
# What Chrome's DevTools call "Slow 4G": each request waits for 3.75 such ways there and back.
HARDER = Network(latency=562.5, down=1.44, up=0.675)


@dataclass(frozen=True)
class Paint:
    """Seconds from the start of a navigation to the first paint of text, and the bytes that had come by then."""

    seconds: float
    bytes: int


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium from the PATH."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise FileNotFoundError("Chromium is needed: install the package chromium (`make system`).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def pages(book: Path = BOOK) -> list[str]:
    """The chapters, notebooks and other pages of the book, by their paths in its folder."""
    found = sorted(
        path.relative_to(book).as_posix() for part in ("book", "notebooks") for path in book.glob(f"{part}/*.html")
    )
    if not found:
        raise FileNotFoundError(f"there are no pages in {book}; run `make book` first.")
    return found


def first_paint(browser: Browser, url: str, network: Network) -> Paint:
    """Load a page in a new window with an empty cache, until it shows something."""
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    arrived: list[tuple[float, int]] = []
    wire.on("Network.dataReceived", lambda event: arrived.append((event["timestamp"], event["encodedDataLength"])))
    wire.send("Network.enable")
    wire.send("Performance.enable")
    speeds = {"downloadThroughput": network.down * 1e6 / 8, "uploadThroughput": network.up * 1e6 / 8}
    wire.send("Network.emulateNetworkConditions", {"offline": False, "latency": network.latency, **speeds})
    page.goto(url, wait_until="commit")
    seconds = page.wait_for_function(SHOWN, polling=100).json_value() / 1000
    measured = {entry["name"]: entry["value"] for entry in wire.send("Performance.getMetrics")["metrics"]}
    shown = measured["NavigationStart"] + seconds
    context.close()
    return Paint(seconds, sum(size for moment, size in arrived if moment <= shown))


def typical(browser: Browser, url: str, network: Network) -> Paint:
    """The load of the median time among LOADS."""
    return sorted((first_paint(browser, url, network) for _ in range(LOADS)), key=lambda paint: paint.seconds)[
        LOADS // 2
    ]


def measure(browser: Browser, site: Site) -> dict[str, dict]:
    """The metrics of every page, as `make serve` sends it."""
    paints = {}
    for name in pages(site.folder):
        paints[name] = first_paint(browser, site.url(name), SLOW)
        print(f"{name}: {paints[name].seconds:.2f} s, {paints[name].bytes / 1000:.0f} kB", flush=True)
    worst = max(paints, key=lambda name: paints[name].seconds)
    paints[worst] = typical(browser, site.url(worst), SLOW)
    times = [paint.seconds for paint in paints.values()]
    slowest = {
        "slowest": within(f"first paint of the slowest page, {worst}", paints[worst].seconds),
        "median": cards.metric("first paint of the median page", median(times), unit="s"),
        "pages": cards.metric("pages measured", len(paints)),
        "most_bytes": cards.metric(
            "most bytes before a first paint", max(p.bytes for p in paints.values()) / 1e3, unit="kB"
        ),
    }
    with served(site.folder, compressed=True) as packed:
        seconds = typical(browser, packed.url(worst), SLOW).seconds
        slowest["slowest_compressed"] = within(f"first paint of {worst}, sent compressed", seconds)
    seconds = typical(browser, site.url(worst), HARDER).seconds
    slowest["slowest_harder"] = cards.metric(
        f"first paint of {worst} where each request waits 562 ms and 1.44 Mbit/s come down", seconds, unit="s"
    )
    each = {}
    for name, paint in paints.items():
        key = name.removesuffix(".html").replace("/", "_")
        each[key] = within(name, paint.seconds) | {"note": f"{paint.bytes / 1000:.0f} kB had come by then"}
    return slowest | each


def within(meaning: str, seconds: float) -> dict:
    """A metric in seconds beside the bound."""
    return bounded(meaning, seconds, f"< {MOST_SECONDS:g} s", seconds < MOST_SECONDS, "s")


def main() -> int:
    """Measure, write the card, print figure, bound and met or SHORT."""
    start = time.perf_counter()
    with chromium() as browser, served(BOOK) as site:
        metrics = measure(browser, site)
    cards.write(
        "first_paint", "Until a page shows something on simulated slow 4G", metrics, seconds=time.perf_counter() - start,
        command="python -m benchmarks.first_paint", modules=["benchmarks.first_paint", "book._ext.first_paint"],
    )  # fmt: skip
    return 0 if cards.report("first_paint") else 1


if __name__ == "__main__":
    sys.exit(main())

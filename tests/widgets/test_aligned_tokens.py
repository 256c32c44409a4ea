"""What AlignedTokens shows, held against the small forum, the library and a plain call of the model; and its page."""

import hashlib
import math
import re

import numpy as np
import pytest
import torch
import traitlets
from conftest import saved_widgets
from playwright.sync_api import Page, expect

from benchmarks.aligned_tokens import DATA as PATH
from benchmarks.aligned_tokens import KINDS, LAWS, SHOWN, chosen, next_word_laws, step
from rlhw import cards
from rlhw.batches import collate
from rlhw.language_model import load
from rlhw.tiny_tldr import Teacher, best_summary, gold_reward, read_post, sample_post
from rlhw.widgets.aligned_tokens import DATA, EXAMPLES, AlignedTokens

ANSWERS = [(example, who) for example in EXAMPLES for who in LAWS]
every_answer = pytest.mark.parametrize(("example", "who"), ANSWERS, ids=[f"{e['kind']}, {who}" for e, who in ANSWERS])


def test_the_posts_are_held_out_and_fit_their_rules():
    assert len(EXAMPLES) >= 4
    for example in EXAMPLES:
        post = read_post(example["post"])
        assert post.split == "evaluation"
        assert KINDS[example["kind"]](post, *(example["answers"][who]["summary"] for who in LAWS))
    assert len({example["post"] for example in EXAMPLES}) >= 4


@every_answer
def test_scores_and_words_are_those_of_the_summary(example, who):
    one, tokenizer = example["answers"][who], load("tiny")[1]
    assert one["score"] == pytest.approx(gold_reward(read_post(example["post"]), one["summary"]), abs=1e-4)
    assert [entry["word"] for entry in one["steps"]] == [*tokenizer.tokenize(one["summary"]), "<eos>"]


@every_answer
def test_the_stored_numbers_agree_with_each_other(example, who):
    """Probabilities with log-probabilities, sums with one; and a KL is at least what the words shown alone explain."""
    for entry in example["answers"][who]["steps"]:
        at = entry["words"].index(entry["word"])
        assert len(entry["words"]) == len(set(entry["words"])) == SHOWN
        for law, logprob in zip(LAWS, entry["logprobs"], strict=True):
            assert all(p >= 0 for p in entry[law])
            assert sum(entry[law]) <= 1 + 1e-12
            assert entry[law][at] == pytest.approx(math.exp(logprob), abs=2e-4)
        before, after = (np.append(entry[law], max(0.0, 1 - sum(entry[law]))) for law in LAWS)
        held = (
            after > 1e-3
        )  # the rest of the words lumped together: by the data processing inequality no more than the KL
        known = float(np.sum(after[held] * np.log(after[held] / np.maximum(before[held], 1e-4))))
        assert entry["kl"] >= known - 0.02 - 1e-3 * abs(known)


def test_the_laws_are_those_of_a_plain_call_of_the_model():
    """Without cache, padding or batches: token for token, to 1e-5; a shift by one word is not the same."""
    model, tokenizer = load("tiny")
    rng = np.random.default_rng(8)
    posts = [sample_post(rng) for _ in range(3)]
    records = [{"prompt": post.text, "answers": [Teacher().sample(post, rng) for _ in range(2)]} for post in posts]
    batch = collate(records, tokenizer, 160)
    laws = next_word_laws(model, batch)
    for b in range(3):
        for k in range(2):
            prompt = batch.prompts[b][batch.prompt_mask[b]]
            answer = batch.responses[b, k][batch.response_mask[b, k]]
            with torch.no_grad():
                logits = model(torch.cat([prompt, answer])[None]).logits[0, len(prompt) - 1 : -1]
            plain, ours = logits.double().softmax(-1), laws[b, k, : len(answer)]
            assert (ours - plain).abs().max() < 1e-5  # in float32, of which the last place is 6e-8
            assert (ours.roll(1, 0) - plain).abs().max() > 0.1


def test_a_step_says_what_two_laws_say():
    """KL(policy‖clone), not the other way round, by hand; the word that follows is among those shown."""
    laws = np.array([[0.5, 0.25, 0.25, *[0.0] * 9], [0.25, 0.5, 0.25, *[0.0] * 9]])
    laws = 0.999 * laws + 0.001 / 12
    found = step(11, laws, [f"w{v}" for v in range(12)])
    assert found["words"][:3] == ["w1", "w0", "w2"]
    assert "w11" in found["words"]
    exact = [float(np.sum(one * np.log(one / other))) for one, other in (laws[::-1], laws)]
    assert found["kl"] == pytest.approx(exact[0], abs=1e-4)
    laws[1] = 1 / 12
    exact = [float(np.sum(one * np.log(one / other))) for one, other in (laws[::-1], laws)]
    assert step(0, laws, [f"w{v}" for v in range(12)])["kl"] == pytest.approx(exact[0], abs=1e-4)
    assert abs(exact[0] - exact[1]) > 0.1


def test_a_kind_that_fits_no_post_is_left_out():
    post = sample_post(np.random.default_rng(9), "evaluation")
    text = best_summary(post)
    assert chosen([post], [(text, text)]) == {"both say the same": 0}
    assert chosen([post], [(text, text.rsplit(" ", 1)[0])]) == {}, "an unfinished summary is not shown"


def test_the_card_speaks_of_these_data():
    metrics = cards.read("aligned_tokens")["metrics"]
    assert hashlib.sha256(PATH.read_bytes()).hexdigest() in metrics["tokens"]["note"]
    assert metrics["tokens"]["value"] == sum(len(example["answers"][who]["steps"]) for example, who in ANSWERS)
    assert metrics["gold_policy"]["value"] > metrics["gold_clone"]["value"]
    assert metrics["kl_laws"]["met"]
    assert PATH.stat().st_size < 80_000


def test_a_position_beyond_the_summary_is_refused():
    length = len(EXAMPLES[0]["answers"]["policy"]["steps"])
    with pytest.raises(traitlets.TraitError) as refused:
        AlignedTokens(post=0, answer="policy", position=length + 1)
    longest = max(len(example["answers"][who]["steps"]) for example, who in ANSWERS)
    wanted = f"a whole number from 1 to {length} in the policy's summary of post 0"
    if length < longest:
        assert str(refused.value) == f"AlignedTokens: position must be {wanted}; got {length + 1}."
    widget = AlignedTokens(post=0, answer="clone", position=1)
    assert repr(widget) == "AlignedTokens(post=0, answer='clone', position=1)"
    with pytest.raises(traitlets.TraitError, match="answer must be one of 'clone', 'policy'; got 'ppo'"):
        widget.answer = "ppo"


@pytest.fixture
def show(write_page, browser_page: Page):
    def on_page(**options) -> Page:
        state = AlignedTokens(**options).page_state()
        browser_page.goto(write_page(saved_widgets({"one": {"state": state}}, ["one"])).as_uri())
        return browser_page

    return on_page


def numbers(page: Page, table: int) -> list[list[float]]:
    rows = page.locator("table").nth(table).locator("tbody tr").all()
    return [[float(cell.replace("−", "-")) for cell in row.inner_text().split("\t")[1:]] for row in rows]


@pytest.mark.browser
@pytest.mark.parametrize("who", LAWS)
def test_the_sums_on_the_page_are_those_of_the_data(who, show):
    page, at = show(post=1, answer=who, position=3), 3
    steps = EXAMPLES[1]["answers"][who]["steps"]
    ratios = [policy - clone for clone, policy in (entry["logprobs"] for entry in steps)]
    kls = [entry["kl"] for entry in steps]
    expected = [(part(ratios), DATA["beta"] * part(ratios), part(kls)) for part in (
        lambda row: row[at - 1], lambda row: sum(row[:at]), sum,
    )]  # fmt: skip
    for shown, exact in zip(numbers(page, 0), expected, strict=True):
        assert shown == pytest.approx(exact, abs=5.1e-3)
    ends = numbers(page, 1)
    for law, (score, price, left) in zip(LAWS, ends, strict=True):
        one = EXAMPLES[1]["answers"][law]
        paid = DATA["beta"] * sum(policy - clone for clone, policy in (entry["logprobs"] for entry in one["steps"]))
        assert [score, price, left] == pytest.approx([one["score"], paid, one["score"] - paid], abs=5.1e-3)


@pytest.mark.browser
def test_a_reader_walks_and_turns_to_the_other_summary_by_keyboard(show):
    page = show(post=0, answer="clone", position=1)
    now, way, note = page.locator(".rlhw-now"), page.get_by_label("token t"), page.locator(".rlhw-note")
    expect(note).to_contain_text("Computed beforehand, not in your browser; how: card aligned_tokens.")
    steps = EXAMPLES[0]["answers"]["clone"]["steps"]
    page.get_by_role("button", name="next").press("Enter")
    expect(now).to_have_text(steps[1]["word"])
    way.press("End")
    expect(now).to_have_text("(end)")
    expect(page.get_by_role("button", name="next")).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".rlhw-words")).to_contain_text(
        f"Token {len(steps)} of {len(steps)} of the clone's summary is (end)."
    )
    for post in range(1, len(EXAMPLES)):  # every length on the way fits
        page.get_by_label(str(post), exact=True).press("ArrowRight")
        page.get_by_label("the clone's").press("ArrowRight")
        expect(page.get_by_label("the policy's")).to_be_checked()
        length = len(EXAMPLES[post]["answers"]["policy"]["steps"])
        assert int(way.input_value()) <= length
        page.get_by_label("the policy's").press("ArrowLeft")
    expect(page.locator(".rlhw-words")).to_have_text(re.compile(r"Token \d+ of \d+ of the clone's summary"))

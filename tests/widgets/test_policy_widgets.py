"""The widgets of chapters 6 and 7 on a page: what they say and show is what the library computes, by keyboard."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.dpo import dpo_loss, implicit_reward, ipo_loss
from rlhw.evaluation import attainable, frontier, tilted
from rlhw.ppo import clipped_policy_loss, gae
from rlhw.widgets.clipped_surrogate import ClippedSurrogate
from rlhw.widgets.dpo_loss import DPOLoss
from rlhw.widgets.gae_weights import GAEWeights
from rlhw.widgets.tilted_policy import TiltedPolicy

pytestmark = pytest.mark.browser


def words(page: Page):
    return page.locator(".rlhw-words")


def printed(number: float, digits: int = 2) -> str:
    """A number with its sign, as the page prints it."""
    text = f"{number:+.{digits}f}"
    return (text[1:] if float(text) == 0 else text).replace("-", "−")


CASES = {
    (1.3, 1.0): "too far already, gradient 0",
    (0.7, 1.0): "wrong way, the gradient stays",
    (0.7, -1.0): "too far already, gradient 0",
    (1.3, -1.0): "wrong way, the gradient stays",
    (1.1, -1.5): "the clip changes nothing here",
    (1.2, 1.0): "the clip changes nothing here",  # at the edge itself
    (1.3, 0.0): "teaches nothing",
}


@pytest.mark.parametrize("case", CASES)
def test_the_clipped_surrogate_names_its_case_and_the_library_agrees(case, write_page, browser_page: Page):
    ratio, advantage = case
    browser_page.goto(write_page(one_page(ClippedSurrogate(ratio=ratio, advantage=advantage))).as_uri())
    new = torch.tensor([ratio], dtype=torch.double).log().requires_grad_()
    loss = clipped_policy_loss(new, torch.zeros_like(new), torch.full_like(new, advantage), 0.2)
    loss.sum().backward()
    stays = "gradient for log π is " + printed(-new.grad.item())
    expect(words(browser_page)).to_contain_text(f"the surrogate is {printed(-loss.item())}, its {stays}. ")
    expect(words(browser_page)).to_contain_text(CASES[case])
    assert ("gradient 0" in CASES[case]) == (new.grad.item() == 0 and advantage != 0)


def test_a_token_crosses_the_clip_by_keyboard(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(ClippedSurrogate(ratio=1.18, clip=0.2))).as_uri())
    surrogate, slope = browser_page.locator("svg[role=img]").all()
    ratio, here = browser_page.get_by_label("ratio ρ"), browser_page.locator("td", has_text="← here")
    expect(here).to_have_text("ρA ← here")
    ratio.press("ArrowRight")
    ratio.press("ArrowRight")
    expect(here).to_have_text("too far: 0 ← here")
    assert "+1.20 at ratio 1.22; without the clip it would be +1.22." in surrogate.get_attribute("aria-label")
    assert "At ratio 1.22 it is 0.00." in slope.get_attribute("aria-label")
    browser_page.get_by_label("clip ε").press("End")
    expect(here).to_have_text("ρA ← here")
    ratio.press("Home")
    expect(here).to_have_text("wrong way: ρA ← here")
    browser_page.get_by_label("advantage A").press("Home")
    expect(here).to_have_text("too far: 0 ← here")
    for picture in (surrogate, slope):
        expect(picture.get_by_text("too far already:")).to_be_visible()
        expect(picture.get_by_text("wrong way:")).to_be_visible()
        expect(picture.locator(".rlhw-chosen")).to_have_count(1)


def averaged(rewards: list, values: list, gamma: Fraction, lam: Fraction) -> tuple[list, list, Fraction]:
    """Exact n-step estimates of the first token's advantage, their weights, and their average."""
    count, after = len(rewards), [*values[1:], 0]
    estimates = [
        sum(gamma**k * rewards[k] for k in range(n)) + gamma**n * after[n - 1] - values[0] for n in range(1, count + 1)
    ]
    weights = [(1 - lam) * lam ** (n - 1) for n in range(1, count)] + [lam ** (count - 1)]
    assert sum(weights) == 1
    return estimates, weights, sum(w * a for w, a in zip(weights, estimates, strict=True))


@pytest.mark.parametrize(("lam", "steps"), [("0.65", 6), ("0", 4), ("1", 8), ("0.3", 1)])
def test_gae_on_the_page_is_the_average_of_n_step_estimates(lam, steps, write_page, browser_page: Page):
    widget = GAEWeights(gamma=0.9, lam=float(lam), steps=steps, score=-1.5)
    rewards, values = ([Fraction(str(x)) for x in row[:steps]] for row in (widget.rewards, widget.values))
    rewards[-1] += Fraction("-1.5")
    estimates, weights, average = averaged(rewards, values, Fraction("0.9"), Fraction(lam))
    rows = torch.tensor([[float(x) for x in row] for row in (rewards, values)], dtype=torch.double)
    ours, _ = gae(rows[:1], rows[1:], torch.ones(1, steps, dtype=torch.bool), 0.9, float(lam))
    assert ours[0, 0].item() == pytest.approx(float(average), abs=1e-12)

    browser_page.goto(write_page(one_page(widget)).as_uri())
    *each, together = [row.split() for row in browser_page.locator("tbody tr").all_inner_texts()]
    shown = [[float(cell.replace("−", "-")) for cell in row] for row in each]
    assert [row[1] for row in shown] == pytest.approx([float(w) for w in weights], abs=5.1e-4)
    assert [row[2] for row in shown] == pytest.approx([float(a) for a in estimates], abs=5.1e-4)
    assert together == ["all", "1.000", printed(float(average), 3), printed(float(average), 3)]
    expect(words(browser_page)).to_contain_text(f"The advantage of the first token is {together[2]}:")


def test_lambda_moves_the_weight_and_gamma_does_not(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(GAEWeights())).as_uri())
    weights, traces, estimates = browser_page.locator("svg[role=img]").all()
    labels = [picture.get_attribute("aria-label") for picture in (weights, traces, estimates)]
    browser_page.get_by_label("discount γ").press("Home")
    assert weights.get_attribute("aria-label") == labels[0]
    assert traces.get_attribute("aria-label") != labels[1]
    assert estimates.get_attribute("aria-label") != labels[2]
    lam = browser_page.get_by_label("λ of GAE")
    lam.press("Home")
    expect(words(browser_page)).to_contain_text("With λ = 0 only the first TD error counts")
    lam.press("End")
    expect(words(browser_page)).to_contain_text("With λ = 1 only the last estimate counts")
    browser_page.locator("summary").click()
    expect(browser_page.get_by_label("reward of token 5")).to_be_visible()
    expect(browser_page.get_by_label("reward of token 6")).to_be_hidden()
    browser_page.get_by_label("tokens T").press("End")
    expect(browser_page.get_by_label("value before token 8")).to_be_visible()
    browser_page.get_by_label("tokens T").press("Home")
    expect(words(browser_page)).to_contain_text("With one token there is one estimate")
    expect(browser_page.locator("tbody tr")).to_have_count(2)


def columns_of(page: Page) -> list[list[float]]:
    """The numbers at the end of each row of the table."""
    rows = [row.split()[-4:] for row in page.locator("tbody tr").all_inner_texts()]
    return [[float(cell.replace("−", "-")) for cell in row] for row in rows]


@pytest.mark.parametrize("beta", [0.05, 0.5, 3.0])
def test_the_tilted_policy_earns_what_the_library_says(beta, write_page, browser_page: Page):
    widget = TiltedPolicy(beta=beta)
    reference, rewards = np.array(widget.weights) / sum(widget.weights), np.array(widget.rewards)
    browser_page.goto(write_page(one_page(widget)).as_uri())
    none, best, greedy = columns_of(browser_page)
    (kl,), (reward,) = frontier(reference, rewards, np.array([beta]))
    pi = tilted(reference, rewards, beta)
    top, _ = attainable(np.array([rewards] * 2), beta, np.log(5 * np.array([reference] * 2)))
    assert best == pytest.approx([reward, kl, top, 0.0], abs=5.1e-4)
    gap = beta * float(reference @ np.log(reference / pi))
    assert none == pytest.approx([reference @ rewards, 0.0, reference @ rewards, gap], abs=5.1e-4)
    assert top - reference @ rewards == pytest.approx(gap, abs=1e-12)
    paid = -np.log(reference[4])
    assert greedy == pytest.approx([2.0, paid, 2 - beta * paid, -beta * np.log(pi[4])], abs=5.1e-4)
    bars, curve = browser_page.locator("svg[role=img]").all()
    assert f"to {100 * pi[4]:.0f} %" in bars.get_attribute("aria-label")
    assert f"meets KL 0 at J* = {top:.2f}" in curve.get_attribute("aria-label")


def test_an_answer_that_the_reference_never_gives_stays_away(write_page, browser_page: Page):
    widget = TiltedPolicy(weights=[3, 2, 1, 0.5], rewards=[0, 0.5, 1, 3], beta=1)
    browser_page.goto(write_page(one_page(widget)).as_uri())
    bars = browser_page.locator("svg[role=img]").first
    browser_page.locator("summary").click()
    last = browser_page.get_by_label("weight of answer 4 in π_ref")
    assert "answer 4 with reward +3.0 from 8 to " in bars.get_attribute("aria-label")
    last.press("ArrowLeft")
    assert "answer 4 with reward +3.0 from 0 to 0 %" in bars.get_attribute("aria-label")
    expect(words(browser_page)).to_contain_text("The reference never gives y4: no reward changes that.")
    expect(words(browser_page)).to_contain_text("Of the answers that the reference gives, the best is y3:")
    before = columns_of(browser_page)
    browser_page.get_by_label("reward of answer 4").press("Home")
    assert columns_of(browser_page) == before
    browser_page.get_by_label("price of KL β").press("End")
    assert columns_of(browser_page)[1][1] < before[1][1]


VOTES = [("dpo", -0.8, -2.0, 0.1), ("dpo", -3.1, 1.3, 0.0), ("dpo", 4.0, -4.5, 0.3), ("ipo", 0.4, -1.7, 0.1)]


@pytest.mark.parametrize(("loss", "chosen", "rejected", "smoothing"), VOTES)
def test_a_vote_costs_and_pulls_as_in_the_library(loss, chosen, rejected, smoothing, write_page, browser_page: Page):
    widget = DPOLoss(loss=loss, chosen=chosen, rejected=rejected, beta=0.35, smoothing=smoothing)
    browser_page.goto(write_page(one_page(widget)).as_uri())
    reference = torch.tensor([-31.4, -28.2], dtype=torch.double)
    new = (reference + torch.tensor([chosen, rejected], dtype=torch.double)).requires_grad_()
    given = (new[:1], new[1:], reference[:1], reference[1:], 0.35)
    value = dpo_loss(*given, smoothing) if loss == "dpo" else ipo_loss(*given)
    value.sum().backward()
    rewards, gradients = implicit_reward(new.detach(), reference, 0.35).tolist(), new.grad.tolist()
    rows = [row.split() for row in browser_page.locator("tbody tr").all_inner_texts()]
    for cells, reward, slope in zip(rows, rewards, gradients, strict=False):
        assert cells[2:] == [printed(reward, 3), printed(slope, 3)]
    assert gradients[0] == pytest.approx(-gradients[1], abs=1e-12)
    expect(words(browser_page)).to_contain_text(f"{loss.upper()}'s loss of this vote is {value.item():.3f}.")


def test_dpo_pulls_for_ever_and_ipo_and_smoothing_do_not(write_page, browser_page: Page):
    browser_page.goto(write_page(one_page(DPOLoss(smoothing=0.01))).as_uri())
    said, smoothing = words(browser_page), browser_page.get_by_label("label smoothing s")
    expect(said).to_contain_text("With s = 0.01 the loss is least at Δ_ref = 9.19, where σ(β Δ_ref) = 0.99.")
    expect(said).to_contain_text("The chosen answer is less likely than under π_ref, and the loss does not see it")
    expect(browser_page.locator(".rlhw-key.rlhw-exact").first).to_be_visible()
    smoothing.press("Home")
    expect(said).to_contain_text("Without smoothing the pull never ends")
    expect(browser_page.locator(".rlhw-key.rlhw-exact").first).to_be_hidden()

    def pulls() -> list[str]:
        return [row.split()[-1] for row in browser_page.locator("tbody tr").all_inner_texts()[:2]]

    before = pulls()
    for label in ("chosen: log π/π_ref", "rejected: log π/π_ref"):  # a nat more for both changes neither pull
        for _ in range(10):
            browser_page.get_by_label(label).press("ArrowRight")
    assert pulls() == before
    expect(said).not_to_contain_text("less likely than under π_ref")
    browser_page.get_by_label("DPO", exact=True).press("ArrowRight")
    expect(said).to_contain_text("IPO's loss is least at Δ_ref = 1/(2β) = 1.00")
    expect(smoothing).to_be_hidden()
    browser_page.get_by_label("chosen: log π/π_ref").press("End")
    expect(said).to_contain_text("It pulls the chosen answer's log-probability down")

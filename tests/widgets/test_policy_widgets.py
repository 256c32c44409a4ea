"""The widgets of chapters 6 and 7 on a page: what they say and show is what the library computes, by keyboard."""

import pytest
import torch
from playwright.sync_api import Page, expect
from test_widget_pages import one_page

from rlhw.ppo import clipped_policy_loss
from rlhw.widgets.clipped_surrogate import ClippedSurrogate

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

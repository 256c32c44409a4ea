// A formula wider than its column scrolls inside itself. Who has no mouse must be able to reach and scroll it.
"use strict";

function makeWideFormulasReachable() {
  for (const formula of document.querySelectorAll("div.math > mjx-container")) {
    if (formula.scrollWidth > formula.clientWidth) {
      formula.tabIndex = 0;
      formula.setAttribute("role", "group");
      formula.setAttribute("aria-label", "equation, scrolls sideways");
    } else {
      formula.removeAttribute("tabindex");
      formula.removeAttribute("role");
      formula.removeAttribute("aria-label");
    }
  }
}

window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  makeWideFormulasReachable();
  window.addEventListener("resize", makeWideFormulasReachable);
});

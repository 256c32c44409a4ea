/* Small repairs that need a script: names for the theme's folding arrows, light paper in print, search from disk,
   formulas that leave the page its breath. */
(function () {
  "use strict";

  // Pages opened from disk may not fetch each other, so results are shown without their excerpts there.
  if (window.location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  function nameFoldingArrows() {
    document.querySelectorAll(".bd-sidebar details > summary, .sidebar-primary-item details > summary").forEach(function (summary) {
      var entry = summary.closest("li");
      var link = entry && entry.querySelector("a");
      summary.setAttribute("aria-label", "Pages below " + (link ? link.textContent.trim() : "this entry"));
    });
  }

  // The theme leaves the sidebar's head (title, search) outside of every landmark.
  function nameSidebar() {
    var sidebar = document.querySelector(".bd-sidebar-primary");
    if (sidebar && !sidebar.hasAttribute("role")) {
      sidebar.setAttribute("role", "complementary");
      sidebar.setAttribute("aria-label", "Sidebar");
    }
  }

  // Only regions that really scroll need a stop of the tab key.
  function keepStopsWhereItScrolls() {
    document.querySelectorAll("mjx-container:not([display])").forEach(function (formula) {
      formula.classList.remove("too-wide");
      var block = formula.closest("p, li, dd, dt, td, th, h1, h2, h3, figcaption");
      var room = block ? block.getBoundingClientRect().width : window.innerWidth;
      if (formula.getBoundingClientRect().width > room + 1 && !formula.closest(".table-scroll")) { formula.classList.add("too-wide"); }
    });
    document.querySelectorAll("pre, .table-scroll, mjx-container").forEach(function (region) {
      var isFormula = region.tagName === "MJX-CONTAINER";
      if (isFormula && region.getAttribute("display") !== "true" && !region.classList.contains("too-wide")) { return; }
      var scrolls = region.scrollWidth > region.clientWidth + 1 || region.scrollHeight > region.clientHeight + 1;
      if (scrolls) { region.setAttribute("tabindex", "0"); } else { region.removeAttribute("tabindex"); }
      if (region.classList.contains("table-scroll")) {
        if (scrolls) { region.setAttribute("role", "region"); } else { region.removeAttribute("role"); }
        if (scrolls && !region.hasAttribute("aria-label")) { region.setAttribute("aria-label", region.dataset.label); }
        if (!scrolls && region.hasAttribute("aria-label")) {
          region.dataset.label = region.getAttribute("aria-label");
          region.removeAttribute("aria-label");
        }
      }
    });
  }

  // All formulas in one piece would keep a page from answering for a second or two: widgets come first, then a few formulas
  // at a time. `MathJax.startup.promise` is kept when the last one stands, as it would be without this.
  function typesetInParts() {
    var mathjax = window.MathJax;
    if (!mathjax || !mathjax.startup || !mathjax.startup.promise) { return; }
    var places = Array.prototype.filter.call(document.querySelectorAll(".math, .output_area"), function (place) {
      return !place.parentElement.closest(".math, .output_area");
    });
    function next() {
      var part = places.splice(0, 12);
      if (!part.length) { keepStopsWhereItScrolls(); return null; }
      return mathjax.typesetPromise(part).then(function () {
        return new Promise(function (resume) { setTimeout(resume); });
      }).then(next);
    }
    mathjax.startup.promise = Promise.all([mathjax.startup.promise, window.rlhwWidgets]).then(next);
  }

  var beforePrint = null;
  window.addEventListener("beforeprint", function () {
    var folded = Array.prototype.slice.call(document.querySelectorAll("main details:not([open])"));
    beforePrint = { theme: document.documentElement.dataset.theme, folded: folded };
    document.documentElement.dataset.theme = "light";
    folded.forEach(function (details) { details.open = true; });
  });
  window.addEventListener("afterprint", function () {
    if (!beforePrint) { return; }
    document.documentElement.dataset.theme = beforePrint.theme;
    beforePrint.folded.forEach(function (details) { details.open = false; });
    beforePrint = null;
  });

  function start() {
    nameFoldingArrows();
    nameSidebar();
    keepStopsWhereItScrolls();
    window.addEventListener("resize", keepStopsWhereItScrolls);
    document.addEventListener("toggle", keepStopsWhereItScrolls, true);
    typesetInParts();
  }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();

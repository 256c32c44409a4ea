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

  // MathJax and all formulas in one piece would keep a page from answering for two seconds: widgets come first, then MathJax's
  // megabyte, then a few formulas at a time, each when the page has nothing else to do. `MathJax.startup.promise` is kept
  // when the last one stands.
  function typesetLast() {
    var later = document.querySelector("script[type='text/x-mathjax']");
    if (!later) { return; }
    var places = Array.prototype.filter.call(document.querySelectorAll(".math, .output_area"), function (place) {
      return !place.parentElement.closest(".math, .output_area");
    });
    function idle() {
      return new Promise(function (resume) {
        if (window.requestIdleCallback) { window.requestIdleCallback(resume, { timeout: 500 }); } else { setTimeout(resume); }
      });
    }
    function load() {
      var script = document.createElement("script");
      script.src = later.src;
      return new Promise(function (ready, fail) {
        script.onload = function () {
          ready(window.MathJax.startup.promise);
          window.MathJax.startup.promise = all; // MathJax has put its own there
        };
        script.onerror = function () { fail(new Error("MathJax does not load")); };
        later.replaceWith(script);
      });
    }
    function next() {
      var part = places.splice(0, 12);
      if (!part.length) { keepStopsWhereItScrolls(); return null; }
      return window.MathJax.typesetPromise(part).then(idle).then(next);
    }
    var all = Promise.resolve(window.rlhwWidgets).then(idle).then(load).then(next);
    window.MathJax.startup.promise = all;
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
    typesetLast();
  }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();

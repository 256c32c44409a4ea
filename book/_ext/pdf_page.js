/* What a page of the book needs before `make pdf` prints it; the media is "print" already, and the window is as wide as
   the paper between its margins. Called with { name, targets }: the page's name, and the ids that links may lead to. */
({ name, targets }) => {
  const article = document.querySelector(".bd-article") ?? document.body;
  document.documentElement.dataset.theme = "light";

  // On paper nothing unfolds, and a solution beside its exercise is read before it is wanted: solutions go to the end.
  const solutions = [...article.querySelectorAll("details")].filter((fold) =>
    fold.querySelector("summary")?.textContent.trim().startsWith("Solution"));
  if (solutions.length) {
    const end = document.createElement("section");
    end.dataset.printed = "solutions";
    end.append(Object.assign(document.createElement("h2"), { textContent: "Solutions" }));
    solutions.forEach((fold, index) => {
      const box = fold.closest(".admonition.question");
      const title = box?.querySelector(".admonition-title")?.textContent.replace(/^Exercise: /, "");
      const [here, there] = [`printed-exercise-${index}`, `printed-solution-${index}`];
      const way = (tag, to, text) => {
        const line = document.createElement(tag);
        line.dataset.printed = "way";
        line.append(Object.assign(document.createElement("a"), { href: `#${to}`, textContent: text }));
        return line;
      };
      const left = way("p", there, "The solution stands at the end of this chapter’s pages.");
      left.id = here;
      fold.before(left);
      fold.id = there;
      const summary = fold.querySelector("summary");
      if (title) summary.textContent = `Solution: ${title}`;
      summary.append(way("span", here, "back to the exercise"));
      end.append(fold);
    });
    (article.querySelector("h1")?.parentElement ?? article).append(end);
  }
  article.querySelectorAll("details").forEach((fold) => { fold.open = true; });

  article.querySelectorAll(".rlhw-widget").forEach((widget) => {
    widget.dataset.printed = `Printed as the page opens it. It moves on the page ${name}.html of the built book.`;
  });

  // Wider than the paper: formulas and tables are set smaller, so far as they can still be read.
  const shrink = (element, room, wanted) => {
    if (wanted > room + 1) element.style.zoom = String(Math.max(0.4, (room / wanted) * 0.99));
  };
  article.querySelectorAll("mjx-container").forEach((formula) => {
    const block = formula.closest("div.math, p, li, dd, dt, td, th, h1, h2, h3, figcaption");
    const inner = formula.querySelector("mjx-math");
    if (!block || !inner || formula.closest("td, th")) return;
    const number = block.matches("div.math") ? block.querySelector(".eqno")?.getBoundingClientRect().width ?? 0 : 0;
    const width = inner.getBoundingClientRect().width;
    shrink(formula, block.getBoundingClientRect().width - number - 8 * (number > 0), width);
  });
  article.querySelectorAll("table").forEach((table) => {
    shrink(table, table.parentElement.clientWidth, table.scrollWidth);
  });

  // Boxes that would leave most of a sheet empty if they were kept whole.
  article.querySelectorAll("div.admonition, div.proof, div.cell_input, div.highlight, table").forEach((box) => {
    if (box.getBoundingClientRect().height > 420) box.dataset.long = "";
  });

  // Chromium names the places that the page itself links to, and no others.
  const places = document.createElement("div");
  places.hidden = true;
  for (const id of targets) places.append(Object.assign(document.createElement("a"), { href: `#${id}` }));
  document.body.append(places);
};

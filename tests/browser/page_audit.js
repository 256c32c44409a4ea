// The questions that are asked inside a page. Each function returns sentences that name what is wrong; none means: nothing found.
window.pageAudit ??= (() => {
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const describe = (element) => {
    const mark = element.id ? "#" + element.id : element.classList.length ? "." + element.classList[0] : "";
    const text = (element.innerText || element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.localName}${mark}>` + (text ? ` “${text}”` : "");
  };

  const structure = () => {
    const found = [];
    const mains = all("main, [role=main]").filter(shown);
    if (!document.title.trim()) found.push("the page has no title");
    if (!document.documentElement.lang) found.push("the page names no language (lang on <html>)");
    if (mains.length !== 1) found.push(`the page has ${mains.length} main landmarks; it needs exactly one`);
    if (mains.length && mains[0].innerText.trim().length < 40) found.push("the page is empty: its main part has no text");
    const headings = all("h1, h2, h3, h4, h5, h6", mains[0] || document).filter(shown);
    const levels = headings.map((heading) => Number(heading.localName[1]));
    if (levels.filter((level) => level === 1).length !== 1)
      found.push(`the page has ${levels.filter((level) => level === 1).length} headings of level 1; it needs exactly one`);
    if (levels.length && levels[0] !== 1) found.push(`the first heading ${describe(headings[0])} is not of level 1`);
    levels.forEach((level, i) => {
      if (i && level > levels[i - 1] + 1)
        found.push(`the heading ${describe(headings[i])} of level ${level} follows one of level ${levels[i - 1]}`);
    });
    return found;
  };

  const pictures = () => {
    const found = [];
    for (const image of all("img")) {
      const alt = (image.getAttribute("alt") || "").trim();
      const source = image.getAttribute("src") || "";
      const file = source.startsWith("data:") ? "a picture in the page" : source.split("/").pop();
      // docutils writes the file's address where the author gave no text: that is no description either.
      if (!alt) found.push(`the picture ${file} has no alt text`);
      else if (alt === source || /\.(png|svg|jpe?g|gif|webp)$/i.test(alt))
        found.push(`the picture ${file} has a file name for an alt text: ${alt}`);
      if (image.complete && !image.naturalWidth && shown(image)) found.push(`the picture ${file} does not show`);
    }
    for (const drawing of all("[role=img]:not(img)")) {
      if (drawing.closest("[aria-hidden=true]")) continue;  // an ornament, such as an icon beside its word
      const titles = all(":scope > title", drawing).map((title) => title.textContent);
      const ids = (drawing.getAttribute("aria-labelledby") || "").split(/\s+/).filter(Boolean);
      const labels = ids.map((id) => document.getElementById(id)?.textContent || "");
      if (![drawing.getAttribute("aria-label") || "", ...titles, ...labels].join("").trim())
        found.push(`the drawing ${describe(drawing)} with role=img has no name (aria-label or <title>)`);
    }
    return found;
  };

  const mathematics = () => {
    const found = [];
    for (const formula of all(".math"))
      if (!formula.querySelector("mjx-container"))
        found.push(`the formula “${formula.textContent.trim().slice(0, 60)}” is not typeset`);
    for (const error of all("mjx-merror, [data-mjx-error]"))
      found.push(`a formula has an error: ${error.getAttribute("data-mjx-error") || error.textContent.trim()}`);
    const raw = /\\\(|\\\[|\$\$|\\begin\{|\$[^$\n]*\\[a-zA-Z]+[^$\n]*\$/;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      const skipped = "pre, code, script, style, noscript, template, textarea, mjx-container, .math";
      if (raw.test(text.data) && !text.parentElement.closest(skipped))
        found.push(`raw LaTeX stands in the text: “${text.data.trim().replace(/\s+/g, " ").slice(0, 60)}”`);
    }
    return found;
  };

  const scrollsInside = (element) => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== "visible" && box.getBoundingClientRect().right <= innerWidth + 1) return true;
    return false;
  };

  const overflow = () => {
    const width = document.scrollingElement.scrollWidth;
    if (width <= innerWidth) return [];
    const right = (element) => element.getBoundingClientRect().right + scrollX;
    const culprits = all("body *").filter((element) =>
      shown(element) && right(element) > innerWidth + 1 && !scrollsInside(element) &&
      ![...element.children].some((child) => right(child) > innerWidth + 1));
    culprits.sort((one, other) => right(other) - right(one));
    // A cell says little: name the table (or block of code, figure, formula) that it stands in.
    const widest = culprits.length ? culprits[0].closest("table, pre, figure, .math") || culprits[0] : document.body;
    const size = Math.round(widest.getBoundingClientRect().width);
    return [`the page is ${width} px wide in a window of ${innerWidth} px; the widest part is ${describe(widest)} with ${size} px`];
  };

  const look = (element) => {
    const style = getComputedStyle(element);
    const place = element.getBoundingClientRect();
    const names = ["outline", "boxShadow", "backgroundColor", "color", "borderColor", "textDecoration", "opacity"];
    return JSON.stringify([place.top, place.left, ...names.map((name) => style[name])]);
  };

  // Asked after one press of the Tab key.
  const focus = () => {
    const element = document.activeElement;
    if (!element || element === document.body) return ["the Tab key reaches nothing on the page"];
    if (!element.matches("a[href]")) return [`the Tab key first reaches ${describe(element)}; it must reach a link`];
    const still = document.head.appendChild(document.createElement("style"));
    still.textContent = "*, *::before, *::after { transition: none !important; animation: none !important }";
    const place = element.getBoundingClientRect();
    const inside = place.width > 0 && place.height > 0 && place.top >= -1 && place.left >= -1 &&
      place.bottom <= innerHeight + 1 && place.right <= innerWidth + 1;
    const focused = look(element);
    element.blur();
    const blurred = look(element);
    element.focus();
    still.remove();
    if (!inside) return [`the Tab key reaches ${describe(element)}, which is out of sight`];
    return focused === blurred ? [`the link ${describe(element)} looks the same with and without the focus`] : [];
  };

  const figuresInDark = () => {
    const found = [];
    if (document.documentElement.dataset.theme !== "dark") return found;
    for (const image of all("main img").filter(shown)) {
      const [red, green, blue, alpha = 1] = getComputedStyle(image).backgroundColor.match(/[\d.]+/g).map(Number);
      if (alpha < 1 || Math.min(red, green, blue) < 230)
        found.push(`in the dark theme the picture “${image.alt.slice(0, 60)}” has no white card behind it`);
    }
    return found;
  };

  const paper = () => {
    const sidebars = all(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header, .bd-header-article, .sidebar-toggle");
    return [...sidebars.filter(shown).map((bar) => `on paper the side bar ${describe(bar)} is printed`),
      ...overflow().map((sentence) => "on paper " + sentence)];
  };

  // A tiny duration for "*" instead of none starts a transition of every property of every element: seconds a page.
  const motion = () => {
    const still = (element) => getComputedStyle(element).transitionDuration.split(", ").every((time) => parseFloat(time) === 0);
    const moving = matchMedia("(prefers-reduced-motion: reduce)").matches ? all("body, main p, main h1").find((e) => !still(e)) : null;
    return moving ? [`${describe(moving)} has transitions for a reader who asked for none`] : [];
  };

  // Formulas have hundreds of elements each, all MathJax's. For axe a word in a box of the same size stands in for them;
  // it stands at the box's right end, because axe asks whether there is something to scroll to.
  let insides = [];
  const foldFormulas = () => {
    const sizes = all("mjx-container").map((formula) => [formula, formula.getBoundingClientRect()])
      .map(([formula, box]) => [formula, Math.max(formula.scrollWidth, box.width), Math.max(formula.scrollHeight, box.height)]);
    insides = sizes.map(([formula, width, height]) => {
      const word = document.createElement("span");
      word.textContent = "formula";
      word.style.cssText = `display: inline-block; width: ${width}px; height: ${height}px; font-size: 2px; text-align: right`;
      const inside = [...formula.childNodes];
      formula.replaceChildren(word);
      return [formula, inside];
    });
  };
  // What was folded last comes back first: a piece of code may stand in another.
  const unfold = () => insides.splice(0).reverse().forEach(([element, inside]) => element.replaceChildren(...inside));

  // Code has a span for each word, to colour it: three nodes in four on some pages. To axe they are one text, unless one of
  // `kept` is among them. Only spans and emphases that carry a class and nothing else are taken for colour.
  const foldCode = (kept = []) => {
    const keep = new Set(kept);
    const plain = (node) => node.nodeType === 3 || (node.nodeType === 1 && ["span", "em"].includes(node.localName) &&
      node.getAttributeNames().every((name) => name === "class") && !keep.has(node) && [...node.childNodes].every(plain));
    const fold = (element) => {
      const inside = [...element.childNodes];
      const runs = [];
      for (const node of inside) {
        if (!plain(node)) runs.push(node);
        else if (Array.isArray(runs.at(-1))) runs.at(-1).push(node);
        else runs.push([node]);
      }
      runs.filter((run) => run.nodeType === 1).forEach(fold);
      if (runs.length === inside.length && inside.every((node) => node.nodeType === 3 || !plain(node))) return;
      element.replaceChildren(...runs.map((run) => (Array.isArray(run) ? run.map((node) => node.textContent).join("") : run)));
      insides.push([element, inside]);
    };
    all("pre, code, dt.sig").filter((element) => !element.parentElement.closest("pre, code, dt.sig")).forEach(fold);
  };

  // Contrast is axe's dearest question, and text that looks the same has the same answer: one element for each look.
  const looks = () => {
    const text = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 1);
    const says = (parts) => parts.filter((part) => !["rgba(0, 0, 0, 0)", "none", "1"].includes(part)).join();
    const behind = new Map([[null, ""]]);
    const ground = (box) => {
      if (!behind.has(box)) {
        const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(box);
        behind.set(box, [says([backgroundColor, backgroundImage, opacity, filter]), ground(box.parentElement)].filter(Boolean).join());
      }
      return behind.get(box);
    };
    const key = (element) => {
      const own = getComputedStyle(element);
      return says([own.color, own.fontSize, own.fontWeight, own.position, own.textShadow, ground(element)]);
    };
    const shownTexts = all("body *").filter((element) => text(element) && shown(element));
    return [...new Map(shownTexts.map((element) => [key(element), element])).values()];
  };

  const links = () => all("a[href]").map((link) => link.href);
  const icons = () => all("link[rel~=icon]").map((link) => link.href);
  const theme = () => [document.documentElement.dataset.theme || ""];

  return { structure, pictures, mathematics, overflow, focus, figuresInDark, motion, paper, foldFormulas, foldCode, unfold, looks, links, icons, theme };
})()

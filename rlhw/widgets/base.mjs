// What the widgets share: controls, pictures and the spoken sentence. A widget's own file follows this text and uses
// its names. Text reaches the page through textContent only; controls are the browser's own, so the keyboard works.

const SVG = "http://www.w3.org/2000/svg";
const ARMS = ["₁", "₂", "₃"];

// Numbers as the page prints them: a true minus sign, and no "−0.00".
function show(number, digits = 2) {
  const text = number.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

function signed(number, digits = 2) {
  return (Number(number.toFixed(digits)) > 0 ? "+" : "") + show(number, digits);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children); // strings become text nodes, never markup
  return node;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// A state saved before an option existed has neither its value nor its range: both are then as the option starts.
// DEFAULTS stands at the end of the module, written by base.py; what it does not name is left alone.
function complete(model) {
  for (const [name, value] of Object.entries(DEFAULTS.values)) if (model.get(name) === undefined) model.set(name, value);
  const ranges = model.get("_ranges") ?? {};
  if (Object.keys(DEFAULTS.ranges).some((name) => !(name in ranges))) model.set("_ranges", { ...DEFAULTS.ranges, ...ranges });
}

// One view of one model. `follow(redraw)` runs redraw now and after each change of an option; `end` lets go.
function open(model, el, title, names) {
  complete(model);
  el.classList.add("rlhw-widget");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", title);
  el.append(html("p", { class: "rlhw-title" }, title));
  const redraws = [];
  const change = () => redraws.forEach((redraw) => redraw());
  names.forEach((name) => model.on(`change:${name}`, change));
  const view = {
    model,
    ends: [() => names.forEach((name) => model.off(`change:${name}`, change))],
    follow: (redraw) => { redraws.push(redraw); redraw(); },
    end: () => view.ends.forEach((end) => end()),
  };
  return view;
}

function write(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

// A slider of a number, or of entry `arm` of a list. Range, step and label come from the widget's Python file.
function slider(view, name, arm = null) {
  const { min, max, step, label } = view.model.get("_ranges")[name];
  const read = () => (arm === null ? view.model.get(name) : view.model.get(name)[arm]);
  const input = html("input", { type: "range", min, max, step });
  const output = html("output", { "aria-live": "off" }); // the sentence below speaks; one voice is enough
  input.addEventListener("input", () => {
    const number = Number(input.value);
    write(view.model, name, arm === null ? number : view.model.get(name).map((old, i) => (i === arm ? number : old)));
  });
  view.follow(() => {
    input.value = read();
    output.textContent = show(read(), Number.isInteger(step) ? 0 : 2);
  });
  const text = arm === null ? label : label.replace("#", ARMS[arm]);
  return html("div", { class: "rlhw-slider" }, html("label", {}, html("span", {}, text), input), output);
}

function toggle(view, name, label) {
  const input = html("input", { type: "checkbox" });
  input.addEventListener("change", () => write(view.model, name, input.checked));
  view.follow(() => { input.checked = view.model.get(name); });
  return html("label", { class: "rlhw-toggle" }, input, html("span", {}, label));
}

// Radio buttons for an option that is one of a few; `entries` are [value, label]. `choose` writes the choice.
function choices(view, name, legend, entries, choose = (value) => write(view.model, name, value)) {
  const group = `rlhw-${name}-${Math.random().toString(36).slice(2)}`; // one radio group a view
  const labels = entries.map(([value, label]) => {
    const input = html("input", { type: "radio", name: group, value });
    input.addEventListener("change", () => choose(value));
    view.follow(() => { input.checked = view.model.get(name) === value; });
    return html("label", {}, input, label);
  });
  return html("fieldset", {}, html("legend", {}, legend), ...labels);
}

function button(label, press) {
  const node = html("button", { type: "button" }, label);
  node.addEventListener("click", press);
  return node;
}

// A picture drawn at the width it has on the page, so that text keeps its size on a phone. `draw(picture, width)`
// fills it and returns the sentence that stands for it.
function picture(view, title, key, height, draw) {
  const image = svg("svg", { role: "img", height });
  const frame = html("div", {}, image);
  let width = 0;
  const redraw = () => {
    image.setAttribute("viewBox", `0 0 ${width} ${height}`);
    image.replaceChildren();
    image.setAttribute("aria-label", draw(image, width));
  };
  const resize = () => {
    const now = Math.max(240, Math.round(frame.clientWidth) || 480);
    if (now !== width) { width = now; redraw(); }
  };
  const watcher = new ResizeObserver(resize);
  watcher.observe(frame);
  view.ends.push(() => watcher.disconnect());
  resize();
  view.follow(redraw);
  const entries = key.map(([kind, text]) => html("span", { class: `rlhw-key ${kind}` }, text));
  return html("figure", {}, html("figcaption", {}, html("b", {}, ...title), ...entries), frame);
}

function scale([low, high], [from, to]) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

// About `count` round numbers between low and high.
function ticks(low, high, count = 4) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const values = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

// Horizontal rules with their numbers, and the axis's name with its unit above them.
function verticalAxis(image, y, [low, high], left, right, name) {
  const { values, digits } = ticks(low, high);
  for (const value of values) {
    const height = y(value);
    const kind = Math.abs(value) < 1e-9 ? "rlhw-zero" : "rlhw-rule";
    image.append(
      svg("line", { class: kind, x1: left, x2: right, y1: height, y2: height }),
      svg("text", { x: left - 6, y: height + 4, "text-anchor": "end" }, show(value, digits)),
    );
  }
  image.append(svg("text", { class: "rlhw-name", x: 2, y: 12 }, name));
}

function horizontalAxis(image, x, [low, high], bottom, name) {
  const { values, digits } = ticks(low, high);
  for (const value of values) {
    image.append(svg("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, show(value, digits)));
  }
  const middle = (x(low) + x(high)) / 2;
  image.append(svg("text", { class: "rlhw-name", x: middle, y: bottom + 33, "text-anchor": "middle" }, name));
}

// What a plot leaves free at its sides; 60 on the left hold "0.0015" in a wide font, too.
const FRAME = { left: 60, right: 10, top: 24, bottom: 40 };

// A frame whose content is cut at its edges, with axes outside it.
function plot(image, width, height, [xs, xName], [ys, yName]) {
  const [left, right, top, bottom] = [FRAME.left, width - FRAME.right, FRAME.top, height - FRAME.bottom];
  const [x, y] = [scale(xs, [left, right]), scale(ys, [bottom, top])];
  verticalAxis(image, y, ys, left, right, yName);
  horizontalAxis(image, x, xs, bottom, xName);
  const box = { x: left - 8, y: top - 8, width: right - left + 16, height: bottom - top + 16 };
  const inside = svg("svg", { ...box, viewBox: Object.values(box).join(" ") });
  image.append(inside);
  return { x, y, inside };
}

// Dots as one path: a line of no length with a round or square end.
function dots(kind, points) {
  return svg("path", { class: kind, d: points.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("") });
}

function line(kind, points) {
  return svg("path", { class: kind, d: `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}` });
}

// `count` + 1 evenly spaced numbers from low to high.
function grid([low, high], count = 120) {
  return Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);
}

function table(view, caption, head, rows) {
  const body = html("tbody");
  view.follow(() => body.replaceChildren(...rows().map(([name, ...cells]) =>
    html("tr", {}, html("th", { scope: "row" }, name), ...cells.map((cell) => html("td", {}, cell))))));
  const heads = head.map((name) => html("th", { scope: "col" }, name));
  return html("table", {}, html("caption", {}, caption), html("thead", {}, html("tr", {}, ...heads)), body);
}

// The result in words. It is read aloud once the reader pauses, not at every step of a slider.
function spoken(view, sentence, pause = 400) {
  const node = html("p", { class: "rlhw-words", "aria-live": "polite", "aria-atomic": "true" }, sentence());
  let timer = 0;
  view.follow(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (node.textContent !== sentence()) node.textContent = sentence();
    }, pause);
  });
  view.ends.push(() => clearTimeout(timer));
  return node;
}

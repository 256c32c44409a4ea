// Over-optimisation: measured gold and learned rewards, and the forms of Gao, Schulman and Hilton (2022) beside them.

// Gold reward at each distance d = √KL, above that of the reference.
export function bestOfNForm(d, a, b) {
  return d.map((far) => far * (a - b * far));
}

export function rlForm(d, a, b) {
  return d.map((far) => (far === 0 ? 0 : a * far - b * far * Math.log(far)));
}

// The distance at which a form is greatest; without a fall (b ≤ 0) there is none.
export function peakBestOfN(a, b) {
  return b > 0 ? Math.max(0, a / (2 * b)) : Number.POSITIVE_INFINITY;
}

export function peakRL(a, b) {
  return b > 0 ? Math.exp(a / b - 1) : Number.POSITIVE_INFINITY;
}

const WAYS = {
  best_of_n: { name: "best of n", form: bestOfNForm, peak: peakBestOfN },
  rl: { name: "reinforcement learning", form: rlForm, peak: peakRL },
};
const [MEASURED, FORMS] = [430, 430]; // heights of the pictures
const OPTIONS = ["way", "size", "root", "stop"];

function called(size) {
  return size === "gold" ? "the gold reward itself" : `${Number(size).toLocaleString("en")} comparisons`;
}

// One size's points by their distance, its form, where that turns, and how well it fits.
function curve(model, size = model.get("size")) {
  const { form, peak } = WAYS[model.get("way")];
  const data = model.get("data");
  const points = data[model.get("way")][size];
  const { a, b } = data.fits[model.get("way")][size];
  const d = points.kl.map(Math.sqrt);
  const errors = form(d, a, b).map((value, i) => points.gold[i] - value);
  const spread = points.gold.map((value) => value - mean(points.gold));
  const fit = 1 - dot(errors, errors) / dot(spread, spread);
  const [far, turns] = [Math.max(...d), peak(a, b)];
  const at = (place) => form([place], a, b)[0];
  return { ...points, d, a, b, fit, far, turns, inside: turns <= far, at, values: (places) => form(places, a, b) };
}

// Along the horizontal axis: d, or its square.
function place(model) {
  return model.get("root") ? (d) => d : (d) => d * d;
}

function axisName(model) {
  return model.get("root") ? "d = √KL from the clone (√nats)" : "KL from the clone (nats)";
}

function between(values) {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const pad = 0.08 * (high - low) || 0.1;
  return [low - pad, high + pad];
}

function drawMeasured(model, image, width) {
  const one = curve(model);
  const [stop, along] = [model.get("stop"), place(model)];
  const places = grid([0, one.far]);
  const range = between([...one.gold_low, ...one.gold_high, ...one.learned, ...one.values(places)]);
  const axes = [[[0, 1.06 * along(one.far)], axisName(model)], [range, "reward above the clone's (units of gold)"]];
  const { x, y, inside } = plot(image, width, MEASURED, ...axes);
  const at = (values) => values.map((value, i) => [x(along(one.d[i])), y(value)]);
  if (one.inside) {
    const turn = x(along(one.turns));
    inside.append(svg("line", { class: "rlhw-flag rlhw-third", x1: turn, x2: turn, y1: y(range[0]), y2: y(one.at(one.turns)) }));
  }
  if (stop <= one.far) {
    const halt = x(along(stop));
    inside.append(
      svg("line", { class: "rlhw-flag", x1: halt, x2: halt, y1: y(range[0]), y2: y(range[1]) }),
      svg("circle", { class: "rlhw-ghost", cx: halt, cy: y(one.at(stop)), r: 6 }),
    );
  }
  one.gold.forEach((_, i) => inside.append(svg("line", {
    class: "rlhw-flag rlhw-first", x1: x(along(one.d[i])), x2: x(along(one.d[i])), y1: y(one.gold_low[i]),
    y2: y(one.gold_high[i]),
  })));
  inside.append(
    line("rlhw-exact", places.map((d) => [x(along(d)), y(one.at(d))])),
    dots("rlhw-squares rlhw-middle rlhw-second", at(one.learned)),
    dots("rlhw-dots rlhw-middle rlhw-first", at(one.gold)),
  );
  const last = one.gold.length - 1;
  return `Gold and learned reward, ${called(model.get("size"))}. At the farthest point, ${show(one.kl[last])} nats, gold ` +
    `is ${signed(one.gold[last])} (from ${signed(one.gold_low[last])} to ${signed(one.gold_high[last])} over seeds), the ` +
    `learned reward ${signed(one.learned[last])}.`;
}

// The forms of all sizes, the chosen one strong, each with its size at its end.
function drawForms(model, image, width) {
  const [data, along] = [model.get("data")[model.get("way")], place(model)];
  const all = Object.keys(data).map((size) => ({ size, ...curve(model, size) }));
  const far = Math.max(...all.map((one) => one.far));
  const lines = all.map((one) => grid([0, one.far]).map((d) => [d, one.at(d)]));
  const range = between(lines.flat().map(([, value]) => value));
  const axes = [[[0, 1.02 * along(far)], axisName(model)], [range, "gold reward above the clone's, fitted"]];
  const { x, y, inside } = plot(image, width, FORMS, ...axes);
  all.forEach((one, i) => {
    const kind = one.size === model.get("size") ? "rlhw-line rlhw-broad rlhw-first" : "rlhw-curve";
    inside.append(line(kind, lines[i].map(([d, value]) => [x(along(d)), y(value)])));
    if (one.inside) inside.append(dots("rlhw-big rlhw-dots rlhw-third", [[x(along(one.turns)), y(one.at(one.turns))]]));
  });
  // Labels from the top down, each at least a line below the one before.
  let free = FRAME.top;
  [...all].sort((one, two) => two.at(two.far) - one.at(one.far)).forEach((one) => {
    const level = Math.max(free, y(one.at(one.far)) - 5);
    free = level + 14;
    const end = Math.min(x(along(one.far)), width - FRAME.right);
    inside.append(svg("text", { class: "rlhw-halo rlhw-small", x: end - 4, y: level, "text-anchor": "end" }, one.size));
  });
  const each = all.map((one) => `${called(one.size)}: ${turning(one)}`);
  return `The fitted forms of all sizes. ${each.join("; ")}.`;
}

function turning({ turns, inside, at }) {
  if (inside) return `its peak, ${signed(at(turns))}, at ${show(turns ** 2)} nats`;
  return turns === Number.POSITIVE_INFINITY ? "no peak" : "a peak beyond what was measured";
}

function rows(model) {
  return Object.keys(model.get("data")[model.get("way")]).map((size) => {
    const one = curve(model, size);
    const beyond = one.turns === Number.POSITIVE_INFINITY ? "none" : "beyond";
    const peak = one.inside ? show(one.turns ** 2) : beyond;
    return [size, show(one.a), show(one.b), show(one.fit), peak, signed(one.gold.at(-1))];
  });
}

function sentence(model) {
  const one = curve(model);
  const [stop, size] = [model.get("stop"), model.get("size")];
  const head = `Optimised by ${WAYS[model.get("way")].name} for ${size === "gold" ? called(size) : `a reward learned from ${called(size)}`}. ` +
    `The fitted form has ${turning(one)}. `;
  if (stop > one.far) return `${head}d = ${show(stop)} is farther than what was measured, ${show(one.far)}.`;
  const lost = one.inside ? one.at(one.turns) - one.at(stop) : 0;
  const side = stop < one.turns ? "short of it" : "past it";
  const judged = !one.inside ? "" : lost < 0.005 ? ", as good as at the peak" : `, ${show(lost)} less than at the peak and ${side}`;
  return `${head}Stopped at d = ${show(stop)}, a KL of ${show(stop ** 2)} nats, it says a gold reward of ` +
    `${signed(one.at(stop))}${judged}.`;
}

const KEY = [
  ["rlhw-first rlhw-round", "gold, least to greatest"], ["rlhw-second", "learned"], ["rlhw-exact", "form fitted to gold"],
  ["rlhw-third", "its peak"], ["rlhw-ring", "where you stop"],
];

export default {
  render({ model, el }) {
    const view = open(model, el, "How long does more of the learned reward mean more of the gold one?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const sizes = Object.keys(model.get("data").best_of_n).map((size) => [size, size]);
    const ways = Object.entries(WAYS).map(([way, { name }]) => [way, name]);
    const head = ["size", "a", "b", "R²", "peak", "end"];
    el.append(
      html("p", { class: "rlhw-note" }, "Computed beforehand, by training and sampling on the small forum; how: card goodhart. Medians over its seeds."),
      html("div", { class: "rlhw-row" }, choices(view, "way", "optimised by", ways), choices(view, "size", "comparisons", sizes)),
      html("div", { class: "rlhw-row" }, toggle(view, "root", "against d = √KL")),
      html("div", { class: "rlhw-controls" }, slider(view, "stop")),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["Gold and learned reward"], KEY, MEASURED, draw(drawMeasured)),
        picture(view, ["The fitted forms, by number of comparisons"], [["rlhw-first", "the one chosen"],
          ["rlhw-third rlhw-round", "peak"]], FORMS, draw(drawForms))),
      table(view, "By number of comparisons: the fitted form, the KL of its peak in nats, gold at the last point", head,
        () => rows(model)),
      html("p", { class: "rlhw-note" }, "The forms of Gao, Schulman and Hilton (2022) with d = √KL: gold is d (a − b d) for " +
        "the best of n, and d (a − b log d) for reinforcement learning. Beyond: the peak is farther than any point."),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};

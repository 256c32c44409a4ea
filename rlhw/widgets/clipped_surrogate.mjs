// PPO's clipped surrogate of one token, and its gradient for the token's log-probability.

// min(ρA, clip(ρ)A), to be made large: minus clipped_policy_loss.
export function clippedSurrogate(ratios, advantages, clip) {
  return ratios.map((ratio, i) => {
    const near = Math.min(Math.max(ratio, 1 - clip), 1 + clip);
    return Math.min(ratio * advantages[i], near * advantages[i]);
  });
}

// Its derivative for log π of the token. The ratio's own derivative is the ratio, so it is ρA, or 0 where the flat
// branch is the smaller one.
export function clippedGradient(ratios, advantages, clip) {
  return ratios.map((ratio, i) => {
    const gain = advantages[i];
    const far = (gain > 0 && ratio > 1 + clip) || (gain < 0 && ratio < 1 - clip);
    return far ? 0 : ratio * gain;
  });
}

const HEIGHT = 320;
const RATIOS = [0, 2];
const OPTIONS = ["ratio", "advantage", "clip"];

// What the page shows; `place` is -1 below 1 - ε, +1 above 1 + ε, 0 between; `far` and `wrong` are two of its cases.
function token(model) {
  const [ratio, advantage, clip] = OPTIONS.map((name) => model.get(name));
  const [value] = clippedSurrogate([ratio], [advantage], clip);
  const [gradient] = clippedGradient([ratio], [advantage], clip);
  const place = ratio < 1 - clip ? -1 : ratio > 1 + clip ? 1 : 0;
  const way = Math.sign(advantage);
  const [far, wrong] = [way !== 0 && place === way, way !== 0 && place === -way];
  return { ratio, advantage, clip, value, gradient, place, way, far, wrong };
}

// Axes that keep their numbers while A moves a little: 0 to 0.5, 1, 2 or 4, upwards or downwards as A is.
function reach(advantage) {
  const top = [0.5, 1, 2, 4].find((most) => most >= 2 * Math.abs(advantage));
  return advantage < 0 ? [-top, 0.05 * top] : [-0.05 * top, top];
}

// The plot, with the ratios tinted at which the gradient is zero and words in both outer parts.
function stage(model, image, width, name) {
  const { advantage, clip, way } = token(model);
  const range = reach(advantage);
  const { x, y, inside } = plot(image, width, HEIGHT, [RATIOS, "ratio ρ"], [range, name]);
  const [top, bottom] = [y(range[1]), y(range[0])];
  const tints = { [-1]: [[0, 1 - clip]], 0: [RATIOS], 1: [[1 + clip, 2]] }[way];
  tints.forEach(([low, high]) => inside.append(
    svg("rect", { class: "rlhw-chosen", x: x(low), y: top, width: x(high) - x(low), height: bottom - top }),
    svg("line", { class: "rlhw-zero", x1: x(RATIOS[0]), x2: x(RATIOS[1]), y1: y(0), y2: y(0) }),
  ));
  const words = (kind, lines, right, height) => lines.forEach((text, row) => inside.append(svg("text", {
    class: kind, x: right ? x(2) - 4 : x(0) + 4, y: height + 16 * row, "text-anchor": right ? "end" : "start",
  }, text)));
  const write = () => { // after the curves, so that these do not run through the words
    if (way === 0) return words("", ["A = 0: gradient 0"], false, top + 20);
    words("", ["too far already:", "gradient 0"], way > 0, bottom - (way > 0 ? 62 : 26));
    return words("rlhw-halo", ["wrong way:", "gradient stays"], way < 0, top + (way > 0 ? 14 : 30));
  };
  return { x, y, inside, write };
}

// The number at the marker: on the side where the curve is not, and inside the picture.
function label(text, across, high, left) {
  const place = { x: (across + (left ? -9 : 9)).toFixed(1), y: high.toFixed(1), "text-anchor": left ? "end" : "start" };
  return svg("text", { class: "rlhw-halo rlhw-number", ...place }, text);
}

function drawSurrogate(model, image, width) {
  const { ratio, advantage, clip, value } = token(model);
  const { x, y, inside, write } = stage(model, image, width, "surrogate");
  const corners = [0, 1 - clip, 1 + clip, 2]; // it is straight between these
  const values = clippedSurrogate(corners, corners.map(() => advantage), clip);
  inside.append(
    line("rlhw-exact", RATIOS.map((end) => [x(end), y(end * advantage)])),
    line("rlhw-line rlhw-first", corners.map((corner, i) => [x(corner), y(values[i])])),
  );
  write();
  inside.append(
    dots("rlhw-big rlhw-dots rlhw-first", [[x(ratio), y(value)]]),
    label(signed(value), x(ratio), y(value) + (advantage < 0 ? 20 : -12), ratio > 1),
  );
  return `The surrogate against the ratio, at advantage ${signed(advantage)} and ε = ${show(clip)}: ` +
    `${signed(value)} at ratio ${show(ratio)}; without the clip it would be ${signed(ratio * advantage)}.`;
}

function drawGradient(model, image, width) {
  const { ratio, advantage, clip, gradient, way } = token(model);
  const { x, y, inside, write } = stage(model, image, width, "∂ surrogate / ∂ log π");
  const edge = 1 + way * clip; // beyond it the gradient is 0
  const [free, flat] = way > 0 ? [[0, edge], [edge, 2]] : [[edge, 2], [0, edge]];
  inside.append(
    line("rlhw-exact", RATIOS.map((end) => [x(end), y(end * advantage)])),
    line("rlhw-line rlhw-second", free.map((end) => [x(end), y(end * advantage)])),
    line("rlhw-line rlhw-second", flat.map((end) => [x(end), y(0)])),
  );
  write();
  inside.append(
    dots("rlhw-big rlhw-squares rlhw-second", [[x(ratio), y(gradient)]]),
    label(signed(gradient), x(ratio), y(gradient) + (advantage < 0 ? 20 : -12), ratio > 1),
  );
  return "The gradient for log π against the ratio: ratio times advantage, and 0 where the token is too far " +
    `already. At ratio ${show(ratio)} it is ${signed(gradient)}.`;
}

// The rule for either sign of A; the case of the chosen token is marked.
function rows(model) {
  const { place, way } = token(model);
  const cell = (row, column, text) => (row === way && column === place ? `${text} ← here` : text);
  const row = (name, sign, cells) => [name, ...cells.map((text, i) => cell(sign, i - 1, text))];
  return [
    row("A > 0", 1, ["wrong way: ρA", "ρA", "too far: 0"]),
    row("A < 0", -1, ["too far: 0", "ρA", "wrong way: ρA"]),
  ];
}

function sentence(model) {
  const { ratio, advantage, clip, value, gradient, place, way, far, wrong } = token(model);
  const [low, high] = [show(1 - clip), show(1 + clip)];
  const given = `Ratio ${show(ratio)}, advantage ${signed(advantage)}: the surrogate is ${signed(value)}, its ` +
    `gradient for log π is ${signed(gradient)}.`;
  if (way === 0) return `${given} With advantage 0 this token teaches nothing, whatever its ratio.`;
  const judged = `The token was ${way > 0 ? "better" : "worse"} than expected`;
  const moved = `${place > 0 ? "more" : "less"} likely`;
  const limit = place > 0 ? `above ${high}` : `below ${low}`;
  if (far) return `${given} ${judged} and has become ${moved}, ${limit}: too far already, gradient 0.`;
  if (wrong) return `${given} ${judged} but has become ${moved}, ${limit}: wrong way, the gradient stays.`;
  return `${given} ${judged}, and its ratio lies from ${low} to ${high}: the clip changes nothing here.`;
}

const KEY = [["rlhw-first rlhw-round", "clipped"], ["rlhw-exact", "ρA, without the clip"]];
const GRADIENT_KEY = [["rlhw-second", "clipped"], ["rlhw-exact", "ρA, without the clip"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "When does a token stop pushing? PPO's clipped surrogate", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    el.append(
      html("div", { class: "rlhw-controls" }, ...OPTIONS.map((name) => slider(view, name))),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["The surrogate: min(ρA, clip(ρ)A)"], KEY, HEIGHT, draw(drawSurrogate)),
        picture(view, ["What reaches log π: its gradient"], GRADIENT_KEY, HEIGHT, draw(drawGradient))),
      table(view, "The gradient for log π", ["advantage", "ρ < 1 − ε", "between", "ρ > 1 + ε"], () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};

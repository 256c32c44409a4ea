// A softmax policy over three arms: probabilities, the score of the sampled arm, and one ascent step.

const HEIGHT = 220, LEFT = 42, TOP = 26, BOTTOM = 190;

function state(model) {
  const [logits, action] = [model.get("logits"), model.get("action")];
  const move = weightedScores(logits, [action], [model.get("step_size") * model.get("reward")])[0];
  const after = model.get("show_step") ? softmax(logits.map((logit, arm) => logit + move[arm])) : null;
  return { action, probabilities: softmax(logits), scores: score(logits, action), after };
}

// Bars of each arm side by side, their numbers at their ends, the sampled arm on a tinted column.
function bars(image, width, range, name, action, series) {
  const y = scale(range, [BOTTOM, TOP]);
  const column = (width - LEFT) / 3;
  const tint = { x: LEFT + action * column, y: TOP - 6, width: column, height: HEIGHT - TOP + 6 };
  image.append(svg("rect", { class: "rlhw-chosen", ...tint }));
  verticalAxis(image, y, range, LEFT, width, name);
  const thick = Math.min(46, (column - 18) / series.length);
  series.forEach(({ values, kind, print }, index) => values.forEach((value, arm) => {
    const x = LEFT + (arm + 0.5) * column + (index - series.length / 2) * (thick + 4) + 2;
    const [top, end] = [Math.min(y(value), y(0)), value < 0 ? y(value) + 14 : y(value) - 5];
    image.append(
      svg("rect", { class: `rlhw-bar ${kind(value)}`, x, y: top, width: thick, height: Math.abs(y(value) - y(0)) }),
      svg("text", { class: "rlhw-number", x: x + thick / 2, y: end, "text-anchor": "middle" }, print(value)),
    );
  }));
  ARMS.forEach((_, arm) => {
    const [kind, mark] = arm === action ? ["rlhw-strong", " = y"] : ["", ""];
    const place = { x: LEFT + (arm + 0.5) * column, y: HEIGHT - 8, "text-anchor": "middle" };
    image.append(svg("text", { class: kind, ...place }, `arm ${arm + 1}${mark}`));
  });
}

const plain = (value) => show(value);
const withSign = (value) => signed(value);

function list(values, print) {
  return values.map((value, arm) => `arm ${arm + 1} ${print(value)}`).join(", ");
}

function drawProbabilities(model, image, width) {
  const { action, probabilities, after } = state(model);
  const series = [{ values: probabilities, kind: () => "rlhw-first", print: plain }];
  if (after) series.push({ values: after, kind: () => "rlhw-third", print: plain });
  bars(image, width, [0, 1.1], "probability", action, series);
  return `Probabilities: ${list(probabilities, plain)}${after ? `; after the step: ${list(after, plain)}` : ""}.`;
}

function drawScore(model, image, width) {
  const { action, scores } = state(model);
  const kind = (value) => (value < 0 ? "rlhw-second" : "rlhw-first");
  const series = [{ values: scores, kind, print: withSign }];
  bars(image, width, [-1.2, 1.2], "∂ log p(y) / ∂z", action, series);
  return `Score of arm ${action + 1}: ${list(scores, withSign)}.`;
}

function sentence(model) {
  const { action, probabilities, scores, after } = state(model);
  const total = scores.reduce((sum, entry) => sum + entry, 0);
  const others = scores.reduce((sum, entry, arm) => (arm === action ? sum : sum + entry), 0);
  const words = `Arm ${action + 1} was sampled; its probability is ${show(probabilities[action])}. The score is ` +
    `${signed(scores[action])} at this arm and ${signed(others)} at the others together: ` +
    `its entries sum to ${show(total, 3)}.`;
  if (!after) return words;
  const [before, now] = [probabilities[action], after[action]];
  const way = Math.abs(now - before) < 5e-4 ? "leaves" : now > before ? "raises" : "lowers";
  return `${words} A step of ${show(model.get("step_size"), 1)} with reward ${show(model.get("reward"), 1)} ${way} ` +
    `its probability ${way === "leaves" ? "at" : "to"} ${show(now)}.`;
}

export default {
  render({ model, el }) {
    const names = ["logits", "action", "show_step", "step_size", "reward"];
    const view = open(model, el, "A softmax policy and its score", names);
    const step = html("div", { class: "rlhw-controls" }, slider(view, "step_size"), slider(view, "reward"));
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const arms = ARMS.map((_, arm) => [arm, `arm ${arm + 1}`]);
    const times = [["rlhw-first", "now"], ["rlhw-third", "after the step"]];
    const signs = [["rlhw-first", "up"], ["rlhw-second", "down"]];
    const policy = picture(view, ["Policy p = softmax(z)"], times, HEIGHT, draw(drawProbabilities));
    const scores = picture(view, ["Score 1", html("sub", {}, "y"), " − p"], signs, HEIGHT, draw(drawScore));
    view.follow(() => { step.hidden = policy.querySelector(".rlhw-third").hidden = !model.get("show_step"); });
    el.append(
      html("div", { class: "rlhw-controls" }, ...ARMS.map((_, arm) => slider(view, "logits", arm))),
      html("div", { class: "rlhw-row" }, choices(view, "action", "sampled arm y", arms),
        toggle(view, "show_step", "show one ascent step")),
      step, html("div", { class: "rlhw-pictures" }, policy, scores), spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};

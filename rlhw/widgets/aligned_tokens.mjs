// A summary before and after alignment: the laws of the next word, the price of each token, and what is left of the score.

const LAWS = [["rlhw-second", "clone", "the clone"], ["rlhw-first", "policy", "the policy"]];
const [BARS, PRICES, SUMS] = [440, 200, 230]; // heights of the pictures
const OPTIONS = ["post", "answer", "position"];

// Log-ratios of the tokens of one summary and their running sum, that of the KLs, its score, and what it costs.
function account({ steps, score }, beta) {
  const ratios = steps.map(({ logprobs: [clone, policy] }) => policy - clone);
  const [sums, kls] = [cumulativeSum(ratios), cumulativeSum(steps.map(({ kl }) => kl))];
  return { steps, score, ratios, sums, kls, price: beta * sums.at(-1), left: score - beta * sums.at(-1) };
}

function reading(model) {
  const [post, answer, position] = OPTIONS.map((name) => model.get(name));
  const { beta, examples } = model.get("data");
  const example = examples[post];
  const one = account(example.answers[answer], beta);
  return { ...one, beta, example, answer, position, step: one.steps[position - 1] };
}

function drawPrices(model, image, width) {
  const { beta, ratios, steps, position } = reading(model);
  const prices = ratios.map((ratio) => beta * ratio);
  const [low, high] = [Math.min(0, ...prices), Math.max(0, ...prices)];
  const pad = 0.08 * (high - low) || 0.1;
  const [left, right, top, bottom] = [FRAME.left, width - FRAME.right, FRAME.top, PRICES - FRAME.bottom];
  const [range, places] = [[low - pad, high + pad], [0.5, steps.length + 0.5]];
  const [x, y] = [scale(places, [left, right]), scale(range, [bottom, top])];
  const thick = (right - left) / steps.length;
  image.append(svg("rect", {
    class: "rlhw-chosen", x: x(position - 0.5), y: top, width: thick, height: bottom - top,
  }));
  verticalAxis(image, y, range, left, right, "price of the token, β log π/π_ref");
  horizontalAxis(image, x, places, bottom, "token t");
  prices.forEach((price, i) => image.append(svg("rect", {
    class: `rlhw-bar ${price < 0 ? "rlhw-second" : "rlhw-first"}`, x: x(i + 0.5) + 1, y: y(Math.max(price, 0)),
    width: Math.max(1, thick - 2), height: Math.abs(y(price) - y(0)),
  })));
  const dearest = prices.indexOf(Math.max(...prices));
  return `The price of each of ${steps.length} tokens. The dearest is ${named(steps[dearest].word)}, token ` +
    `${dearest + 1}, with ${signed(prices[dearest])}; the one looked at costs ${signed(prices[position - 1])}.`;
}

function drawSums(model, image, width) {
  const { sums, kls, steps, position } = reading(model);
  const all = [0, ...sums, ...kls];
  const pad = 0.08 * (Math.max(...all) - Math.min(...all)) || 0.1;
  const range = [Math.min(...all) - pad, Math.max(...all) + pad];
  const axes = [[[0, steps.length], "tokens read, t"], [range, "sum so far (nats)"]];
  const { x, y, inside } = plot(image, width, SUMS, ...axes);
  inside.append(svg("line", { class: "rlhw-zero", x1: x(position), x2: x(position), y1: y(range[0]), y2: y(range[1]) }));
  [["rlhw-third", kls], ["rlhw-first", sums]].forEach(([series, values]) => inside.append(
    line(`rlhw-line ${series}`, [0, ...values].map((sum, t) => [x(t), y(sum)])),
    dots(`rlhw-dots rlhw-middle ${series}`, [[x(position), y(values[position - 1])]]),
  ));
  return `After ${position} of ${steps.length} tokens the log-ratios sum to ${signed(sums[position - 1])} nats and the ` +
    `KLs of the next word to ${show(kls[position - 1])}.`;
}

function controls(view) {
  const { model } = view;
  // Another summary may be shorter: the position first, so that all three fit at every moment.
  const choose = (name) => (value) => {
    const now = { post: model.get("post"), answer: model.get("answer"), [name]: value };
    const { steps } = model.get("data").examples[now.post].answers[now.answer];
    model.set("position", Math.min(model.get("position"), steps.length));
    write(model, name, value);
  };
  const posts = model.get("data").examples.map((_, i) => [i, String(i + 1)]);
  const answers = [["clone", "the clone's"], ["policy", "the policy's"]];
  const title = () => (model.get("answer") === "clone" ? "Summary of the clone" : "Summary of the policy");
  return [
    html("div", { class: "rlhw-row" }, choices(view, "post", "post", posts, choose("post")),
      choices(view, "answer", "whose summary", answers, choose("answer"))),
    ...texts(view, reading, title),
    walk(view, reading),
  ];
}

function tokenRows(model) {
  const { step, ratios, sums, kls, beta, position } = reading(model);
  const at = position - 1;
  const row = (name, ratio, kl) => [name, signed(ratio), signed(beta * ratio), show(kl, 3)];
  return [
    row(`token ${position}: ${named(step.word)}`, ratios[at], step.kl),
    row("so far", sums[at], kls[at]),
    row("whole summary", sums.at(-1), kls.at(-1)),
  ];
}

function scoreRows(model) {
  const { example, beta } = reading(model);
  return ["clone", "policy"].map((who) => {
    const { score, price, left } = account(example.answers[who], beta);
    return [`the ${who}'s`, signed(score), signed(price), signed(left)];
  });
}

function sentence(model) {
  const { step, steps, position, ratios, sums, beta, score, price, left, answer } = reading(model);
  const at = step.words.indexOf(step.word);
  const [ratio, sum] = [ratios[position - 1], sums[position - 1]];
  const change = Math.abs(ratio) < 0.05 ? "Alignment hardly changed it"
    : `Alignment made it ${ratio > 0 ? "likelier" : "less likely"}`;
  return `Token ${position} of ${steps.length} of the ${answer}'s summary is ${named(step.word)}. The clone gives it ` +
    `${show(step.clone[at], 3)}, the policy ${show(step.policy[at], 3)}. ${change}: its log-ratio is ${signed(ratio)}, ` +
    `its price ${signed(beta * ratio)}. So far the log-ratios sum to ${signed(sum)}. The whole summary has the score ` +
    `${signed(score)} and the price ${signed(price)}: ${signed(left)} is left.`;
}

export default {
  render({ model, el }) {
    const view = open(model, el, "Which tokens did alignment change, and what did each cost?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const { beta } = model.get("data");
    const laws = (image, width) => drawNextWords(image, width, BARS, reading(model).step, LAWS);
    const key = LAWS.map(([series, , name]) => [series, name]);
    const sumsKey = [["rlhw-first", "log π/π_ref of the tokens"], ["rlhw-third", "KL of the next word"]];
    const priceKey = [["rlhw-first", "likelier than before"], ["rlhw-second", "less likely"]];
    el.append(
      html("p", { class: "rlhw-note" }, "Computed beforehand, not in your browser; how: card aligned_tokens. One clone " +
        `π_ref, and one policy π that PPO made of it with the gold reward and β = ${show(beta)}.`),
      ...controls(view),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["Which word comes next?"], key, BARS, laws),
        html("div", {},
          picture(view, ["What does each token cost?"], priceKey, PRICES, draw(drawPrices)),
          picture(view, ["How far from the clone?"], sumsKey, SUMS, draw(drawSums)))),
      table(view, "Log-ratio log π/π_ref in nats, its price, and KL(π‖π_ref) of the next word",
        ["token", "log-ratio", "price", "KL"], () => tokenRows(model)),
      table(view, "At the end", ["summary", "score", "price", "score − price"], () => scoreRows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};

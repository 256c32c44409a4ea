// Value iteration on a small grid: the model from its layout and rewards, sweeps from v = 0, greedy arrows, contraction.

// The four actions as [rows, columns] moved, clockwise: a slip goes to the one before or after.
const MOVES = [[-1, 0], [0, 1], [1, 0], [0, -1]];

// p(s' | s, a) and r(s, a). States are the cells that are no walls; `cellRewards` are paid by entering them.
export function gridModel(layout, slip, cellRewards) {
  const { cells, index } = gridCells(layout);
  const transitions = cells.map(() => MOVES.map(() => cells.map(() => 0)));
  const rewards = cells.map(() => MOVES.map(() => 0));
  cells.forEach(({ row, column, sign }, state) => MOVES.forEach((_, action) => {
    if (sign === "G") { transitions[state][action][state] = 1; return; }
    for (const [turn, chance] of [[0, 1 - slip], [1, slip / 2], [3, slip / 2]]) {
      const [down, right] = MOVES[(action + turn) % 4];
      const after = index.get(`${row + down},${column + right}`) ?? state;
      transitions[state][action][after] += chance;
      rewards[state][action] += chance * cellRewards[after];
    }
  }));
  return { transitions, rewards };
}

export function actionValues(transitions, rewards, gamma, values) {
  return rewards.map((row, state) => row.map((reward, action) => reward + gamma * dot(transitions[state][action], values)));
}

export function bellmanOptimality(transitions, rewards, gamma, values) {
  return actionValues(transitions, rewards, gamma, values).map((row) => Math.max(...row));
}

// The best actions of each state share the probability; what rounding can part is tied.
export function greedyPolicy(transitions, rewards, gamma, values) {
  const all = actionValues(transitions, rewards, gamma, values);
  const tie = 1e-12 * Math.max(1, ...all.flat().map(Math.abs));
  return all.map((row) => {
    const best = row.map((value) => (value >= Math.max(...row) - tie ? 1 : 0));
    return best.map((one) => one / cumulativeSum(best).at(-1));
  });
}

// The distance of two vectors in the maximum norm.
export function greatestChange(first, second) {
  return Math.max(...first.map((value, i) => Math.abs(value - second[i])));
}

// How far the values may be from v* when the last sweep changed none of them by more than `change`.
export function errorBound(gamma, change) {
  return gamma / (1 - gamma) * change;
}

const CURVE = 250; // height of the picture
const SETTLED = 0.001; // sweeps go on until no value can be off by more
const EXACT = 1e-9; // and for v* itself until none can be off by more
const OPTIONS = ["rewards", "gamma", "slip", "sweeps"];

// All sweeps of one world until v* is known, and how many of them it takes to settle.
function iterate(layout, slip, cellRewards, gamma) {
  const { transitions, rewards } = gridModel(layout, slip, cellRewards);
  const [history, changes] = [[rewards.map(() => 0)], [0]];
  let settled = 0;
  let bound;
  do {
    history.push(bellmanOptimality(transitions, rewards, gamma, history.at(-1)));
    changes.push(greatestChange(...history.slice(-2)));
    bound = errorBound(gamma, changes.at(-1));
    if (!settled && bound <= SETTLED) settled = changes.length - 1;
  } while (bound > EXACT);
  const best = actionValues(transitions, rewards, gamma, history.at(-1));
  const good = best.map((row) => row.map((value) => value >= Math.max(...row) - 10 * EXACT));
  return { history, changes, settled, good, greedy: (values) => greedyPolicy(transitions, rewards, gamma, values) };
}

// What the page shows, from the options. A world is iterated once, however often it is drawn.
function sweeper(model) {
  const layout = model.get("layout_rows");
  const inside = gridCells(layout).cells.flatMap(({ sign }, state) => (sign === "G" ? [] : [state]));
  let [known, world] = ["", null];
  return () => {
    const [rewards, gamma, slip, sweeps] = OPTIONS.map((name) => model.get(name));
    const key = JSON.stringify([rewards, gamma, slip]);
    if (key !== known) [known, world] = [key, iterate(layout, slip, rewards, gamma)];
    const k = Math.min(sweeps, world.settled);
    const values = world.history[k];
    const policy = world.greedy(values);
    const right = inside.filter((state) => policy[state].every((p, action) => !p || world.good[state][action]));
    const [change, first] = [world.changes[k], world.changes[1]];
    return {
      ...world, rewards, gamma, k, values, policy, change, first, slowest: gamma ** (k - 1) * first,
      cells: inside.length, right: right.length,
      distance: greatestChange(values, world.history.at(-1)), bound: errorBound(gamma, change),
    };
  };
}

function count(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

function gridNow({ k, values, policy, rewards }) {
  const cells = values.map((value, state) => {
    const row = policy[state]; // where every move is as good, there is nothing to point at
    const arrows = DIRECTIONS.filter((_, action) => row[action] && !row.every(Boolean));
    return { value, arrows, reward: rewards[state] };
  });
  return { name: `The grid after ${count(k, "sweep")}: values and greedy moves`, cells };
}

function powerOfTen(power) {
  return `10${[...`${power}`].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("")}`;
}

// Powers of ten as rules with their numbers.
function powersAxis(image, y, [low, high], left, right, name) {
  for (let power = low; power <= high; power++) {
    const height = y(power);
    image.append(
      svg("line", { class: "rlhw-rule", x1: left, x2: right, y1: height, y2: height }),
      svg("text", { x: left - 6, y: height + 4, "text-anchor": "end" }, powerOfTen(power)),
    );
  }
  image.append(svg("text", { class: "rlhw-name", x: 2, y: 12 }, name));
}

function drawChanges(now, image, width) {
  const { changes, k, first, gamma, slowest, change } = now;
  const points = changes.slice(1, k + 1).flatMap((value, i) => (value > 0 ? [[i + 1, Math.log10(value)]] : []));
  const end = Math.max(12, k);
  const ends = first > 0 ? [[1, Math.log10(first)], [end, Math.log10(gamma ** (end - 1) * first)]] : [];
  const heights = [...points, ...ends].map(([, height]) => height);
  const range = [Math.floor(Math.min(-1, ...heights)), Math.ceil(Math.max(0, ...heights))];
  const [left, right, top, bottom] = [FRAME.left, width - FRAME.right, FRAME.top, CURVE - FRAME.bottom];
  const [x, y] = [scale([0, end], [left, right]), scale(range, [bottom, top])];
  powersAxis(image, y, range, left, right, "greatest change of a value (units of reward)");
  horizontalAxis(image, x, [0, end], bottom, "sweep");
  const place = ([at, height]) => [x(at), y(height)];
  if (first > 0) image.append(line("rlhw-exact", ends.map(place)));
  image.append(dots(`rlhw-dots rlhw-first ${end > 60 ? "" : "rlhw-middle"}`, points.map(place)));
  if (!k) return "The greatest change of each sweep, on a scale of powers of ten: no sweep has been made.";
  return `The greatest change of each sweep, on a scale of powers of ten: ${show(first, 3)} in sweep 1, ` +
    `${fine(change)} in sweep ${k}, where the line γᵏ⁻¹Δ₁ is at ${fine(slowest)}.`;
}

// Digits enough for what is small.
function fine(number) {
  return show(number, Math.abs(number) < 0.01 ? 6 : 3);
}

function rows({ k, change, slowest, distance, bound }) {
  return [
    ["greatest change Δₖ", k ? fine(change) : "", k ? fine(slowest) : ""],
    ["distance to v*", fine(distance), k ? fine(bound) : ""],
  ];
}

function sentence({ k, settled, change, first, slowest, distance, bound, right, cells }) {
  const arrows = `The greedy moves are the best ones in ${right === cells ? "all" : `${right} of`} ${cells} cells.`;
  if (first === 0) return "Nothing is to be had: every value is 0 and stays so.";
  if (k === 0) return `No sweep yet: every value is 0, and the greedy move looks at the next reward only. ${arrows}`;
  const sweep = k === 1 ? `Sweep 1 changed a value by ${fine(first)} at most.`
    : `Sweep ${k} changed a value by ${fine(change)} at most; contraction allows γᵏ⁻¹Δ₁ = ${fine(slowest)}.`;
  const end = k === settled ? `Settled after ${count(k, "sweep")}: no value is off by more than ${SETTLED}.`
    : `A value may be off by γ/(1−γ) Δₖ = ${fine(bound)}; the worst one is off by ${fine(distance)}.`;
  return `${sweep} ${end} ${arrows}`;
}

const NOTE = "Large number: the value. Small number: the reward of entering the cell, where it is not 0. Triangle: the greedy " +
  "move. A move into a wall or off the grid enters the cell again.";
const KEY = [["rlhw-first rlhw-round", "Δₖ, the greatest change of sweep k"], ["rlhw-exact", "γᵏ⁻¹Δ₁"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "How do values spread, and how fast do they settle?", OPTIONS);
    const [read, first] = [sweeper(model), model.get("rewards")];
    const go = (sweeps) => () => write(model, "sweeps", sweeps(read()));
    const buttons = [
      button("one sweep", go(({ k, settled }) => Math.min(k + 1, settled))),
      button("until settled", go(({ settled }) => settled)),
      button("start again", go(() => 0)),
      button("restore the rewards", () => write(model, "rewards", first)),
    ];
    const way = slider(view, "sweeps");
    view.follow(() => {
      const { k, settled } = read();
      way.querySelector("input").max = settled; // more sweeps would show nothing new
      way.querySelector("input").value = k;
      way.querySelector("output").textContent = k;
      const same = model.get("rewards").every((reward, i) => reward === first[i]);
      [k === settled, k === settled, k === 0, same].forEach((done, i) => buttons[i].setAttribute("aria-disabled", done));
    });
    const caption = html("figcaption", {}, html("b", {}, "Values and greedy moves; choose a cell to edit its reward"));
    el.append(
      html("div", { class: "rlhw-controls" }, slider(view, "gamma"), slider(view, "slip"), way),
      html("div", { class: "rlhw-row rlhw-buttons" }, ...buttons),
      html("div", { class: "rlhw-pictures" },
        html("figure", {}, caption, editableGrid(view, "rewards", model.get("layout_rows"), () => gridNow(read())),
          html("p", { class: "rlhw-note" }, NOTE)),
        html("div", {},
          picture(view, ["What a sweep changes"], KEY, CURVE, (image, width) => drawChanges(read(), image, width)),
          table(view, "After sweep k", ["in units of reward", "is", "at most"], () => rows(read())))),
      spoken(view, () => sentence(read())),
    );
    return view.end;
  },
};

// TD against Monte Carlo on the random walk: values, the walk, errors and words. The formulas stand in prediction.mjs.

const [VALUES, PATH, ERRORS] = [250, 190, 440]; // heights of the pictures
const OPTIONS = ["step_size", "n", "states", "run", "episodes", "moves"];

function stateName(state, states) {
  return state < 1 ? "the left end" : state > states ? "the right end" : `${state}`;
}

function inner(values) {
  return values.slice(1, -1);
}

// States stand side by side, with the ends at the sides, at the same places in two pictures.
function places(width, states) {
  return scale([0, states + 1], [FRAME.left, width - FRAME.right - 16]);
}

function drawValues({ exact, now, states, walk, made }, image, width) {
  const [x, bottom] = [places(width, states), VALUES - 24];
  const y = scale([0, 1], [bottom, FRAME.top]);
  const half = (x(1) - x(0)) / 2;
  const here = walk[made];
  if (here > 0 && here <= states) {
    const place = { x: x(here) - half, y: FRAME.top, width: 2 * half, height: bottom - FRAME.top };
    image.append(svg("rect", { class: "rlhw-chosen", ...place }));
  }
  verticalAxis(image, y, [0, 1], FRAME.left, width - FRAME.right, "value");
  inner(exact).forEach((_, i) => image.append(
    svg("text", { x: x(i + 1), y: bottom + 18, "text-anchor": "middle" }, stateName(i + 1, states))));
  const points = (values) => inner(values).map((value, i) => [x(i + 1), y(value)]);
  image.append(line("rlhw-exact", points(exact)));
  const [td, mc] = now;
  image.append(
    line(`rlhw-line ${MC}`, points(mc.values)), dots(`rlhw-squares rlhw-middle ${MC}`, points(mc.values)),
    line(`rlhw-line ${TD}`, points(td.values)), dots(`rlhw-dots rlhw-middle ${TD}`, points(td.values)),
  );
  for (const { old, values } of now) {
    points(old).forEach(([cx, cy], i) => {
      if (old[i + 1] !== values[i + 1]) image.append(svg("circle", { class: "rlhw-ghost", cx, cy, r: 5 }));
    });
  }
  const listed = (values) => inner(values).map((value) => show(value)).join(", ");
  return `Values of states 1 to ${states}: exact ${listed(exact)}; TD ${listed(td.values)}; ` +
    `Monte Carlo ${listed(mc.values)}.`;
}

function drawPath({ walk, made, ended, states, episodes }, image, width) {
  const x = places(width, states);
  const y = scale([0, Math.max(8, made)], [34, PATH - 14]);
  for (let state = 0; state <= states + 1; state++) {
    const end = state < 1 || state > states;
    image.append(
      svg("line", { class: end ? "rlhw-zero" : "rlhw-rule", x1: x(state), x2: x(state), y1: 24, y2: PATH - 6 }),
      svg("text", { x: x(state), y: 16, "text-anchor": "middle" }, `${state}`),
    );
  }
  const points = walk.slice(0, made + 1).map((state, t) => [x(state), y(t)]);
  const [cx, cy] = points.at(-1);
  image.append(line("rlhw-curve", points), svg("circle", { class: "rlhw-point rlhw-third", cx, cy, r: 6 }));
  const names = walk.slice(0, made + 1).map((state) => stateName(state, states));
  return `Walk ${episodes + 1}, ${made} move${made === 1 ? "" : "s"} downwards${ended ? ", to its end" : ""}: ${names.join(", ")}.`;
}

function drawErrors({ now, walk, made, episodes, last, runs }, image, width) {
  const here = episodes + made / (walk.length - 1);
  const highest = Math.max(...now.flatMap(({ errors, mean }) => [...errors, ...mean]));
  const axes = [[[0, last + 1], "walks"], [[0, 1.05 * highest], "root mean square error"]];
  const { x, y, inside } = plot(image, width, ERRORS, ...axes);
  const points = (errors) => errors.map((error, k) => [x(k), y(error)]);
  for (const { kind, mean } of now) inside.append(line(`rlhw-line rlhw-faint ${kind}`, points(mean)));
  for (const { kind, errors, error } of now) {
    const own = [...points(errors.slice(0, episodes + 1)), [x(here), y(error)]];
    const place = { cx: x(here), cy: y(error), r: 5 };
    inside.append(line(`rlhw-line ${kind}`, own), svg("circle", { class: `rlhw-point ${kind}`, ...place }));
  }
  const each = now.map(({ name, error, mean }) =>
    `${name} ${show(error, 3)} now, ${show(mean[last], 3)} on average over ${runs} runs after ${last} walks`);
  return `Root mean square error over the walks: ${each.join("; ")}.`;
}

function rows({ exact, now, states }) {
  const [td, mc] = now;
  const each = inner(exact).map((value, i) =>
    [stateName(i + 1, states), ...[value, td.values[i + 1], mc.values[i + 1]].map((number) => show(number, 3))]);
  return [...each, ["error", "", show(td.error, 3), show(mc.error, 3)]];
}

// What the last move taught TD, which has not come to the end of the walk.
function taught({ stepSize, n, states, walk, made, now: [{ values, old }] }) {
  const name = (state) => `V(${stateName(state, states)})`;
  if (made < n) return `TD waits, too: it looks ${n} moves ahead.`;
  const seen = walk[made - n];
  const [from, to, target] = [old[seen], values[seen], old[walk[made]]];
  const towards = `${name(seen)} towards ${name(walk[made])} = ${show(target, 3)}`;
  return from === to ? `TD would move ${towards}, but it is there already.`
    : `TD moves ${towards} by α = ${show(stepSize)} of the way: from ${show(from, 3)} to ${show(to, 3)}.`;
}

// What the end of the walk taught both.
function atTheEnd({ states, walk, made, episodes, now: [td, mc] }) {
  const paid = walk.at(-1) > states ? 1 : 0;
  const moved = ({ values, old }) => {
    const names = inner(values).flatMap((value, i) => (value === old[i + 1] ? [] : [`V(${i + 1})`]));
    return names.join(", ") || "nothing";
  };
  return `Walk ${episodes + 1} ends after ${made} moves on the ${paid ? "right and pays 1" : "left and pays 0"}. With its last ` +
    `move TD changes ${moved(td)}. Monte Carlo now goes back over the walk and moves all it saw (${moved(mc)}) towards ${paid}, ` +
    "once for each visit.";
}

function sentence(all) {
  const { walk, made, ended, episodes, states, now: [td, mc] } = all;
  const name = (state) => stateName(state, states);
  const told = made === 0 ? `Walk ${episodes + 1} begins in state ${name(walk[0])}: nothing to learn from yet.`
    : ended ? atTheEnd(all)
    : `Move ${made} of walk ${episodes + 1} leads from ${name(walk[made - 1])} to ${name(walk[made])} and pays 0. ` +
      `${taught(all)} Monte Carlo waits for the end of the walk.`;
  return `${told} Errors: TD ${show(td.error, 3)}, Monte Carlo ${show(mc.error, 3)}.`;
}

const NOTE = "Both see the same walks, start at 0.5 and take the same step α. The best α of one is not the best of the other: " +
  "compare each at its own.";
const VALUES_KEY = [[`${TD} rlhw-round`, "TD"], [MC, "Monte Carlo"], ["rlhw-exact", "exact"], ["rlhw-ring", "before this move"]];
const ERRORS_KEY = [[`rlhw-strip ${TD}`, "TD, this run"], [`rlhw-strip ${MC}`, "Monte Carlo, this run"],
  ["rlhw-strip rlhw-faint", "mean of runs 1 to 50"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "TD or Monte Carlo: who learns what, and when?", OPTIONS);
    const read = walker(model);
    const draw = (drawing) => (image, width) => drawing(read(), image, width);
    const go = (episodes, moves) => {
      model.set("episodes", Math.min(episodes, model.get("fixed").episodes));
      write(model, "moves", moves);
    };
    const on = (moves) => () => { // at the end of a walk the next one begins
      const { ended, episodes, made } = read();
      go(ended ? episodes + 1 : episodes, moves(ended ? 0 : made));
    };
    const longest = model.get("_ranges").moves.max;
    const buttons = [
      button("one move", on((made) => made + 1)),
      button("to the end of the walk", on(() => longest)),
      button("ten walks", () => go(read().episodes + 10, 0)),
      button("start again", () => go(0, 0)),
    ];
    const moves = slider(view, "moves");
    view.follow(() => {
      const { made, walk } = read();
      const input = moves.querySelector("input");
      [input.max, input.value] = [walk.length - 1, made];
      moves.querySelector("output").textContent = `${made}`;
    });
    el.append(
      html("div", { class: "rlhw-controls" }, ...["step_size", "run", "episodes"].map((name) => slider(view, name)), moves),
      html("div", { class: "rlhw-row" },
        choices(view, "n", "steps n of TD", [1, 2, 4, 8, 16].map((n) => [n, `${n}`])),
        choices(view, "states", "states", [3, 5, 11].map((count) => [count, `${count}`]))),
      html("div", { class: "rlhw-row" }, ...buttons),
      html("div", { class: "rlhw-pictures" },
        html("div", {},
          picture(view, ["Values"], VALUES_KEY, VALUES, draw(drawValues)),
          picture(view, ["The walk, downwards; the step out on the right pays 1"], [], PATH, draw(drawPath))),
        picture(view, ["Error over the walks"], ERRORS_KEY, ERRORS, draw(drawErrors))),
      table(view, "Values and their root mean square error", ["state", "exact", "TD", "Monte Carlo"], () => rows(read())),
      html("p", { class: "rlhw-note" }, NOTE),
      spoken(view, () => sentence(read())),
    );
    return view.end;
  },
};

// Prediction on the random walk: states 1 to N between two ends, 0 and N + 1; the step out on the right pays 1. γ is 1.

// `count` walks from the middle, each a list of states; one uniform number a move, below one half to the left.
export function randomWalks(states, seed, count) {
  const numbers = uniforms(seed);
  return Array.from({ length: count }, () => {
    const walk = [Math.floor((states + 1) / 2)];
    while (walk.at(-1) > 0 && walk.at(-1) <= states) walk.push(walk.at(-1) + (numbers.next().value < 0.5 ? -1 : 1));
    return walk;
  });
}

// The chance to leave on the right; at the ends there is nothing more to earn.
export function exactValues(states) {
  return Array.from({ length: states + 2 }, (_, state) => (state > states ? 0 : state / (states + 1)));
}

// The values after the first `moves` moves of a walk: n moves after a visit, or at the end, V moves towards its target.
export function nStepTD(walk, values, stepSize, n, moves) {
  const [table, length] = [values.slice(), walk.length - 1];
  const learned = moves >= length ? length : Math.max(0, moves - n + 1);
  for (let t = 0; t < learned; t++) {
    const ahead = Math.min(t + n, length);
    const target = (ahead === length ? reward(walk, values) : 0) + table[walk[ahead]];
    table[walk[t]] += stepSize * (target - table[walk[t]]);
  }
  return table;
}

// The values after the whole walk: at every visit V moves towards the return.
export function monteCarlo(walk, values, stepSize) {
  const table = values.slice();
  for (const state of walk.slice(0, -1)) table[state] += stepSize * (reward(walk, values) - table[state]);
  return table;
}

// Over the states between the ends.
export function rootMeanSquare(values, exact) {
  const squares = values.slice(1, -1).map((value, i) => (value - exact[i + 1]) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
}

// What a walk pays, at its last move: 1 if that leads out on the right.
function reward(walk, values) {
  return walk.at(-1) === values.length - 1 ? 1 : 0;
}

const [TD, MC] = ["rlhw-first", "rlhw-second"];

// Errors of both after 0, 1, 2 … walks, and their values.
function learn(walks, states, stepSize, n) {
  const exact = exactValues(states);
  const both = [{ name: "TD", kind: TD, step: (walk, values) => nStepTD(walk, values, stepSize, n, walk.length) },
    { name: "Monte Carlo", kind: MC, step: (walk, values) => monteCarlo(walk, values, stepSize) }];
  return both.map(({ name, kind, step }) => {
    const history = [exact.map((_, state) => (state < 1 || state > states ? 0 : 0.5))];
    for (const walk of walks) history.push(step(walk, history.at(-1)));
    return { name, kind, history, errors: history.map((values) => rootMeanSquare(values, exact)) };
  });
}

// A function that remembers its last answer: pictures, table and words ask for the same one.
function remembering(compute) {
  let [known, answer] = ["", null];
  return (...given) => {
    const key = JSON.stringify(given);
    if (key !== known) [known, answer] = [key, compute(...given)];
    return answer;
  };
}

// What the page shows, from the options.
function walker(model) {
  const { episodes: last, runs } = model.get("fixed");
  const walksOf = remembering((states) => Array.from({ length: runs }, (_, i) => randomWalks(states, i + 1, last + 1)));
  const curves = remembering((states, stepSize, n) => {
    const all = walksOf(states).map((walks) => learn(walks.slice(0, last), states, stepSize, n));
    const average = (i) => all[0][i].errors.map((_, k) => all.reduce((sum, one) => sum + one[i].errors[k], 0) / runs);
    return { all, means: [average(0), average(1)] };
  });
  return () => {
    const [stepSize, n, states, run, episodes, moves] = OPTIONS.map((name) => model.get(name));
    const { all, means } = curves(states, stepSize, n);
    const [walk, [td, mc]] = [walksOf(states)[run - 1][episodes], all[run - 1]];
    const made = Math.min(moves, walk.length - 1);
    const ended = made === walk.length - 1;
    const before = td.history[episodes];
    const after = (count) => nStepTD(walk, before, stepSize, n, count);
    const [exact, waiting] = [exactValues(states), mc.history[episodes]];
    const now = [
      { ...td, mean: means[0], values: after(made), old: made ? after(made - 1) : before },
      { ...mc, mean: means[1], values: ended ? monteCarlo(walk, waiting, stepSize) : waiting, old: waiting },
    ].map((one) => ({ ...one, error: rootMeanSquare(one.values, exact) }));
    return { stepSize, n, states, run, episodes, last, runs, walk, made, ended, exact, now };
  };
}

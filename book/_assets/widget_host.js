/* Shows the course's widgets on a page without a kernel: a notebook's saved ones and those of the `widget` directive.
   Each carries its own JavaScript (an anywidget module), imported from a Blob, so that it also works from disk. */
(() => {
  "use strict";
  const select = (type) => document.querySelectorAll(`script[type="${type}"]`);
  const modules = new Map(); // source text -> promise of its module
  const models = new Map(); // model id -> promise of its model; the views of one model share it

  class Model {
    constructor(state) { this.state = state; this.listeners = new Map(); }
    get(name) { return this.state[name]; }
    set(name, value) {
      if (Object.is(this.state[name], value)) return;
      this.state[name] = value;
      for (const event of [`change:${name}`, "change"]) (this.listeners.get(event) ?? []).forEach((call) => call());
    }
    on(event, call) { this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(call)); }
    off(event, call) { if (call) this.listeners.get(event)?.delete(call); else this.listeners.delete(event); }
    save_changes() {} // no kernel is listening
    send() {}
  }

  const because = (reason) => (problem) => { throw new Error(`${reason} (${problem.message})`, { cause: problem }); };

  function load(source) {
    if (!modules.has(source)) {
      const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const loading = import(address).finally(() => URL.revokeObjectURL(address));
      modules.set(source, loading.catch(because("its JavaScript does not load")));
    }
    return modules.get(source);
  }

  function style(text) {
    if ([...document.querySelectorAll("style.rlhw-widget-style")].some((node) => node.textContent === text)) return;
    const node = document.createElement("style");
    node.className = "rlhw-widget-style";
    node.textContent = text;
    document.head.append(node);
  }

  async function start(state) {
    if (!state) throw new Error("its saved state is not on this page");
    if (!state._esm) throw new Error("its saved state has no JavaScript; only the course's own widgets run on a page");
    const widget = (await load(state._esm)).default;
    if (typeof widget?.render !== "function") throw new Error("its JavaScript has no render function");
    style(state._css ?? "");
    const model = new Model({ ...state });
    await widget.initialize?.({ model });
    return { widget, model };
  }

  function parse(script) {
    try { return JSON.parse(script.textContent); } catch { throw new Error("its data on this page is damaged"); }
  }

  async function show(script, read) {
    if (script.dataset.shown) return; // a page may name this file twice
    script.dataset.shown = "yes";
    const el = document.createElement("div");
    script.after(el);
    try {
      const { widget, model } = await read(parse(script));
      await Promise.resolve().then(() => widget.render({ model, el })).catch(because("it stopped while drawing"));
    } catch (problem) {
      el.className = "rlhw-widget-problem";
      el.setAttribute("role", "alert");
      const reason = `This widget could not be shown: ${problem.message}.`;
      el.textContent = `${reason} Reload the page, or run it in the notebook.`;
    }
  }

  function savedStates() {
    const states = {};
    for (const script of select("application/vnd.jupyter.widget-state+json")) {
      try { Object.assign(states, parse(script).state); } catch { /* its views say that their state is missing */ }
    }
    return states;
  }

  const saved = savedStates();
  const shared = ({ model_id: id }) => {
    if (!models.has(id)) models.set(id, start(saved[id]?.state));
    return models.get(id);
  };
  // Kept until all are drawn, well or ill: page.js has the formulas wait for it.
  window.rlhwWidgets = Promise.all([
    ...[...select("application/vnd.jupyter.widget-view+json")].map((script) => show(script, shared)),
    ...[...select("application/x-rlhw-widget+json")].map((script) => show(script, start)),
  ]);
})();

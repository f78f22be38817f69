// One neuron in words: what it listens to and how much, and a button to cut each of its connections. Works by keyboard alone.

import { by, make, number } from "./dom.js";

const MOST_ROWS = 40;

export class Inspector {
  constructor(view, { onCut, onKill, onSelect }) {
    Object.assign(this, { view, onCut, onSelect });
    this.list = by("neuron");
    this.box = by("sources");
    this.kill = by("kill");
    this.list.addEventListener("change", () => {
      view.select(Number(this.list.value));
      onSelect(Number(this.list.value));
    });
    this.kill.addEventListener("click", () => onKill(view.selected));
  }

  setNetwork(net, canHurt) {
    this.canHurt = canHurt;
    const words = { input: "Inputs", hidden: "Hidden neurons", output: "Actions" };
    const groups = net.layers.map((layer) => {
      const label = layer.ids.length < layer.size ? `${words[layer.kind]} (${layer.ids.length} of ${layer.size})` : words[layer.kind];
      return make("optgroup", { label }, ...layer.ids.map((id) => make("option", { value: String(id) }, net.name(id))));
    });
    this.list.replaceChildren(make("option", { value: "-1" }, "choose a neuron"), ...groups);
    this.list.value = String(this.view.selected);
    this.update();
  }

  select(id) {
    this.list.value = String(id);
    this.key = null;
    this.update();
  }

  update() {
    const { view } = this, id = view.selected, net = view.net;
    const isOutput = net && net.layers.at(-1).ids.includes(id);
    this.kill.disabled = id < 0 || !this.canHurt || isOutput || view.isDead(id);
    if (id < 0 || !net) {
      this.box.replaceChildren();
      this.key = null;
      return;
    }
    const sources = view.sources(id).slice(0, MOST_ROWS);
    // While focus is on a button of the list, its rows stay where they are.
    const key = `${id}:${sources.map(({ source }) => source).sort().join()}`;
    if (key === this.key) {
      for (const one of sources) this.fill(this.rows.get(one.source), one.strength, sources[0].strength);
      return;
    }
    this.key = key;
    this.rows = new Map();
    const items = sources.map(({ source, strength }) => this.row(id, source, strength, sources[0].strength));
    const about = net.kind[id] !== 2 ? "An input takes what the world says, and listens to nobody." : sources.length ? "" : "It listens to nobody any more.";
    this.box.replaceChildren(about ? make("p", { class: "caption" }, about) : make("ul", { class: "sources", "aria-label": `What ${net.name(id)} listens to`, tabindex: "0" }, ...items));
  }

  row(id, source, strength, most) {
    const { net } = this.view;
    const bar = make("i"), text = make("span");
    const button = make("button", { type: "button", "aria-label": `Cut ${net.name(source)} → ${net.name(id)}`, disabled: !this.canHurt, onclick: () => this.onCut(source, id) }, "Cut");
    const row = { bar, text };
    this.rows.set(source, row);
    this.fill(row, strength, most);
    return make("li", {}, make("span", { class: "name" }, net.name(source)), make("span", { class: "bar" }, bar), text, button);
  }

  fill(row, strength, most) {
    row.bar.style.transform = `scaleX(${strength / most})`;
    row.text.textContent = number(strength, 2);
  }
}

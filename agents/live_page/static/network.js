// The network as it lives: neurons light up, lines are as wide as strengths, connections are born and die.

import { calm, fitted, ink, mix, number, palette } from "./dom.js";
import { connectionNear, neuronNear, places } from "./places.js";

const BORN_MS = 700, DIED_MS = 1000, MOST_EFFECTS = 120;
const MOST_LINES = 480; // drawn at once: more would be a haze, and slow
const LEVELS = 6;

// What the server said of the neurons and connections, and what follows from it.
export function networkOf(header, parts) {
  const { source, target } = parts;
  const ids = header.layers.flatMap((layer) => layer.ids);
  const size = Math.max(-1, ...ids) + 1;
  const fanIn = new Float32Array(size);
  for (const j of target) fanIn[j] += 1;
  const complements = new Set(header.complements);
  const kind = new Uint8Array(size); // 0: direct input, 1: complement, 2: any other
  header.layers.forEach((layer) => layer.ids.forEach((id) => (kind[id] = layer.kind !== "input" ? 2 : complements.has(id) ? 1 : 0)));
  return {
    ...header, source, target, ids, size, fanIn, kind,
    name: (id) => header.names[id] ?? `neuron ${id}`,
    // 1 is an equal share among all that might be listened to.
    relative: (c, strength) => strength * fanIn[target[c]],
  };
}

export class NetworkView {
  constructor(canvas, tip, { onCut, onKill, onSelect, onHover }) {
    Object.assign(this, { canvas, tip, onCut, onKill, onSelect, onHover });
    this.net = null;
    this.tool = "cut";
    this.hovered = { neuron: -1, connection: -1 };
    this.selected = -1;
    this.effects = [];
    this.born = this.died = 0;
    this.colours = palette();
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.hover(-1, -1));
    canvas.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.place()).observe(canvas);
  }

  setNetwork(net) {
    const same = this.net && this.net.shown === net.shown && this.net.layers.at(-1).ids[0] === net.layers.at(-1).ids[0];
    this.net = net;
    this.shown = new Float32Array(net.size);
    this.strengths = null;
    this.effects = [];
    if (!same) this.selected = -1;
    this.hovered = { neuron: -1, connection: -1 };
    this.place();
  }

  restart() {
    this.born = this.died = 0;
    this.effects = [];
    this.strengths = null;
  }

  place() {
    const { width, height } = fitted(this.canvas);
    if (this.net) this.at = places(this.net, width, height);
    this.draw();
  }

  retheme() {
    this.colours = palette();
    this.draw();
  }

  // A frame: outputs (0 to 255) by id, and square roots of strengths (0 to 65535) by connection.
  update(activity, roots) {
    const strengths = new Float32Array(roots.length);
    for (let c = 0; c < roots.length; c++) strengths[c] = (roots[c] / 65535) ** 2;
    if (this.strengths) this.compare(strengths);
    this.strengths = strengths;
    const share = calm.matches ? 0.2 : 0.6;
    for (const id of this.net.ids) this.shown[id] += share * (activity[id] / 255 - this.shown[id]);
  }

  compare(strengths) {
    const now = performance.now();
    for (let c = 0; c < strengths.length; c++) {
      const before = this.strengths[c] > 0, after = strengths[c] > 0;
      if (before === after) continue;
      if (after) this.born += 1;
      else this.died += 1;
      if (this.effects.length < MOST_EFFECTS) this.effects.push({ c, after, since: now, was: this.strengths[c] });
    }
  }

  isDead(id) {
    return this.dead?.has(id) ?? false;
  }

  // -- what is pointed at -------------------------------------------------------------------------------------------

  find(event) {
    if (!this.net || !this.strengths) return [-1, -1];
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const neuron = neuronNear(this.net, this.at, x, y);
    if (neuron >= 0 || this.tool === "kill") return [neuron, -1, x, y];
    return [-1, connectionNear(this.net, this.at, this.strengths, x, y), x, y];
  }

  point(event) {
    const [neuron, connection, x, y] = this.find(event);
    this.hover(neuron, connection, x, y);
  }

  click(event) {
    const [neuron, connection, x, y] = this.find(event);
    // A finger cannot hover: the first touch shows what the second one will do.
    const isFinger = event.pointerType === "touch";
    const isNew = neuron !== this.hovered.neuron || connection !== this.hovered.connection;
    this.hover(neuron, connection, x, y);
    if (neuron >= 0 && this.tool === "kill" && !(isFinger && isNew)) this.onKill(neuron);
    else if (neuron >= 0) this.select(neuron);
    else if (connection < 0) this.select(-1);
    else if (!(isFinger && this.touched !== connection)) this.onCut(connection);
    this.touched = connection;
  }

  select(neuron) {
    this.selected = neuron;
    this.onSelect(neuron);
    this.draw();
  }

  hover(neuron, connection, x = 0, y = 0) {
    const changed = neuron !== this.hovered.neuron || connection !== this.hovered.connection;
    this.hovered = { neuron, connection };
    this.canvas.style.cursor = connection >= 0 || neuron >= 0 ? "pointer" : "default";
    this.showTip(x, y);
    if (changed) {
      if (neuron >= 0) this.onHover(neuron);
      this.draw();
    }
  }

  showTip(x, y) {
    const { neuron, connection } = this.hovered;
    const lines = neuron >= 0 ? this.aboutNeuron(neuron) : connection >= 0 ? this.aboutConnection(connection) : [];
    this.tip.hidden = !lines.length;
    if (!lines.length) return;
    const title = document.createElement("b");
    title.textContent = lines[0];
    this.tip.replaceChildren(title, ...lines.slice(1).flatMap((line, k) => (k ? [document.createElement("br"), line] : [line])));
    const stage = this.canvas.parentElement;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    this.tip.style.left = `${Math.max(4, Math.min(x + 16, stage.clientWidth - width - 4))}px`;
    this.tip.style.top = `${y + 20 + height < stage.clientHeight ? y + 18 : Math.max(4, y - height - 12)}px`;
  }

  aboutNeuron(id) {
    const { net } = this, sources = this.sources(id);
    const lines = [net.name(id), `says ${number(this.shown[id], 2)} of 1`];
    if (net.kind[id] !== 2) lines.push("an input: it takes what the world says");
    else if (!sources.length) lines.push("has no connections");
    else {
      lines.push(`listens to ${sources.length}, most to:`);
      for (const { source, strength } of sources.slice(0, 4)) lines.push(`${net.name(source)}  ${strength.toFixed(2)}`);
    }
    if (this.tool === "kill" && net.layers.at(-1).ids.includes(id) === false) lines.push("Click: kill it");
    return lines;
  }

  aboutConnection(c) {
    const { net } = this;
    return [
      `${net.name(net.source[c])} → ${net.name(net.target[c])}`,
      `strength ${this.strengths[c].toFixed(3)} (equal shares: ${(1 / net.fanIn[net.target[c]]).toFixed(3)})`,
      "Click: cut it",
    ];
  }

  // What a neuron listens to, the strongest first.
  sources(id) {
    const found = [];
    if (!this.strengths) return found;
    for (let c = 0; c < this.net.source.length; c++) {
      if (this.net.target[c] === id && this.strengths[c] > 0) found.push({ source: this.net.source[c], strength: this.strengths[c] });
    }
    return found.sort((a, b) => b.strength - a.strength);
  }

  // -- drawing ------------------------------------------------------------------------------------------------------

  get isAnimated() {
    return this.effects.length > 0;
  }

  draw() {
    const { context, width, height } = fitted(this.canvas);
    context.clearRect(0, 0, width, height);
    if (this.net && this.strengths) this.paint(context);
  }

  // Paint into any context, the picture to share among them; everything stands where it stands on the page.
  paint(context, colours = this.colours) {
    this.countDead();
    this.paintLines(context, colours);
    this.paintEffects(context, colours);
    this.paintNeurons(context, colours);
    this.paintNames(context, colours);
  }

  countDead() {
    const alive = new Set();
    for (let c = 0; c < this.strengths.length; c++) {
      if (this.strengths[c] > 0) alive.add(this.net.source[c]).add(this.net.target[c]);
    }
    this.dead = new Set(this.net.ids.filter((id) => !alive.has(id)));
    if (this.dead.has(this.selected)) this.selected = -1;
  }

  paintLines(context, colours) {
    const { net, at, strengths, shown } = this;
    const focus = this.hovered.neuron >= 0 ? this.hovered.neuron : this.hovered.connection >= 0 ? -1 : this.selected;
    const buckets = new Map();
    const drawn = this.strongest(focus);
    const crowd = Math.min(1, (260 / Math.max(1, drawn.length)) ** 0.35);
    for (const c of drawn) {
      if (c === this.hovered.connection) continue;
      const i = net.source[c], j = net.target[c];
      const share = net.relative(c, strengths[c]);
      const isFocus = focus < 0 || i === focus || j === focus;
      const bright = (0.1 + 0.3 * Math.min(2.2, share)) * (0.4 + 0.8 * shown[i]) * (isFocus ? (focus < 0 ? crowd : 1.5) : 0.25 * crowd);
      const level = Math.max(1, Math.min(LEVELS, Math.ceil(bright * LEVELS)));
      const thick = Math.max(1, Math.min(LEVELS, Math.ceil(Math.sqrt(share) * 2)));
      const key = net.kind[i] * 100 + level * 10 + thick;
      let lines = buckets.get(key);
      if (!lines) buckets.set(key, (lines = []));
      lines.push(c);
    }
    const rgb = [colours.direct, colours.complement, colours.onward];
    for (const key of [...buckets.keys()].sort((a, b) => (a % 100) - (b % 100))) {
      const level = Math.floor((key % 100) / 10), thick = key % 10;
      context.strokeStyle = ink(rgb[Math.floor(key / 100)], (level - 0.5) / LEVELS);
      context.lineWidth = (0.35 + 0.8 * (thick - 1)) * (0.6 + 0.4 * crowd);
      context.beginPath();
      for (const c of buckets.get(key)) this.trace(context, at, net.source[c], net.target[c]);
      context.stroke();
    }
    const c = this.hovered.connection;
    if (c >= 0 && strengths[c]) this.stroke(context, c, ink(colours.died), 3 + Math.min(4, net.relative(c, strengths[c])));
  }

  // The connections to draw: all there are, or the strongest; those of the neuron in focus in any case.
  strongest(focus) {
    const { net, strengths } = this;
    const present = [];
    for (let c = 0; c < strengths.length; c++) if (strengths[c]) present.push(c);
    if (present.length <= MOST_LINES) return present;
    const shares = Float32Array.from(present, (c) => net.relative(c, strengths[c])).sort();
    const least = shares[shares.length - MOST_LINES];
    return present.filter((c) => net.relative(c, strengths[c]) >= least || net.source[c] === focus || net.target[c] === focus);
  }

  trace(context, at, i, j) {
    const middle = (at.x[i] + at.x[j]) / 2;
    context.moveTo(at.x[i], at.y[i]);
    context.bezierCurveTo(middle, at.y[i], middle, at.y[j], at.x[j], at.y[j]);
  }

  stroke(context, c, style, width) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    this.trace(context, this.at, this.net.source[c], this.net.target[c]);
    context.stroke();
  }

  paintEffects(context, colours) {
    const now = performance.now();
    this.effects = this.effects.filter(({ after, since }) => now - since < (after ? BORN_MS : DIED_MS));
    for (const { c, after, since, was } of this.effects) {
      const age = calm.matches ? 0.3 : (now - since) / (after ? BORN_MS : DIED_MS);
      const width = after ? 1 + 0.8 * (1 - age) : 1 + 3 * (1 - age) * Math.min(1, 0.1 + this.net.relative(c, was));
      if (!after) context.setLineDash([6 - 3 * age, 3 + 9 * age]);
      this.stroke(context, c, ink(after ? colours.born : colours.died, (after ? 0.6 : 0.85) * (1 - age) ** 1.3), width);
      context.setLineDash([]);
    }
  }

  paintNeurons(context, colours) {
    const { net, at, shown } = this;
    for (const id of net.ids) {
      const x = at.x[id], y = at.y[id], r = at.radius[id], a = Math.min(1, shown[id]);
      if (this.dead.has(id) && net.kind[id] === 2) {
        context.strokeStyle = ink(colours.died, 0.75);
        context.lineWidth = 1.3;
        const d = r * 0.6;
        context.beginPath();
        context.moveTo(x - d, y - d);
        context.lineTo(x + d, y + d);
        context.moveTo(x + d, y - d);
        context.lineTo(x - d, y + d);
        context.stroke();
        continue;
      }
      if (a > 0.35) {
        context.fillStyle = ink(colours.amber, 0.22 * (a - 0.35));
        context.beginPath();
        context.arc(x, y, r * (1.3 + 0.9 * a), 0, 7);
        context.fill();
      }
      context.fillStyle = ink(mix(colours.rest, colours.amber, a));
      context.beginPath();
      context.arc(x, y, r, 0, 7);
      context.fill();
      const isFocus = id === this.hovered.neuron || id === this.selected;
      context.strokeStyle = isFocus ? colours.ink : net.kind[id] === 1 ? ink(colours.complement, 0.9) : net.kind[id] === 0 ? ink(colours.direct, 0.9) : colours.well;
      context.lineWidth = isFocus ? 2.2 : 1.4;
      context.stroke();
    }
  }

  paintNames(context, colours) {
    const { net, at } = this;
    context.textBaseline = "middle";
    const inputs = net.layers[0].ids, outputs = net.layers.at(-1).ids;
    for (const [ids, side] of [[inputs, "right"], [outputs, "left"]]) {
      const spacing = ids.length > 1 ? Math.abs(at.y[ids[0]] - at.y[ids.at(-1)]) / (ids.length - 1) : 99;
      if (spacing < 9.5) continue;
      context.font = `${spacing < 13 ? 10 : this.canvas.clientWidth < 520 ? 11 : 12}px ${colours.font}`;
      context.textAlign = side;
      const room = (side === "right" ? at.left : this.canvas.clientWidth - at.right) - 18;
      for (const id of ids) {
        context.fillStyle = net.kind[id] === 1 ? ink(colours.complement, 0.95) : colours.ink;
        const x = at.x[id] + (side === "right" ? -1 : 1) * (at.radius[id] + 7);
        context.fillText(cropped(context, net.name(id), room), x, at.y[id]);
      }
    }
  }
}

function cropped(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let kept = text;
  while (kept.length > 1 && context.measureText(`${kept}…`).width > room) kept = kept.slice(0, -1);
  return `${kept}…`;
}

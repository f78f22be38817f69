// Curves over environment steps, with what was done by hand as thin lines.

import { fitted, ink, number, palette } from "./dom.js";

const LEAST = 1e-6; // that is drawn on a logarithmic axis
const MARGIN = { left: 44, right: 10, top: 16, bottom: 20 };

function niceTicks(low, high, count) {
  const rough = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * size >= rough) * size;
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) ticks.push(value);
  return ticks;
}

const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e6) return `${number(value / 1e6, 3)}M`;
  if (size >= 1e4) return `${number(value / 1e3, 3)}k`;
  return number(value, 3);
};

const decades = (low, high) => Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, k) => Math.ceil(low) + k);
const power = (exponent) => `10${[...String(exponent)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("")}`;

// The running mean of the last points.
function smoothed(values, span) {
  const mean = new Float32Array(values.length);
  let sum = 0;
  for (let k = 0; k < values.length; k++) {
    sum += values[k];
    if (k >= span) sum -= values[k - span];
    mean[k] = sum / Math.min(k + 1, span);
  }
  return mean;
}

export class Chart {
  constructor(canvas, { title, dots = false, fromZero = false, logarithmic = false }) {
    Object.assign(this, { canvas, title, dots, fromZero, logarithmic });
    this.xs = this.ys = new Float32Array(0);
    this.interventions = [];
    this.goal = null;
    this.colours = palette();
    this.pointer = null;
    canvas.addEventListener("pointermove", (event) => {
      this.pointer = event.offsetX;
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  set(xs, ys, interventions, goal = null) {
    if (this.logarithmic) ys = ys.map((value) => Math.log10(Math.max(value, LEAST)));
    Object.assign(this, { xs, ys, interventions, goal });
    this.mean = this.dots ? smoothed(ys, 10) : ys;
    const latest = ys.length ? `${this.said(this.mean[ys.length - 1])} at step ${number(xs[xs.length - 1])}` : "nothing yet";
    this.canvas.setAttribute("aria-label", `${this.title}: ${latest}`);
    this.draw();
  }

  said(value) {
    return number(this.logarithmic ? 10 ** value : value, this.logarithmic ? 2 : 3);
  }

  retheme() {
    this.colours = palette();
    this.draw();
  }

  draw() {
    const { context, width, height } = fitted(this.canvas);
    context.clearRect(0, 0, width, height);
    this.paint(context, width, height, this.colours);
  }

  ranges(width, height) {
    const { xs, ys, goal } = this;
    let low = Infinity, high = -Infinity;
    for (const y of ys) {
      if (y < low) low = y;
      if (y > high) high = y;
    }
    if (!ys.length) [low, high] = [0, 1];
    if (goal !== null) [low, high] = [Math.min(low, goal), Math.max(high, goal)];
    if (this.fromZero) low = Math.min(0, low);
    const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 0.5;
    if (!(this.fromZero && low === 0)) low -= margin;
    high += margin;
    const first = 0, last = Math.max(xs.length ? xs[xs.length - 1] : 1, 1);
    const x = (value) => MARGIN.left + ((value - first) / (last - first)) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - ((value - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
    return { low, high, first, last, x, y };
  }

  paint(context, width, height, colours) {
    const { xs, ys, interventions, goal, mean } = this;
    const { low, high, first, last, x, y } = this.ranges(width, height);
    context.font = `11px ${colours.font}`;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const powers = this.logarithmic ? decades(low, high) : [];
    const label = powers.length > 1 ? power : (tick) => (this.logarithmic ? this.said(tick) : short(tick));
    for (const tick of powers.length > 1 ? powers : niceTicks(low, high, 4)) {
      context.strokeStyle = colours.rule;
      context.beginPath();
      context.moveTo(MARGIN.left, Math.round(y(tick)) + 0.5);
      context.lineTo(width - MARGIN.right, Math.round(y(tick)) + 0.5);
      context.stroke();
      context.fillStyle = colours.muted;
      context.fillText(label(tick), MARGIN.left - 6, y(tick));
    }
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (const tick of niceTicks(first, last, Math.max(2, Math.floor(width / 130)))) {
      if (x(tick) < width - 18) context.fillText(short(tick), x(tick), height - 5);
    }
    if (goal !== null) {
      context.strokeStyle = ink(colours.born, 0.8);
      context.setLineDash([5, 5]);
      context.beginPath();
      context.moveTo(MARGIN.left, y(goal));
      context.lineTo(width - MARGIN.right, y(goal));
      context.stroke();
      context.setLineDash([]);
    }
    this.paintInterventions(context, height, colours, x, last);
    if (this.dots) {
      context.fillStyle = ink(colours.direct, 0.45);
      for (let k = 0; k < xs.length; k++) {
        context.beginPath();
        context.arc(x(xs[k]), y(ys[k]), 2.2, 0, 7);
        context.fill();
      }
    }
    if (xs.length > 1) {
      context.strokeStyle = this.dots ? colours.warm : ink(colours.direct);
      context.lineWidth = 2;
      context.lineJoin = "round";
      context.beginPath();
      for (let k = 0; k < xs.length; k++) context.lineTo(x(xs[k]), y(mean[k]));
      context.stroke();
    }
    if (this.pointer !== null && xs.length) this.paintPointer(context, width, height, colours, x, y);
  }

  paintInterventions(context, height, colours, x, last) {
    const signs = { cut: "✂", kill: "×", hurt: "×", swap: "⇄", turn: "↻" };
    context.textAlign = "center";
    for (const { step, kind } of this.interventions) {
      if (step > last) continue;
      context.strokeStyle = ink(colours.died, 0.6);
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(Math.round(x(step)) + 0.5, MARGIN.top);
      context.lineTo(Math.round(x(step)) + 0.5, height - MARGIN.bottom);
      context.stroke();
      context.fillStyle = ink(colours.died);
      context.fillText(signs[kind] ?? "•", x(step), MARGIN.top - 4);
    }
  }

  paintPointer(context, width, height, colours, x, y) {
    const { xs, ys } = this;
    let nearest = 0;
    for (let k = 1; k < xs.length; k++) if (Math.abs(x(xs[k]) - this.pointer) < Math.abs(x(xs[nearest]) - this.pointer)) nearest = k;
    const done = this.interventions.find(({ step }) => Math.abs(x(step) - this.pointer) < 6);
    const text = done ? `${done.label}, step ${number(done.step)}` : `${this.said(ys[nearest])} at step ${number(xs[nearest])}`;
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.beginPath();
    context.arc(x(xs[nearest]), y(ys[nearest]), 4, 0, 7);
    context.stroke();
    context.font = `12px ${colours.font}`;
    const room = context.measureText(text).width + 14;
    const left = Math.max(2, Math.min(this.pointer - room / 2, width - room - 2));
    context.fillStyle = colours.ink;
    context.beginPath();
    context.roundRect(left, 0, room, 20, 6);
    context.fill();
    context.fillStyle = colours.paper;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(text, left + 7, 10.5);
  }
}

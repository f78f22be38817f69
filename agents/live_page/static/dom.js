// Small helpers for elements, numbers and colours.

export const by = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en").replace(/,/g, "\u202f").replace("-", "−");
  if (size >= 100) return value.toFixed(Math.max(0, digits - 3)).replace("-", "−");
  if (size !== 0 && size < 0.001) return value.toExponential(1).replace("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}

export const percent = (share) => `${Math.round(100 * share)}\u202f%`;

export const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// The palette as the style sheet has it now; canvases ask again when the theme changes.
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const plain = (name) => style.getPropertyValue(`--${name}`).trim();
  const rgb = (name) => plain(`${name}-rgb`).split(/\s+/).map(Number);
  return {
    ink: plain("ink"), muted: plain("muted"), rule: plain("rule"), well: plain("well"), card: plain("card"), paper: plain("paper"),
    accent: plain("accent"), warm: plain("amber"), good: plain("good"), bad: plain("bad"),
    amber: rgb("amber"), rest: rgb("rest"), direct: rgb("direct"), complement: rgb("complement"), onward: rgb("onward"),
    born: rgb("born"), died: rgb("died"),
    font: getComputedStyle(document.body).fontFamily,
  };
}

export const ink = ([r, g, b], alpha = 1) => `rgba(${r},${g},${b},${alpha})`;
export const mix = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));

// Fit a canvas to its box on the screen, sharp on any display; returns its context and its size in CSS pixels.
export function fitted(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth)), height = Math.max(1, Math.round(canvas.clientHeight));
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

// Where the neurons of a network stand in a box, and which neuron or connection is near a point.

const ROW = 15, COLUMN = 30;

// Columns of hidden neurons: as few as there is room for, every other one half a row lower.
function columnsFor(count, height) {
  const rows = Math.max(4, Math.floor(height / ROW));
  return Math.max(1, Math.ceil(count / rows));
}

export function places(net, width, height) {
  const last = net.layers.length - 1;
  const narrow = width < 520;
  const left = narrow ? 92 : 112, right = width - (narrow ? 82 : 112), top = 16, bottom = height - 16;
  const x = new Float32Array(net.size), y = new Float32Array(net.size), radius = new Float32Array(net.size);
  const step = (right - left) / Math.max(1, last);
  net.layers.forEach((layer, depth) => {
    const ids = layer.kind === "input" ? paired(layer.ids, net) : layer.ids;
    const columns = layer.kind === "hidden" ? columnsFor(ids.length, bottom - top) : 1;
    const rows = Math.ceil(ids.length / columns);
    const room = Math.min(layer.kind === "output" ? 90 : 52, (bottom - top) / Math.max(1, rows));
    const gap = Math.min(COLUMN, (step * 1.1) / columns);
    const start = (top + bottom) / 2 - (room * (rows - 1)) / 2;
    ids.forEach((id, k) => {
      const column = k % columns, row = Math.floor(k / columns);
      x[id] = left + depth * step + (column - (columns - 1) / 2) * gap;
      y[id] = start + row * room + (columns > 1 ? ((column % 2) - 0.5) * room * 0.5 : 0);
      radius[id] = Math.max(2.5, Math.min(layer.kind === "output" ? 13 : 9, room * 0.42, columns > 1 ? gap * 0.42 : 99));
    });
  });
  return { x, y, radius, left, right, room: (id) => radius[id] / 0.42 };
}

// Each value and its complement side by side.
function paired(ids, net) {
  const complements = new Set(net.complements);
  const direct = ids.filter((id) => !complements.has(id)), rails = ids.filter((id) => complements.has(id));
  if (direct.length !== rails.length) return [...direct, ...rails];
  return direct.flatMap((id, k) => [id, rails[k]]);
}

// A connection is a curve that leaves and arrives level: x(t) = x0 + dx (1.5 t − 1.5 t² + t³), y(t) = y0 + dy (3 t² − 2 t³).
export function heightAt(x0, y0, x1, y1, x) {
  const aim = (x - x0) / (x1 - x0);
  if (!(aim >= 0 && aim <= 1)) return NaN;
  let low = 0, high = 1;
  for (let k = 0; k < 14; k++) {
    const t = (low + high) / 2;
    if (t * (1.5 + t * (t - 1.5)) < aim) low = t;
    else high = t;
  }
  const t = (low + high) / 2;
  return y0 + (y1 - y0) * t * t * (3 - 2 * t);
}

export function neuronNear(net, at, x, y) {
  let best = -1, least = Infinity;
  for (const layer of net.layers) {
    for (const id of layer.ids) {
      const distance = Math.hypot(at.x[id] - x, at.y[id] - y) - at.radius[id];
      if (distance < Math.min(least, 4)) [best, least] = [id, distance];
    }
  }
  return best;
}

export function connectionNear(net, at, strengths, x, y) {
  let best = -1, least = 6;
  for (let c = 0; c < net.source.length; c++) {
    if (!strengths[c]) continue;
    const i = net.source[c], j = net.target[c];
    const above = heightAt(at.x[i], at.y[i], at.x[j], at.y[j], x);
    if (!(Math.abs(above - y) < 30)) continue;
    const slope = (heightAt(at.x[i], at.y[i], at.x[j], at.y[j], Math.min(x + 1, at.x[j])) - above) || 0;
    // Among lines as near as each other the strong one is meant.
    const distance = Math.abs(above - y) / Math.hypot(1, slope) - Math.min(2.5, 2 * net.relative(c, strengths[c]) * 0.5);
    if (distance < least) [best, least] = [c, distance];
  }
  return best;
}

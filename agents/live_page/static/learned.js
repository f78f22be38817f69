// What the agent would do now: the probability of every action and what it is worth; and what followed what was done by hand.

import { make, number, percent, setText } from "./dom.js";

const MOST_ACTIONS = 12;

export class Learned {
  constructor(box) {
    this.box = box;
    this.key = null;
  }

  setActions(actions) {
    const key = actions.join("|");
    if (key === this.key) return;
    this.key = key;
    this.rows = actions.slice(0, MOST_ACTIONS).map((name) => {
      const fill = make("i"), share = make("span"), worth = make("span", { class: "worth" });
      const row = make("div", { class: "action" }, make("span", { class: "name" }, name), share, make("span", { class: "bar" }, fill), worth);
      return { row, fill, share, worth };
    });
    this.value = make("p", { class: "state-value" });
    const more = actions.length > MOST_ACTIONS ? [make("p", { class: "muted" }, `… and ${actions.length - MOST_ACTIONS} more`)] : [];
    this.box.replaceChildren(make("div", { class: "actions" }, ...this.rows.map(({ row }) => row)), ...more, this.value);
  }

  update(policy, values) {
    const best = Math.max(...policy);
    const perAction = values.length === policy.length;
    this.rows?.forEach(({ row, fill, share, worth }, k) => {
      fill.style.transform = `scaleX(${policy[k] ?? 0})`;
      setText(share, percent(policy[k] ?? 0));
      setText(worth, perAction ? `worth ${number(values[k], 4)}` : "");
      row.classList.toggle("best", policy[k] === best);
    });
    if (this.value) setText(this.value, perAction ? "" : `This moment is worth ${number(values[0], 4)}.`);
  }
}

export class Followed {
  constructor(box) {
    this.box = box;
    this.event = null;
  }

  clear() {
    this.event = null;
    this.box.replaceChildren(make("p", { class: "muted" }, "Do something to the agent or to its world: how it was before, and what followed, stands here."));
  }

  show(event, actions) {
    this.event = event;
    const parts = [make("p", { class: "followed-title" }, event.sentence)];
    if (event.before) parts.push(this.table(event, actions));
    this.before = make("td", {}, number(event.mean_return ?? null));
    this.since = make("td", {}, "–");
    this.count = make("p", { class: "caption" }, "Let it run, and see what becomes of its return.");
    const body = make("tbody", {}, make("tr", {}, make("th", { scope: "row" }, "Mean return"), this.before, this.since));
    parts.push(make("table", { class: "before-after" }, head("", "before", "since"), body), this.count);
    this.box.replaceChildren(...parts);
  }

  table(event, actions) {
    const rows = actions.slice(0, MOST_ACTIONS).map((name, k) => {
      const change = event.after[k] - event.before[k];
      const way = Math.abs(change) < 0.005 ? "" : change > 0 ? "up" : "down";
      return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, percent(event.before[k])), make("td", { class: way }, percent(event.after[k])));
    });
    return make("table", { class: "before-after" }, head("At this moment", "before", "now"), make("tbody", {}, ...rows));
  }

  // The returns since then, as far as the history tells.
  follow(steps, returns) {
    if (!this.event) return;
    let sum = 0, count = 0;
    for (let k = steps.length - 1; k >= 0 && steps[k] > this.event.step; k--) {
      sum += returns[k];
      count += 1;
    }
    if (!count) return;
    const mean = sum / count, before = this.event.mean_return;
    setText(this.since, number(mean));
    const scale = Math.max(1, Math.abs(before ?? 0)) * 0.05;
    this.since.className = before === null || Math.abs(mean - before) < scale ? "" : mean > before ? "up" : "down";
    setText(this.count, count === 1 ? "One episode since." : `${count} episodes since.`);
  }
}

const head = (...names) => make("thead", {}, make("tr", {}, ...names.map((name) => (name ? make("th", { scope: "col" }, name) : make("td")))));

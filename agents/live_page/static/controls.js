// Buttons, sliders and fields: what each of them says to the server, and how they show what the server says.

import { by, make, number, percent, setText } from "./dom.js";
import { remember, remembered } from "./tour.js";

const GRACE_MS = 1000;
const THEMES = { auto: "automatic", light: "light", dark: "dark" };

export class Controls {
  constructor(page, settings) {
    this.page = page;
    const send = (command) => page.send(command);
    by("run").addEventListener("click", () => send({ do: page.state?.running ? "pause" : "run" }));
    by("step").addEventListener("click", () => send({ do: "step" }));
    for (const input of document.getElementsByName("speed")) {
      input.addEventListener("change", () => {
        this.speedChosen = performance.now();
        send({ do: "speed", speed: input.value });
      });
    }
    for (const input of document.getElementsByName("shown")) input.addEventListener("change", () => send({ do: "show", network: input.value }));
    const share = by("share-lost");
    share.addEventListener("input", () => setText(by("share-text"), percent(share.value / 100)));
    by("hurt-neurons").addEventListener("click", () => send({ do: "hurt", what: "neurons", share: share.value / 100 }));
    by("hurt-connections").addEventListener("click", () => send({ do: "hurt", what: "connections", share: share.value / 100 }));
    by("swap").addEventListener("click", () => send({ do: "swap", on: !page.state?.swapped }));
    by("hidden-count").replaceChildren(...settings.hidden.map((count) => make("option", { value: String(count) }, String(count))));
    by("hidden-count").value = "32";
    by("mode").addEventListener("change", () => (by("hidden-count").disabled = by("mode").value === "live" || this.page.state?.has_cells));
    by("reset").addEventListener("click", () => this.reset());
    by("save").addEventListener("click", () => this.save());
    by("load").addEventListener("click", () => by("file").click());
    by("file").addEventListener("change", () => this.load(by("file").files[0]));
    document.addEventListener("keydown", (event) => this.key(event));
    this.startTheme();
  }

  // Space runs and pauses, wherever it means nothing else.
  key(event) {
    const isFree = event.target === document.body || event.target.tagName === "CANVAS";
    if (event.key === " " && isFree && !event.repeat) {
      event.preventDefault();
      by("run").click();
    }
  }

  reset() {
    const seed = Number(by("seed").value);
    if (!Number.isInteger(seed) || seed < 0 || seed > 4294967295) {
      this.page.say("A seed is a whole number from 0 to 4294967295.");
      return;
    }
    const command = { do: "reset", mode: by("mode").value, seed };
    if (command.mode === "rehearsal" && !by("hidden-count").disabled) command.hidden = Number(by("hidden-count").value);
    this.page.send(command);
  }

  // -- files --------------------------------------------------------------------------------------------------------

  async save() {
    by("save").disabled = true;
    try {
      const response = await fetch("save");
      if (!response.ok) throw new Error(await response.text());
      const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? "agent.dynlive";
      const address = URL.createObjectURL(await response.blob());
      make("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      this.page.say(`Saved as ${name}. “dynlive live ${name}” goes on with it.`);
    } catch (error) {
      this.page.say(error.message || "It could not be saved.");
    } finally {
      by("save").disabled = false;
    }
  }

  async load(file) {
    if (!file) return;
    by("load").disabled = true;
    try {
      const response = await fetch("load", { method: "POST", body: file });
      const { error } = response.ok ? await response.json() : { error: "The file is too large." };
      if (error) this.page.say(error);
    } catch {
      this.page.say("The file could not be sent.");
    } finally {
      by("load").disabled = false;
      by("file").value = "";
    }
  }

  // -- the theme ----------------------------------------------------------------------------------------------------

  startTheme() {
    const names = Object.keys(THEMES);
    this.setTheme(names.includes(remembered("theme")) ? remembered("theme") : "auto");
    by("theme").addEventListener("click", () => this.setTheme(names[(names.indexOf(this.theme) + 1) % names.length]));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.page.retheme());
  }

  setTheme(theme) {
    this.theme = theme;
    remember("theme", theme);
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    setText(by("theme-name"), `Theme: ${THEMES[theme]}`);
    this.page.retheme();
  }

  // -- what the server says -----------------------------------------------------------------------------------------

  update(state) {
    const ready = state.status === "ready" || state.status === "stopped";
    for (const id of ["run", "step", "reset", "save", "share", "swap"]) by(id).disabled = !ready;
    setText(by("run-text"), state.running ? "Pause" : "Run");
    by("run-shape").setAttribute("d", state.running ? "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z" : "M4 2.5v11l9-5.5z");
    // What was just chosen is not taken back by news from before.
    if (performance.now() - (this.speedChosen ?? -Infinity) > GRACE_MS) check("speed", state.speed);
    if (!state.world) return;
    setText(by("world-title"), state.world.title);
    setText(by("about"), state.world.about);
    by("swap").disabled = !ready || !state.can_swap;
    by("swap").setAttribute("aria-pressed", String(state.swapped));
    setText(by("swap"), state.swapped ? "Actions are swapped" : "Swap actions");
    by("no-hurt").hidden = state.can_hurt;
    by("hurt-controls").hidden = !state.can_hurt;
    by("shown").hidden = by("tool").hidden = !state.can_hurt;
    this.updateAgent(state);
    this.updateHandles(state.handles);
  }

  updateAgent(state) {
    const key = [state.world.id, state.mode, state.seed, state.hidden].join();
    if (key === this.agentKey) return; // what is being filled in stays
    this.agentKey = key;
    by("mode").value = state.mode;
    by("seed").value = state.seed;
    by("hidden-count").disabled = state.hidden === null;
    if (state.hidden !== null) by("hidden-count").value = String(state.hidden);
  }

  updateHandles(handles) {
    const key = handles.map(({ name, label }) => name + label).join();
    if (key !== this.handleKey) {
      this.handleKey = key;
      this.handles = new Map();
      by("handles").replaceChildren(...handles.map((handle) => this.makeHandle(handle)));
    }
    for (const handle of handles) this.handles.get(handle.name)(handle);
  }

  makeHandle({ name, label, unit, low, high, step }) {
    const send = (command) => this.page.send({ name, ...command });
    const id = `handle-${name}`;
    if (low === 0 && high === 1 && step === 1) {
      const box = make("input", { type: "checkbox", id, onchange: () => send({ do: "turn", value: Number(box.checked) }) });
      this.handles.set(name, ({ value }) => (box.checked = value > 0.5));
      return make("div", { class: "handle switch" }, make("label", {}, box, label));
    }
    const slider = make("input", { type: "range", id, min: low, max: high, step });
    const text = make("span", { class: "value" });
    const back = make("button", { type: "button", class: "quiet", "aria-label": `${label}: as it was`, onclick: () => send({ do: "release" }) }, "Reset");
    const show = (value) => {
      setText(text, `${number(value)} ${unit}`);
      slider.setAttribute("aria-valuetext", `${number(value)} ${unit}`);
    };
    let held = 0;
    slider.addEventListener("input", () => {
      held = performance.now();
      show(Number(slider.value));
    });
    slider.addEventListener("change", () => send({ do: "turn", value: Number(slider.value) }));
    this.handles.set(name, ({ value }) => {
      if (performance.now() - held < GRACE_MS) return; // a hand is on it
      slider.value = value;
      show(value);
    });
    return make("div", { class: "handle" }, make("div", { class: "line" }, make("label", { for: id }, label), text, back), slider);
  }
}

function check(name, value) {
  for (const input of document.getElementsByName(name)) input.checked = input.value === value;
}

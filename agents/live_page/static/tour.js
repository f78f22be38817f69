// The guided tour: six steps, each done by doing; the page notices.

import { by, calm, number, setText } from "./dom.js";

const HOME = "CartPole-v1", ENOUGH = 200;

// What stands in every step: a card to look at, what to say, a button that does it, and how the page knows that it is done.
const STEPS = [
  {
    title: "A pole that falls",
    card: "world-card",
    text: "This agent has learned nothing yet. It is told four numbers: where the cart is, how fast it moves, the pole's angle and how fast that turns. It pushes to the left or to the right. Let it run, and watch it fail.",
    action: "Run",
    act: (page) => { page.send({ do: "speed", speed: "real" }); page.send({ do: "run" }); },
    done: (page) => page.frame && page.frame.episodes >= 1 && page.state.running,
    progress: (page) => (page.frame?.episodes ? "It falls, as long as the agent knows nothing." : page.state?.running ? "Wait for the pole to fall." : ""),
  },
  {
    title: "Let it learn",
    card: "returns-card",
    text: `Now as fast as it can. Every dot in the curve is one episode: the longer the pole stayed up, the higher. Wait until the mean of the last ten is above ${ENOUGH}; it takes some seconds.`,
    action: "Full speed",
    act: (page) => { page.send({ do: "speed", speed: "full" }); page.send({ do: "run" }); },
    done: (page) => (page.frame?.mean_return ?? 0) >= ENOUGH,
    progress: (page) => `Mean of the last ten episodes: ${number(page.frame?.mean_return ?? null)} of ${ENOUGH}`,
  },
  {
    title: "Look inside",
    card: "network-card",
    text: "Every disc is a neuron; the brighter, the more it says. Every line is a connection, as wide as its strength: how much one neuron listens to another. A neuron's strengths add up to 1. Point at one in the middle.",
    action: "Choose one",
    act: (page) => page.selectAny(),
    done: (page) => page.seen.neuron,
    progress: () => "",
  },
  {
    title: "Cut a connection",
    card: "network-card",
    text: "Point at a line and click: it is gone, and its part is shared among the neuron's other connections. “What followed” tells what the agent thought of this moment before, and what it thinks now.",
    action: "Cut a strong one",
    act: (page) => page.cutStrongest(),
    done: (page) => page.seen.cut,
    progress: () => "",
  },
  {
    title: "Hurt it badly",
    card: "hurt-card",
    text: "One connection is little. Kill half of the neurons. If the return falls, watch it come back: what is left goes on learning.",
    action: "Kill half of them",
    act: (page) => page.send({ do: "hurt", what: "neurons", share: 0.5 }),
    done: (page) => page.seen.hurt,
    progress: (page) => (page.seen.hurt ? `Mean of the last ten episodes: ${number(page.frame?.mean_return ?? null)}` : ""),
  },
  {
    title: "Turn the world around",
    card: "change-card",
    text: "Swap the actions: left is right now, and all it knows is wrong. The return collapses. Soon the agent notices that this is another world, and learns again.",
    action: "Swap the actions",
    act: (page) => page.send({ do: "swap", on: true }),
    done: (page) => page.seen.swap,
    progress: (page) => (page.seen.swap ? `Mean of the last ten episodes: ${number(page.frame?.mean_return ?? null)}. That was the tour; other worlds are in the gallery.` : ""),
  },
];

export class Tour {
  constructor(page) {
    this.page = page;
    this.at = -1;
    this.box = by("tour");
    by("open-tour").addEventListener("click", () => this.open());
    by("tour-close").addEventListener("click", () => this.close());
    by("tour-back").addEventListener("click", () => this.go(this.at - 1));
    by("tour-next").addEventListener("click", () => (this.at + 1 < STEPS.length ? this.go(this.at + 1) : this.close()));
    by("tour-do").addEventListener("click", () => this.act());
    this.box.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  get isOpen() {
    return this.at >= 0;
  }

  // On the very first visit the tour offers itself; whoever closed it finds it in the header.
  offer() {
    if (remembered("tour") !== "seen") this.open(false);
  }

  open(withFocus = true) {
    this.go(0, withFocus);
  }

  close() {
    remember("tour", "seen");
    this.light(null);
    document.body.classList.remove("touring");
    this.at = -1;
    this.box.hidden = true;
    by("open-tour").focus({ preventScroll: true });
  }

  go(step, withFocus = true) {
    if (step < 0) return;
    this.at = step;
    this.wasDone = false;
    const { title, text, card } = STEPS[step];
    document.body.classList.add("touring");
    this.page.view.select(-1);
    this.box.hidden = false;
    setText(by("tour-count"), `Step ${step + 1} of ${STEPS.length}`);
    setText(by("tour-heading"), title);
    setText(by("tour-text"), text);
    by("tour-back").disabled = step === 0;
    setText(by("tour-next"), step + 1 < STEPS.length ? "Next" : "Finish");
    this.light(card);
    if (step > 0 || withFocus) by(card).scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
    if (withFocus) by("tour-do").focus({ preventScroll: true });
    this.update();
  }

  light(card) {
    document.querySelector(".card.lit")?.classList.remove("lit");
    if (card) by(card).classList.add("lit");
  }

  // The tour is told of the cart and the pole: elsewhere it first goes there.
  get isHome() {
    const { state } = this.page;
    return state?.world?.id === HOME && state.mode === "rehearsal";
  }

  act() {
    if (!this.isHome) this.page.send({ do: "reset", world: HOME, mode: "rehearsal" });
    else STEPS[this.at].act(this.page);
  }

  update() {
    if (!this.isOpen) return;
    const { action, done, progress } = STEPS[this.at];
    const ready = this.page.state?.status === "ready";
    by("tour-do").disabled = !ready;
    setText(by("tour-do"), this.isHome || !ready ? action : "Go to the cart and the pole");
    const isDone = ready && this.isHome && Boolean(done(this.page));
    if (isDone && !this.wasDone) this.wasDone = true;
    const says = !ready || !this.isHome ? "" : progress(this.page);
    setText(by("tour-progress"), this.wasDone ? `✓ ${says || "Done."}` : says);
    by("tour-progress").classList.toggle("done", this.wasDone);
    by("tour-next").classList.toggle("primary", this.wasDone);
    by("tour-do").classList.toggle("primary", !this.wasDone);
  }
}

export function remembered(name) {
  try {
    return localStorage.getItem(`dynlive-${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`dynlive-${name}`, value);
  } catch {
    // Without storage the page forgets, and works all the same.
  }
}

// The page: what comes from the server goes to its parts, and what its parts want goes to the server.

import { Chart } from "./charts.js";
import { Controls } from "./controls.js";
import { by, calm, number, setText } from "./dom.js";
import { Gallery } from "./gallery.js";
import { Inspector } from "./inspector.js";
import { Followed, Learned } from "./learned.js";
import { Link } from "./link.js";
import { NetworkView, networkOf } from "./network.js";
import { Share } from "./share.js";
import { Tour } from "./tour.js";

const SAID_MS = 5000, SLOWLY_MS = 250, WORTH_SAYING_MS = 700;

const WORDS = {
  starting: "Starting …", compiling: "Compiling …", ready: "Paused", stopped: "Stopped", failed: "There is no agent",
  gone: "The learner has ended",
};

class Page {
  constructor(settings) {
    this.state = this.frame = null;
    this.seen = {};
    this.frames = 0;
    this.pending = null;
    this.lastPaint = 0;
    this.charts = {
      returns: new Chart(by("chart-returns"), { title: "Return of the last episodes", dots: true }),
      td: new Chart(by("chart-td"), { title: "Mean square TD error", logarithmic: true }),
      connections: new Chart(by("chart-connections"), { title: "Connections", fromZero: true }),
      rate: new Chart(by("chart-rate"), { title: "Steps per second", fromZero: true }),
    };
    const cut = (source, neuron) => this.send({ do: "cut", source, neuron });
    const kill = (neuron) => this.send({ do: "kill", neuron });
    const notice = () => { this.seen.neuron = true; this.tour.update(); };
    this.view = new NetworkView(by("net"), by("tip"), {
      onCut: (c) => this.state?.can_hurt && cut(this.view.net.source[c], this.view.net.target[c]),
      onKill: kill,
      onSelect: (id) => { this.inspector.select(id); if (id >= 0) notice(); },
      onHover: (id) => this.view.net.kind[id] === 2 && notice(),
    });
    for (const input of document.getElementsByName("tool")) input.addEventListener("change", () => (this.view.tool = input.value));
    this.inspector = new Inspector(this.view, { onCut: cut, onKill: kill, onSelect: notice });
    this.learned = new Learned(by("learned"));
    this.followed = new Followed(by("followed"));
    this.controls = new Controls(this, settings);
    this.gallery = new Gallery(settings.worlds, (world) => this.send({ do: "reset", world }));
    this.share = new Share(() => ({ view: this.view, chart: this.charts.returns, picture: by("picture"), state: this.state ?? {}, frame: this.frame }));
    this.tour = new Tour(this);
    by("reconnect").addEventListener("click", () => this.link.retry());
    this.link = new Link((header, parts) => this.receive(header, parts), (line) => this.changeLine(line));
    this.tour.offer();
  }

  send(command) {
    if (!this.link.send(command)) this.say("There is no connection just now.");
  }

  say(sentence) {
    const said = by("said");
    said.classList.remove("fading");
    setText(said, sentence);
    clearTimeout(this.saidTimer);
    this.saidTimer = setTimeout(() => {
      said.classList.add("fading");
      this.saidTimer = setTimeout(() => setText(said, ""), 400);
    }, SAID_MS);
  }

  retheme() {
    this.view?.retheme();
    for (const chart of Object.values(this.charts)) chart.retheme();
  }

  // -- the line -----------------------------------------------------------------------------------------------------

  changeLine({ up, tries, wait }) {
    this.up = up;
    by("reconnect").hidden = up || tries < 2;
    if (up) this.showStatus();
    else {
      setText(by("status-text"), tries < 2 ? "Connection lost; trying again …" : `No connection; next try in ${Math.max(1, Math.round(wait / 1000))} s`);
      by("status").dataset.kind = "lost";
      this.showNotice(tries >= 3 ? "The page cannot reach its server. If it has ended, start “dynlive live” again and open the address it prints." : "", "bad");
    }
  }

  showStatus() {
    const { status, running, sentence } = this.state ?? { status: "starting" };
    setText(by("status-text"), status === "ready" && running ? "Learning" : (WORDS[status] ?? status));
    by("status").dataset.kind = running ? "running" : { ready: "paused", starting: "busy", compiling: "busy" }[status] ?? "failed";
    clearTimeout(this.noticeTimer);
    if (status === "compiling" || status === "starting") {
      this.noticeTimer = setTimeout(() => this.showNotice("The kernels are being compiled once, which takes a minute or so; from then on they start in a moment."), WORTH_SAYING_MS * 4);
    } else this.showNotice(sentence, "bad");
  }

  showNotice(text, kind = "") {
    by("notice").hidden = !text;
    by("notice").dataset.kind = kind;
    setText(by("notice"), text ?? "");
  }

  // -- what comes in ------------------------------------------------------------------------------------------------

  receive(header, parts) {
    ({ state: this.takeState, network: this.takeNetwork, history: this.takeHistory, event: this.takeEvent, frame: this.takeFrame })[header.kind].call(this, header, parts);
  }

  takeState(state) {
    this.state = state;
    if (this.up) this.showStatus();
    this.controls.update(state);
    if (state.world) {
      this.gallery.setWorld(state.world.id);
      this.learned.setActions(state.actions);
      document.title = `${state.world.title} · DynLive`;
      by("sorry").hidden = !state.sorry;
      setText(by("sorry"), state.sorry);
      if (state.sorry) by("picture").hidden = by("picture-text").hidden = true;
    }
    this.tour.update();
  }

  takeNetwork(header, parts) {
    const net = networkOf(header, parts);
    this.view.setNetwork(net);
    this.inspector.setNetwork(net, this.state?.can_hurt ?? true);
    for (const input of document.getElementsByName("shown")) input.checked = input.value === header.shown;
    by("net").setAttribute("aria-label", `The network: ${net.layers.map(({ kind, size }) => `${size} ${kind}`).join(", ")} neurons. “Look at”, below, tells of every neuron in words.`);
  }

  takeHistory(header, parts) {
    const { charts } = this, done = header.interventions, steps = parts.sample_steps;
    charts.returns.set(parts.episode_steps, parts.returns, done, this.state?.world?.goal ?? null);
    charts.td.set(steps, parts.td_error, done);
    charts.connections.set(steps, parts.connections, done);
    charts.rate.set(steps, parts.steps_per_second, done);
    this.followed.follow(parts.episode_steps, parts.returns);
  }

  takeEvent(event) {
    this.say(event.sentence);
    if (event.event === "begun") {
      this.view.restart();
      this.followed.clear();
      this.seen = {};
    } else if (event.event !== "error") {
      this.seen[event.event] = true;
      this.followed.show(event, this.state?.actions ?? []);
    }
    this.tour.update();
  }

  takeFrame(frame, parts) {
    this.frame = frame;
    if (this.view.net?.version === frame.version) this.view.update(parts.activity, parts.strength);
    if (parts.picture) this.showPicture(parts.picture);
    else if (frame.text) this.showText(frame.text);
    if (!this.pending) this.pending = requestAnimationFrame(() => this.paint());
  }

  // -- what is shown ------------------------------------------------------------------------------------------------

  // One picture is decoded at a time, and the newest one in any case.
  async showPicture(bytes) {
    this.nextPicture = bytes;
    if (this.decoding) return;
    this.decoding = true;
    while (this.nextPicture) {
      const picture = new Blob([this.nextPicture], { type: "image/jpeg" });
      this.nextPicture = null;
      this.drawPicture(await createImageBitmap(picture));
      if (calm.matches) await new Promise((resolve) => setTimeout(resolve, SLOWLY_MS));
    }
    this.decoding = false;
  }

  drawPicture(image) {
    const canvas = by("picture");
    canvas.hidden = false;
    by("picture-text").hidden = true;
    if (canvas.width !== image.width || canvas.height !== image.height) [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext("2d").drawImage(image, 0, 0);
    image.close();
  }

  showText(text) {
    by("picture").hidden = true;
    by("picture-text").hidden = false;
    setText(by("picture-text"), text);
  }

  paint() {
    this.pending = null;
    const now = performance.now();
    if (calm.matches && now - this.lastPaint < SLOWLY_MS) {
      this.pending = setTimeout(() => this.paint(), SLOWLY_MS);
      return;
    }
    this.view.draw();
    if (this.frame !== this.painted) this.showFigures();
    this.painted = this.frame;
    this.lastPaint = now;
    // Births and deaths fade on their own, whether or not a frame comes.
    if (this.view.isAnimated && !calm.matches) this.pending = requestAnimationFrame(() => this.paint());
  }

  showFigures() {
    const { frame, view } = this;
    this.frames += 1;
    document.body.dataset.frames = this.frames;
    setText(by("figure-step"), number(frame.step));
    setText(by("figure-episodes"), number(frame.episodes));
    setText(by("figure-mean"), number(frame.mean_return));
    setText(by("figure-rate"), frame.rate ? number(frame.rate) : "–");
    setText(by("figure-return"), number(frame.return));
    const alive = view.strengths?.reduce((count, strength) => count + (strength > 0), 0) ?? 0;
    setText(by("figure-connections"), number(alive));
    setText(by("figure-allowed"), `of ${number(view.strengths?.length ?? 0)} connections`);
    setText(by("figure-born"), number(view.born));
    setText(by("figure-died"), number(view.died));
    this.learned.update(frame.policy, frame.values);
    this.slowly ??= setTimeout(() => {
      this.slowly = undefined;
      this.inspector.update();
      this.tour.update();
    }, SLOWLY_MS);
  }

  // -- what the tour does for who cannot, or does not want to -------------------------------------------------------

  selectAny() {
    const hidden = this.view.net?.layers.find(({ kind }) => kind === "hidden")?.ids ?? [];
    const alive = hidden.filter((id) => !this.view.isDead(id));
    if (alive.length) this.view.select(alive[Math.floor(alive.length / 2)]);
  }

  cutStrongest() {
    const { net, strengths } = this.view;
    let best = -1;
    for (let c = 0; c < (strengths?.length ?? 0); c++) {
      if (net.kind[net.source[c]] !== 2 && strengths[c] < 1 && (best < 0 || strengths[c] > strengths[best])) best = c;
    }
    if (best >= 0) this.send({ do: "cut", source: net.source[best], neuron: net.target[best] });
  }
}

const settings = await (await fetch("gallery.json")).json();
window.dynlive = new Page(settings);

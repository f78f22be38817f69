// The gallery of worlds: a drawing, a name and a sentence each.

import { by, make } from "./dom.js";

const LINES = {
  "CartPole-v1": '<path d="M20 66h120"/><rect x="62" y="52" width="36" height="14" rx="3" class="solid"/><path class="warm" stroke-width="5" d="M80 52 92 12"/>',
  "Acrobot-v1": '<path d="M30 18h100" class="cool" stroke-dasharray="5 6"/><path class="warm" stroke-width="5" d="M80 34 62 58 88 74"/><circle cx="80" cy="34" r="4" class="solid"/>',
  "MountainCar-v0": '<path d="M10 20C40 84 64 84 92 58S130 18 150 16"/><path class="cool" d="M140 16V4l10 4-10 4"/><rect x="38" y="48" width="18" height="10" rx="3" class="full"/>',
  "Pendulum-v1": '<circle cx="80" cy="44" r="32" stroke-dasharray="3 7"/><path class="warm" stroke-width="6" d="M80 44 98 18"/><circle cx="80" cy="44" r="4" class="solid"/>',
  "FrozenLake-v1": '<path d="M48 10h64v64H48zM64 10v64M80 10v64M96 10v64M48 26h64M48 42h64M48 58h64"/><circle cx="72" cy="34" r="5" class="solid"/><circle cx="104" cy="34" r="5" class="solid"/><circle cx="56" cy="18" r="4" class="full"/><path class="warm" d="M100 62h8v8h-8z"/>',
  "DynLive/DriftCartPole-v0": '<path class="cool" d="M10 30c24-24 40 24 66 4s40-14 74 4"/><path d="M20 70h120"/><rect x="66" y="58" width="28" height="12" rx="3" class="solid"/><path class="warm" stroke-width="4" d="M80 58 86 30"/>',
  "DynLive/JumpCartPole-v0": '<path d="M14 68h132"/><rect x="28" y="56" width="24" height="12" rx="3" class="solid"/><path class="warm" stroke-width="4" d="M40 56V14"/><rect x="108" y="56" width="24" height="12" rx="3" class="solid"/><path class="warm" stroke-width="4" d="M120 56V40"/><path class="cool" d="M66 48h28m-8-6 8 6-8 6"/>',
  "DynLive/SwapCartPole-v0": '<path class="cool" stroke-width="3" d="M48 30h64m-10-8 10 8-10 8"/><path class="rose" stroke-width="3" d="M112 56H48m10-8-10 8 10 8"/>',
  "DynLive/BlindCartPole-v0": '<path d="M40 44c20-28 60-28 80 0-20 28-60 28-80 0z"/><circle cx="80" cy="44" r="10" class="full"/><path class="rose" stroke-width="3" d="M48 72 112 14"/>',
  "DynLive/RescaledCartPole-v0": '<path d="M24 30h112M24 24v12M136 24v12M52 26v8M80 26v8M108 26v8"/><path class="warm" d="M24 60h52M24 54v12M76 54v12M37 57v6M50 57v6M63 57v6"/>',
  "DynLive/ChangingCartPole-v0": '<circle cx="50" cy="44" r="13" class="cool"/><circle cx="80" cy="44" r="13" class="warm"/><circle cx="110" cy="44" r="13" class="rose"/>',
  "DynLive/Chain-v0": '<path d="M26 44h108"/><circle cx="26" cy="44" r="6" class="solid"/><circle cx="48" cy="44" r="4"/><circle cx="69" cy="44" r="4"/><circle cx="91" cy="44" r="4"/><circle cx="112" cy="44" r="4"/><circle cx="134" cy="44" r="7" class="full"/>',
};

export class Gallery {
  constructor(worlds, onChoose) {
    this.dialog = by("gallery");
    by("open-gallery").addEventListener("click", () => this.open());
    by("gallery-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.buttons = worlds.map((world) => {
      const button = make("button", { type: "button", "data-world": world.id, onclick: () => { this.dialog.close(); onChoose(world.id); } });
      const drawing = new DOMParser().parseFromString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 84" aria-hidden="true">${LINES[world.id] ?? ""}</svg>`, "image/svg+xml").documentElement;
      button.append(document.importNode(drawing, true), make("span", { class: "title" }, world.title), make("span", { class: "about" }, world.about));
      return button;
    });
    by("worlds").replaceChildren(...this.buttons.map((button) => make("li", {}, button)));
  }

  open() {
    this.dialog.showModal();
  }

  setWorld(id) {
    for (const button of this.buttons) {
      if (button.dataset.world === id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}

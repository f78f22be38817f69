// A picture to share: the world, the network and the curve of returns on one card, made on this machine.

import { by, number, palette, setText } from "./dom.js";

const WIDTH = 1200, HEIGHT = 675, EDGE = 36;

function fit(box, width, height) {
  const scale = Math.min(box.width / width, box.height / height);
  return { scale, x: box.x + (box.width - width * scale) / 2, y: box.y + (box.height - height * scale) / 2 };
}

function card(context, box, colours) {
  context.fillStyle = colours.card;
  context.strokeStyle = colours.rule;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 16);
  context.fill();
  context.stroke();
}

export function compose({ view, chart, picture, state, frame }) {
  const colours = palette();
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH * 2;
  canvas.height = HEIGHT * 2;
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = colours.ink;
  context.font = `700 30px ${colours.font}`;
  context.fillText(state.world?.title ?? "", EDGE, 58);
  context.fillStyle = colours.muted;
  context.font = `16px ${colours.font}`;
  const seed = `seed ${state.seed}`, step = `step ${number(frame?.step ?? 0)}`;
  context.fillText(`${state.world?.id} · ${state.mode} · ${seed} · ${step} · mean return ${number(frame?.mean_return ?? null)}`, EDGE, 86);
  context.textAlign = "right";
  context.font = `600 18px ${colours.font}`;
  context.fillText("DynLive", WIDTH - EDGE, 58);
  context.textAlign = "left";

  const left = { x: EDGE, y: 108, width: 410, height: 270 }, below = { x: EDGE, y: 394, width: 410, height: 245 };
  const right = { x: 462, y: 108, width: WIDTH - EDGE - 462, height: 531 };
  for (const box of [left, below, right]) card(context, box, colours);
  const inside = (box, by) => ({ x: box.x + by, y: box.y + by, width: box.width - 2 * by, height: box.height - 2 * by });
  if (!picture.hidden) {
    const place = fit(inside(left, 10), picture.width, picture.height);
    context.drawImage(picture, place.x, place.y, picture.width * place.scale, picture.height * place.scale);
  }
  context.save();
  const curve = inside(below, 12);
  context.translate(curve.x, curve.y);
  chart.paint(context, curve.width, curve.height, colours);
  context.restore();
  if (view.net && view.strengths) {
    const width = view.canvas.clientWidth, height = view.canvas.clientHeight;
    const place = fit(inside(right, 14), width, height);
    context.save();
    context.translate(place.x, place.y);
    context.scale(place.scale, place.scale);
    view.paint(context, colours);
    context.restore();
  }
  return canvas;
}

export class Share {
  constructor(parts) {
    this.dialog = by("share-dialog");
    by("share").addEventListener("click", () => this.open(parts()));
    by("share-close").addEventListener("click", () => this.dialog.close());
    by("share-copy").addEventListener("click", () => this.copy());
    this.dialog.addEventListener("close", () => URL.revokeObjectURL(this.address));
  }

  async open(parts) {
    this.blob = await new Promise((resolve) => compose(parts).toBlob(resolve, "image/png"));
    this.address = URL.createObjectURL(this.blob);
    by("share-image").src = this.address;
    by("share-download").href = this.address;
    setText(by("share-said"), "");
    this.dialog.showModal();
  }

  async copy() {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": this.blob })]);
      setText(by("share-said"), "Copied.");
    } catch {
      setText(by("share-said"), "This browser does not let a page copy pictures: download it.");
    }
  }
}

// The line to the server: unpacks what comes, and when the line is lost tries again, ever more slowly.

const FIRST_WAIT = 400, LONGEST_WAIT = 10000, SILENCE = 4000;
const KINDS = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array };

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let at = 4 + length;
  const parts = {};
  for (const [name, kind, size] of header.parts) {
    const Kind = KINDS[kind];
    parts[name] = new Kind(buffer, at, size / Kind.BYTES_PER_ELEMENT);
    at += size + ((8 - (size % 8)) % 8);
  }
  return { header, parts };
}

export class Link {
  // `receive` gets the header and the parts of every message, `changed` what becomes of the line:
  // {up: true} or {up: false, tries, wait (ms)}.
  constructor(receive, changed) {
    this.receive = receive;
    this.changed = changed;
    this.tries = 0;
    this.heard = 0;
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("online", () => this.retry());
    window.addEventListener("pageshow", (event) => event.persisted && this.retry());
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const address = new URL("live", document.baseURI);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.tries = 0;
      this.changed({ up: true });
      if (document.hidden) this.look();
    };
    socket.onmessage = (event) => {
      this.heard = performance.now();
      const { header, parts } = unpack(event.data);
      this.receive(header, parts);
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      const wait = Math.min(FIRST_WAIT * 2 ** this.tries, LONGEST_WAIT) * (0.85 + 0.3 * Math.random());
      this.tries += 1;
      this.changed({ up: false, tries: this.tries, wait });
      this.timer = setTimeout(() => this.connect(), wait);
    };
  }

  get isUp() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(command) {
    if (this.isUp) this.socket.send(JSON.stringify(command));
    return this.isUp;
  }

  // A page out of sight costs the learner nothing. One that comes back into sight hears at once how things stand:
  // silence means that the line broke while the machine slept.
  look() {
    if (!this.send({ do: "look", on: !document.hidden })) {
      if (!document.hidden) this.retry();
      return;
    }
    if (document.hidden) return;
    const asked = performance.now();
    setTimeout(() => {
      if (this.heard < asked && !document.hidden) this.drop();
    }, SILENCE);
  }

  drop() {
    const socket = this.socket;
    socket.onclose?.();
    socket.onclose = socket.onmessage = null;
    socket.close();
  }

  retry() {
    if (this.timer === undefined) return;
    this.connect();
  }
}

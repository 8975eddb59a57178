// The WebSocket to the server: opened, asked whether it still leads there, lost, opened again. What else is said over it
// is not known here.

import { attempt } from "./guard.js";

const SHORTEST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** How long a socket may take to open. */
const OPENING_MS = 10_000;
/**
 * How long one that is open may then stay silent before it is taken for dead. The first answer is the longest, and a
 * page is not told how much of it has come: over a slow line it may take minutes. So each silent one in a row is given
 * four times as long as the one before.
 */
const FIRST_ANSWER_MS = 10_000;
const LONGEST_FIRST_ANSWER_MS = 640_000;
/** After so long without a word the server is asked whether it is there: sooner than it would ask us. */
const SILENCE_MS = 20_000;
/** A server that says nothing for so long after that is not there any more, whatever the browser thinks. */
const PONG_MS = 5_000;
/** The same where there is a reason to doubt it: somebody looks at the page, or the network has changed. */
const DOUBTED_PONG_MS = 4_000;
/** A socket that does not open for so long is given up for a new one, where there is such a reason. */
const DOUBTED_OPENING_MS = 2_000;
/** How often the time is looked at, and how late that has to be to tell that the machine was asleep. */
const LOOK_MS = 5_000;
const ASLEEP_MS = 10_000;

/** Close codes after which coming back is for the person to decide. */
const LEFT = 1000;
const TAKEN_OVER = 4001;
const KICKED = 4003;
/** How a server that stops says when to come back, in milliseconds; and how long that may be at most. */
const STOPPING = 1001;
const COME_BACK_IN = /come back in (\d{1,6}) ms/;
const LONGEST_ASKED_MS = 60_000;

export class Connection {
  #url;
  #handlers;
  #socket = null;
  /** While a socket is there: until an answer has to come, or is asked for. While none is: until the next attempt. */
  #timer = 0;
  /** Whether a word of the server is waited for. */
  #asking = false;
  /** Since when the answer to a ping is waited for, or the opening of a socket; 0: for neither. */
  #since_ms = 0;
  #retrying = false;
  #failures = 0;
  /** Sockets in a row that opened and were given up before they brought a word. */
  #silent = 0;

  /**
   * @param {string} base the path below which the server is
   * @param {{
   *   opening: () => void,
   *   opened: () => void,
   *   received: (message: object) => void,
   *   lost: (wait_ms: number, code?: number) => void,
   *   left: () => void,
   *   takenOver: (reason: string) => void,
   *   kicked: (reason: string) => void,
   * }} handlers `wait_ms`: how long it is until the next attempt
   */
  constructor(base, handlers) {
    this.#url = webSocketUrl(base);
    this.#handlers = handlers;
    // A phone that was asleep, or that has another network now, is not told that its connections are dead.
    window.addEventListener("online", () => this.check());
    navigator.connection?.addEventListener?.("change", () => this.check());
    window.addEventListener("offline", () => (this.#retrying ? this.#retryLater() : this.lose()));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.check();
    });
    // What the browser has kept of a page that was left is as it was then, without its connections.
    window.addEventListener("pageshow", ({ persisted }) => {
      if (persisted && (this.#socket || this.#retrying)) this.connect();
    });
    watchForSleep(() => this.check());
  }

  /** Opens a new socket in place of any other. */
  connect() {
    this.close();
    const socket = new WebSocket(this.#url, "snugd.v1");
    this.#socket = socket;
    this.#since_ms = performance.now();
    this.#timer = setTimeout(() => this.lose(), OPENING_MS);
    this.#handlers.opening();
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      this.#awaitFirst();
      this.#handlers.opened();
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this.#socket) return;
      this.#heard();
      attempt(() => this.#handlers.received(JSON.parse(event.data)));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#closed(event);
    });
  }

  /** The server has let us in: the next loss begins with the shortest delay again. */
  settle() {
    this.#failures = 0;
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Something has changed: comes back at once, or makes sure of the connection. A first answer has its own time. */
  check() {
    if (this.#retrying) return this.connect();
    if (!this.#socket) return;
    const waited_ms = performance.now() - this.#since_ms;
    if (this.#socket.readyState !== WebSocket.OPEN) {
      if (waited_ms > DOUBTED_OPENING_MS) this.connect();
    } else if (!this.#asking) this.#ask(DOUBTED_PONG_MS);
    else if (this.#since_ms) this.#awaitPong(Math.max(DOUBTED_PONG_MS - waited_ms, 0));
  }

  /** Gives the socket up, if there is one, and comes back with another. */
  lose() {
    if (!this.#socket) return;
    this.close();
    this.#retryLater();
  }

  /** Ends the connection; only `connect` opens another. */
  close() {
    clearTimeout(this.#timer);
    this.#retrying = false;
    this.#asking = false;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #closed({ code, reason }) {
    this.close();
    if (code === LEFT) this.#handlers.left();
    else if (code === TAKEN_OVER) this.#handlers.takenOver(reason);
    else if (code === KICKED) this.#handlers.kicked(reason);
    else this.#retryLater(code, code === STOPPING ? askedDelay(reason) : undefined);
  }

  /** The first answer is on its way: whatever is asked now would wait behind it. */
  #awaitFirst() {
    clearTimeout(this.#timer);
    this.#asking = true;
    this.#since_ms = 0;
    const patience_ms = Math.min(FIRST_ANSWER_MS * 4 ** this.#silent, LONGEST_FIRST_ANSWER_MS);
    this.#timer = setTimeout(() => {
      this.#silent += 1;
      this.lose();
    }, patience_ms);
  }

  /** The server is there. */
  #heard() {
    clearTimeout(this.#timer);
    this.#asking = false;
    this.#silent = 0;
    this.#timer = setTimeout(() => this.#ask(), SILENCE_MS);
  }

  /** Asks the server whether it is there; whatever it says is an answer. */
  #ask(patience_ms = PONG_MS) {
    this.#asking = true;
    this.#since_ms = performance.now();
    this.send({ type: "ping" });
    this.#awaitPong(patience_ms);
  }

  #awaitPong(patience_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.lose(), patience_ms);
  }

  /**
   * Doubling delays, each drawn at random so that a full room does not come back in one instant.
   * @param {number} [asked_ms] the delay that the server has drawn for this page
   */
  #retryLater(code, asked_ms) {
    const ceiling = Math.min(SHORTEST_DELAY_MS * 2 ** this.#failures, LONGEST_DELAY_MS);
    const wait_ms = asked_ms ?? ceiling * (0.5 + Math.random() / 2);
    if (asked_ms === undefined) this.#failures += 1;
    this.#retrying = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), wait_ms);
    this.#handlers.lost(wait_ms, code);
  }
}

/** After how many milliseconds a server that stops wants this page back; undefined: it does not say. */
function askedDelay(reason) {
  const [, asked] = reason.match(COME_BACK_IN) ?? [];
  return asked && Math.min(Number(asked), LONGEST_ASKED_MS);
}

/** A machine that was asleep is told by the time alone. A page out of sight is woken rarely, and looks when it is seen. */
function watchForSleep(awoken) {
  let last_ms = Date.now();
  setInterval(() => {
    const late_ms = Date.now() - last_ms - LOOK_MS;
    last_ms = Date.now();
    if (late_ms > ASLEEP_MS && !document.hidden) awoken();
  }, LOOK_MS);
}

/** `ws:` or `wss:`, as the page itself came. */
function webSocketUrl(base) {
  const url = new URL(`${base}ws`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

// The WebSocket to the server: opened, lost, opened again. What is said over it is not known here.

const SHORTEST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** How long a new connection may stay silent before it is taken for dead. */
const FIRST_ANSWER_MS = 10_000;

/** Close codes after which coming back is for the person to decide. */
const LEFT = 1000;
const TAKEN_OVER = 4001;

export class Connection {
  #url;
  #handlers;
  #socket = null;
  /** Runs until the first answer while a socket is there, until the next attempt while none is. */
  #timer = 0;
  #retrying = false;
  #failures = 0;

  /**
   * @param {URL} url
   * @param {{
   *   opened: () => void,
   *   received: (message: object) => void,
   *   lost: () => void,
   *   left: () => void,
   *   takenOver: () => void,
   * }} handlers
   */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    window.addEventListener("online", () => this.#hurry());
    window.addEventListener("offline", () => this.lose());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#hurry();
    });
  }

  /** Opens a new socket in place of any other. */
  connect() {
    this.close();
    const socket = new WebSocket(this.#url, "snugd.v1");
    this.#socket = socket;
    this.#timer = setTimeout(() => this.lose(), FIRST_ANSWER_MS);
    socket.addEventListener("open", () => {
      if (socket === this.#socket) this.#handlers.opened();
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#timer);
      this.#handlers.received(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#closed(event.code);
    });
  }

  /** The server has let us in: the next loss begins with the shortest delay again. */
  settle() {
    this.#failures = 0;
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
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
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #closed(code) {
    this.close();
    if (code === LEFT) this.#handlers.left();
    else if (code === TAKEN_OVER) this.#handlers.takenOver();
    else this.#retryLater();
  }

  /** Doubling delays, each drawn at random so that a full room does not come back in one instant. */
  #retryLater() {
    const ceiling = Math.min(SHORTEST_DELAY_MS * 2 ** this.#failures, LONGEST_DELAY_MS);
    this.#failures += 1;
    this.#retrying = true;
    this.#timer = setTimeout(() => this.connect(), ceiling * (0.5 + Math.random() / 2));
    this.#handlers.lost();
  }

  #hurry() {
    if (this.#retrying) this.connect();
  }
}

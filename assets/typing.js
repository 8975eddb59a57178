// Who is typing, and telling the others that we are.

import { words } from "./words.js";

/** The server relays no more than one in this time. */
const TELL_EVERY_MS = 3000;
const SHOWN_MS = 4000;

export class Typing {
  #line;
  #tell;
  #told = -Infinity;
  /** Timers that take a name away again, by name. */
  #timers = new Map();

  /**
   * @param {HTMLElement} line
   * @param {() => void} tell
   */
  constructor(line, tell) {
    this.#line = line;
    this.#tell = tell;
  }

  /** We have typed something. */
  typed() {
    if (performance.now() - this.#told < TELL_EVERY_MS) return;
    this.#told = performance.now();
    this.#tell();
  }

  show(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.hide(name), SHOWN_MS));
    this.#update();
  }

  hide(name) {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#update();
  }

  #update() {
    const names = [...this.#timers.keys()].map((name) => `\u2068${name}\u2069`);
    this.#line.textContent = sentence(names);
  }
}

/** The names are isolated, so that none can turn the direction of the rest. */
function sentence(names) {
  switch (names.length) {
    case 0:
      return "";
    case 1:
      return words.typing.one(names[0]);
    case 2:
      return words.typing.two(names[0], names[1]);
    default:
      return words.typing.several;
  }
}

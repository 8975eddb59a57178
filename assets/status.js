// How it stands with the connection, in words, with the ways out where there are some.

import { button, make } from "./elements.js";

/** How often the time that is left is shown anew. */
const TICK_MS = 250;

/** While these last, what is shown may be old; the style sheet is told by `data-stale`. */
const STALE = ["reconnecting", "restarting", "offline"];

/** @typedef {{label: string, run: () => void} | {label: string, href: string}} Way */

export class Status {
  #element;
  #words;
  #detail = make("p", "detail");
  #room;
  #ticking = 0;

  /**
   * @param {HTMLElement} element
   * @param {HTMLElement} room which it is about, and which is told by `data-ended` that it is over for us
   */
  constructor(element, room) {
    this.#element = element;
    this.#words = element.querySelector("p");
    this.#room = room;
    // Who loses the field that he writes in is told why, and does not press a button unawares.
    element.tabIndex = -1;
  }

  /**
   * @param {"open" | "connecting" | "reconnecting" | "restarting" | "offline" | "refused" | "taken-over" | "left" |
   *   "kicked" | "banned" | "locked" | "gone"} state
   * @param {string} words read aloud, once
   * @param {object} [more]
   * @param {string | ((seconds: number) => string)} [more.detail] what is not read aloud
   * @param {number} [more.wait_ms] after so long something happens: `detail` tells the seconds that are left
   * @param {Way[]} [more.ways] what can be done about it
   * @param {boolean} [more.isEnd] the room is over for us, and there is nothing to write in
   */
  show(state, words, { detail = "", wait_ms, ways = [], isEnd = false } = {}) {
    const [element, focused] = [this.#element, document.activeElement];
    element.dataset.state = state;
    element.hidden = false;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#showDetail(detail, wait_ms);
    const buttons = ways.map((way) => this.#wayElement(way));
    const parts = [this.#words, ...(this.#detail.textContent ? [this.#detail] : []), ...buttons];
    for (const child of [...element.children]) if (!parts.includes(child)) child.remove();
    // What is there already is not moved: the keyboard may be in it.
    parts.forEach((part, index) => {
      if (element.children[index] !== part) element.insertBefore(part, element.children[index] ?? null);
    });
    this.#room.toggleAttribute("data-stale", STALE.includes(state));
    if (isEnd) this.#room.dataset.ended = state;
    else delete this.#room.dataset.ended;
    this.#keepKeyboard(focused, isEnd);
  }

  /** Other words about the same state, as `show` takes them. */
  detail(detail, wait_ms) {
    this.#showDetail(detail, wait_ms);
    if (!detail) this.#detail.remove();
    else if (!this.#detail.isConnected) this.#words.after(this.#detail);
  }

  /** Nothing is known yet. */
  hide() {
    this.#element.hidden = true;
  }

  #showDetail(detail, wait_ms) {
    clearInterval(this.#ticking);
    const show = (words) => {
      if (this.#detail.textContent !== words) this.#detail.textContent = words;
    };
    if (typeof detail === "string") return show(detail);
    const end_ms = performance.now() + wait_ms;
    const tick = () => show(detail(Math.max(Math.ceil((end_ms - performance.now()) / 1000), 0)));
    this.#ticking = setInterval(tick, TICK_MS);
    tick();
  }

  /** The same way is the same element: whoever is about to press it does. */
  #wayElement({ label, run, href }) {
    const same = [...this.#element.querySelectorAll("button, a")].find(({ textContent }) => textContent === label);
    const element = same ?? (run ? button(label, () => {}) : document.createElement("a"));
    if (run) element.onclick = run;
    else {
      element.href = href;
      element.textContent = label;
    }
    return element;
  }

  /** The keyboard is not lost with what it was in. */
  #keepKeyboard(focused, isEnd) {
    if (focused === document.body || !focused) return;
    const isHidden = !focused.isConnected || focused.getClientRects().length === 0;
    if (isHidden) (isEnd ? this.#element : document.querySelector("#text"))?.focus();
  }
}

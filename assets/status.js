// How it stands with the connection, in words, with the way out where there is one.

import { button } from "./elements.js";

export class Status {
  #element;
  #words;

  constructor(element) {
    this.#element = element;
    this.#words = element.querySelector("p");
  }

  /**
   * @param {"open" | "connecting" | "reconnecting" | "offline" | "taken-over" | "left" | "kicked" | "refused"} state
   * @param {string} words
   * @param {{label: string, run: () => void} | {label: string, href: string}} [way] what can be done about it
   */
  show(state, words, way) {
    this.#element.dataset.state = state;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#element.replaceChildren(this.#words, ...(way ? [wayElement(way)] : []));
  }
}

function wayElement({ label, run, href }) {
  if (run) return button(label, run);
  const link = document.createElement("a");
  link.href = href;
  link.textContent = label;
  return link;
}

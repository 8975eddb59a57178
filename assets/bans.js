// Who is kept out of the room, as operators are shown it, and the way to let them in again.

import { button, make } from "./elements.js";
import { approximateDuration, nameElement } from "./format.js";

export class Bans {
  #details;
  #words;
  #list;
  #handlers;

  /**
   * @param {HTMLDetailsElement} details
   * @param {{
   *   ask: (message: object, answered: (answer: object) => void, refused: (words: string) => void) => void,
   *   moderate: (order: object) => void,
   * }} handlers
   */
  constructor(details, handlers) {
    this.#details = details;
    this.#words = details.querySelector("p");
    this.#list = details.querySelector("ul");
    this.#handlers = handlers;
    details.addEventListener("toggle", () => details.open && this.#ask());
  }

  /** Shows them. */
  open() {
    this.#details.open = true;
    this.#details.querySelector("summary").focus();
  }

  /** Whoever is shown next is asked for anew. */
  close() {
    this.#details.open = false;
  }

  #ask() {
    this.#say("…");
    this.#list.replaceChildren();
    this.#handlers.ask({ type: "bans" }, ({ bans }) => this.#show(bans), (words) => this.#say(words));
  }

  /** Takes a `mode` event in. */
  apply({ change, name }) {
    if (change !== "unban") return;
    const item = [...this.#list.children].find(({ dataset }) => dataset.name === name);
    if (!item) return;
    const hadKeyboard = item.contains(document.activeElement);
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    if (!next) this.#say("Nobody is kept out.");
    if (hadKeyboard) (next ?? this.#details).querySelector("button, summary").focus();
  }

  #show(bans) {
    this.#say(bans.length === 0 ? "Nobody is kept out." : "");
    this.#list.replaceChildren(...bans.map((ban) => this.#item(ban)));
  }

  #item({ name, seconds, by }) {
    const item = make("li", "");
    const words = make("span", "");
    item.dataset.name = name;
    words.append(nameElement(name), `, for ${approximateDuration(seconds)}, by `, nameElement(by));
    const unban = button("Let in again", () => this.#handlers.moderate({ action: "unban", name }));
    unban.setAttribute("aria-label", `Let ${name} in again`);
    item.append(words, unban);
    return item;
  }

  #say(words) {
    this.#words.textContent = words;
  }
}

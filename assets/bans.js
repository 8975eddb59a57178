// Who is kept out of the room, as operators are shown it, and the way to let them in again.

import { button, make } from "./elements.js";
import { approximateDuration, nameElement } from "./format.js";
import { words } from "./words.js";

export class Bans {
  #details;
  #remark;
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
    this.#remark = details.querySelector("p");
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
    this.#handlers.ask({ type: "bans" }, ({ bans }) => this.#show(bans), (reason) => this.#say(reason));
  }

  /** Takes a `mode` event in. */
  apply({ change, name }) {
    if (change !== "unban") return;
    const item = [...this.#list.children].find(({ dataset }) => dataset.name === name);
    if (!item) return;
    const hadKeyboard = item.contains(document.activeElement);
    const next = item.nextElementSibling ?? item.previousElementSibling;
    item.remove();
    if (!next) this.#say(words.bans.nobody);
    if (hadKeyboard) (next ?? this.#details).querySelector("button, summary").focus();
  }

  #show(bans) {
    this.#say(bans.length === 0 ? words.bans.nobody : "");
    this.#list.replaceChildren(...bans.map((ban) => this.#item(ban)));
  }

  #item({ name, seconds, by }) {
    const item = make("li", "");
    const about = make("span", "");
    item.dataset.name = name;
    about.append(...words.bans.ban(nameElement(name), approximateDuration(seconds), nameElement(by)));
    const unban = button(words.bans.unban, () => this.#handlers.moderate({ action: "unban", name }));
    unban.setAttribute("aria-label", words.bans.unbanWhom(name));
    item.append(about, unban);
    return item;
  }

  #say(remark) {
    this.#remark.textContent = remark;
  }
}

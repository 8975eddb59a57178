// Who is in the room now.

import { nameElement, viaWords } from "./format.js";

export class Members {
  #list;
  #count;
  /** @type {Map<string, string>} how each is connected, by name */
  #members = new Map();
  #ownName = "";

  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} count
   */
  constructor(list, count) {
    this.#list = list;
    this.#count = count;
  }

  /** @param {{name: string, via: string}[]} members */
  replace(members, ownName) {
    this.#ownName = ownName;
    this.#members = new Map(members.map(({ name, via }) => [name, via]));
    this.#show();
  }

  enter(name, via) {
    this.#members.set(name, via);
    this.#show();
  }

  part(name) {
    this.#members.delete(name);
    this.#show();
  }

  rename(name, to) {
    const via = this.#members.get(name);
    if (via === undefined) return;
    if (name === this.#ownName) this.#ownName = to;
    this.#members.delete(name);
    this.enter(to, via);
  }

  #show() {
    const sorted = [...this.#members].sort(([a], [b]) => a.localeCompare(b));
    this.#list.replaceChildren(...sorted.map(([name, via]) => this.#item(name, via)));
    this.#count.textContent = this.#members.size;
  }

  #item(name, via) {
    const item = document.createElement("li");
    const words = document.createElement("small");
    item.dataset.name = name;
    words.textContent = name === this.#ownName ? `you, ${viaWords(via)}` : viaWords(via);
    item.append(nameElement(name), words);
    return item;
  }
}

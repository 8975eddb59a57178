// What somebody has to give before the room lets him in: another name, the password of his name, the room's key.

import { words } from "./words.js";

export class Entry {
  #form;
  #handlers;
  #kind = "";

  /**
   * @param {HTMLFormElement} form
   * @param {{given: (kind: "name" | "password" | "key", name: string, secret: string) => void}} handlers
   */
  constructor(form, handlers) {
    this.#form = form;
    this.#handlers = handlers;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#handlers.given(this.#kind, this.#name.value, this.#secret.value);
    });
  }

  /** @param {"name" | "password" | "key"} kind */
  ask(kind, name) {
    this.#kind = kind;
    this.#form.hidden = false;
    this.#name.value = name;
    this.#secret.value = "";
    this.#show(this.#name, kind !== "key");
    this.#show(this.#secret, kind !== "name");
    this.#secret.autocomplete = kind === "key" ? "off" : "current-password";
    this.#secret.labels[0].textContent = words.entry[kind === "key" ? "key" : "password"];
    (kind === "name" ? this.#name : this.#secret).select();
  }

  /** We are in. Returns whether anything had been asked for. */
  hide() {
    const wasOpen = !this.#form.hidden;
    this.#form.hidden = true;
    this.#secret.value = "";
    return wasOpen;
  }

  get #name() {
    return this.#form.querySelector("#new-name");
  }

  get #secret() {
    return this.#form.querySelector("#secret");
  }

  #show(field, shown) {
    field.hidden = !shown;
    field.labels[0].hidden = !shown;
  }
}

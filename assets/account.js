// The name that somebody claims with a password: one dialog for claiming it, showing that it is his, changing the
// password, giving it up. Password managers know the fields by their `autocomplete`.

import { Dialog } from "./dialogs.js";
import { words } from "./words.js";

/** By the type of the message: the fields that are filled in. */
const FIELDS = {
  register: ["new", "again"],
  login: ["name", "password"],
  password: ["password", "new", "again"],
  unregister: ["password"],
};

export class Account {
  #element;
  #dialog;
  #form;
  #handlers;
  #type = "register";

  /**
   * @param {HTMLDialogElement} element
   * @param {{
   *   ownName: () => string,
   *   ask: (message: object, answered: () => void, refused: (words: string) => void) => void,
   * }} handlers
   */
  constructor(element, handlers) {
    this.#element = element;
    this.#form = element.querySelector("form");
    this.#handlers = handlers;
    this.#dialog = new Dialog(element, () => this.#submit());
  }

  /** @param {"register" | "login" | "password" | "unregister"} type */
  open(type) {
    const { title, about, done } = words.account[type];
    const fields = FIELDS[type];
    this.#type = type;
    this.#element.querySelector("h2").textContent = title;
    this.#element.querySelector(".about").textContent = about;
    this.#form.querySelector(".primary").textContent = done;
    for (const name of ["password", "new", "again"]) {
      const field = this.#form.elements[name];
      field.hidden = field.labels[0].hidden = !fields.includes(name);
      field.required = fields.includes(name);
    }
    const { name } = this.#form.elements;
    name.value = this.#handlers.ownName();
    name.readOnly = !fields.includes("name");
    this.#dialog.open();
    this.#form.elements[fields.find((field) => field !== "name")].focus();
  }

  #submit() {
    const { name, password, new: next, again } = this.#form.elements;
    const type = this.#type;
    if (!next.hidden && next.value !== again.value) {
      this.#dialog.refuse(words.account.different);
      return again.select();
    }
    const message = { type };
    if (type === "register") message.password = next.value;
    else message.password = password.value;
    if (type === "password") message.new = next.value;
    if (type === "login") message.name = name.value;
    this.#busy(true);
    const answered = () => {
      this.#busy(false);
      this.#dialog.close();
    };
    const refused = (reason) => {
      this.#busy(false);
      this.#dialog.refuse(reason);
    };
    this.#handlers.ask(message, answered, refused);
  }

  #busy(busy) {
    this.#form.querySelector(".primary").disabled = busy;
  }
}

// What could be meant by what is being written: a list above the text field, as of a combobox. The keyboard stays in the
// field. What is suggested comes from sources, each for another kind of beginning.

import { make } from "./elements.js";
import { replaceText } from "./text_field.js";

/** Texts that come in one piece and are not being written. */
const NOT_WRITTEN = ["insertFromPaste", "insertFromDrop", "historyUndo", "historyRedo"];

/**
 * `insert` is written in place of what is there from `from` on; `icon` and `detail` stand beside `label`.
 * @typedef {{label: string, insert: string, icon?: string, detail?: string}} Option
 * `isWhole`: what is written is one of them already, and Enter is meant for the text.
 * @typedef {{from: number, options: Option[], isWhole?: boolean}} Found
 * @typedef {(before: string) => Found | null | Promise<Found | null>} Source what a text up to the cursor may be going to be
 */

export class Suggestions {
  #field;
  #list;
  #sources;
  #spoken;
  /** @type {Found | null} what is shown */
  #found = null;
  #active = 0;
  /** An answer to an earlier question is not wanted any more. */
  #asked = 0;
  /** Where a list would begin that was closed, or taken from. */
  #dismissed = -1;

  /**
   * @param {HTMLTextAreaElement} field
   * @param {HTMLElement} list
   * @param {Source[]} sources
   * @param {(count: number) => void} spoken tells how many there are
   */
  constructor(field, list, sources, spoken) {
    this.#field = field;
    this.#list = list;
    this.#sources = sources;
    this.#spoken = spoken;
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-haspopup", "listbox");
    field.addEventListener("input", ({ inputType }) => {
      if (NOT_WRITTEN.includes(inputType)) this.close();
      else this.#update();
    });
    // The cursor has moved.
    for (const type of ["keyup", "pointerup"]) field.addEventListener(type, () => this.isOpen && this.#update());
    field.addEventListener("blur", () => this.close());
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", ({ target }) => {
      const index = [...list.children].indexOf(target.closest("[role=option]"));
      if (index >= 0) this.#take(index);
    });
  }

  get isOpen() {
    return this.#found !== null;
  }

  /** Takes a key that is meant for the list. Returns whether it was. */
  press({ key, shiftKey }) {
    if (!this.#found || shiftKey) return false;
    const { options, isWhole } = this.#found;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (key in steps) this.#activate((this.#active + steps[key] + options.length) % options.length);
    else if (key === "Tab" || (key === "Enter" && !(isWhole && this.#active === 0))) this.#take(this.#active);
    else if (key === "Escape") this.#dismiss();
    else return false;
    return true;
  }

  close() {
    this.#asked += 1;
    if (!this.#found) return;
    this.#found = null;
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#field.removeAttribute("aria-controls");
    this.#field.removeAttribute("aria-activedescendant");
  }

  async #update() {
    this.#asked += 1;
    const asked = this.#asked;
    const { value, selectionStart, selectionEnd } = this.#field;
    const found = selectionStart === selectionEnd ? await this.#find(value.slice(0, selectionEnd)) : null;
    if (asked !== this.#asked) return;
    if (!found) this.#dismissed = -1;
    if (!found || found.from === this.#dismissed || found.options.length === 0) return this.close();
    this.#show(found);
  }

  async #find(before) {
    for (const source of this.#sources) {
      // What cannot be loaded now suggests nothing.
      const found = await Promise.resolve(source(before)).catch(() => null);
      if (found) return found;
    }
    return null;
  }

  #show(found) {
    const { options } = this.#found ?? { options: [] };
    const isSame = options.length === found.options.length && options.every(({ label }, at) => label === found.options[at].label);
    this.#found = found;
    if (isSame) return;
    this.#list.replaceChildren(...found.options.map(optionElement));
    this.#list.hidden = false;
    this.#field.setAttribute("aria-controls", this.#list.id);
    this.#spoken(found.options.length);
    this.#activate(0);
  }

  #activate(index) {
    this.#active = index;
    [...this.#list.children].forEach((element, at) => element.setAttribute("aria-selected", at === index));
    const element = this.#list.children[index];
    this.#field.setAttribute("aria-activedescendant", element.id);
    element.scrollIntoView({ block: "nearest" });
  }

  #take(index) {
    const { from, options } = this.#found;
    this.#dismiss();
    replaceText(this.#field, from, this.#field.selectionEnd, `${options[index].insert} `);
  }

  #dismiss() {
    this.#dismissed = this.#found.from;
    this.close();
  }
}

function optionElement({ label, icon, detail }, index) {
  const element = make("li", "");
  const name = document.createElement("bdi");
  element.id = `suggestion-${index}`;
  element.setAttribute("role", "option");
  name.textContent = label;
  if (icon) element.append(part("icon", icon));
  element.append(name);
  if (detail) element.append(" ", part("detail", detail));
  return element;
}

function part(className, text) {
  const element = make("span", className);
  element.textContent = text;
  return element;
}

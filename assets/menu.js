// One menu for the whole page, beside what opens it or, on a phone, at the lower edge. What is in it is its opener's
// concern.

import { button, icon, make } from "./elements.js";

/** How far it stays from the edges of the page, and from what it belongs to. */
const MARGIN_PX = 8;

/** @typedef {{words: string, run: () => void, label?: string, icon?: string, pressed?: boolean, className?: string}} Item */

export class Menu {
  #element;
  #anchor = null;
  /** Where the keyboard goes back to: the last opener that is seen, should one menu have led to another. */
  #back = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
    element.addEventListener("keydown", (event) => this.#pressed(event));
    // It covers the page: what lies below a press outside is not pressed. It stays until the click, or what lies below
    // would be told of that.
    element.addEventListener("click", (event) => {
      if (event.target === element) this.close();
    });
  }

  /**
   * @param {HTMLElement} anchor where it stands, and where the keyboard goes back to
   * @param {string} label
   * @param {(Item | Item[])[]} items a list among them is a row
   */
  open(anchor, label, items) {
    this.#begin(anchor);
    this.show(label, items);
  }

  /** Other items in the same place. `question` is shown above them. */
  show(label, items, question) {
    const list = make("div", "menu");
    list.setAttribute("role", "menu");
    list.setAttribute("aria-label", question ?? label);
    if (question) {
      const words = make("p", "question");
      words.textContent = question;
      words.setAttribute("aria-hidden", "true");
      list.append(words);
    }
    list.append(...items.map((item) => (Array.isArray(item) ? this.#row(item) : this.#item(item))));
    this.#put(list);
  }

  /** A form alone. */
  openForm(anchor, label, form) {
    this.#begin(anchor);
    this.showForm(label, form);
  }

  /** A form to be filled in, in the same place: a dialog of that name. */
  showForm(label, form) {
    // A form is none itself.
    const dialog = make("div", "");
    form.classList.add("menu");
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-label", label);
    dialog.append(form);
    form.addEventListener("keydown", (event) => keepKeyboard(form, event));
    this.#put(dialog, form);
  }

  /** What it belongs to, while it is open. */
  get anchor() {
    return this.#anchor;
  }

  close() {
    if (!this.#anchor) return;
    const [back, opener] = [this.#back, this.#opener];
    const hadKeyboard = this.#element.contains(document.activeElement);
    this.#anchor = null;
    this.#element.hidden = true;
    this.#element.replaceChildren();
    opener?.setAttribute("aria-expanded", "false");
    if (hadKeyboard && back?.isConnected) back.focus({ preventScroll: true });
  }

  /** The button that says whether the menu is open. */
  get #opener() {
    const anchor = this.#anchor;
    return anchor?.hasAttribute("aria-haspopup") ? anchor : anchor?.querySelector("[aria-haspopup]");
  }

  #begin(anchor) {
    this.close();
    this.#anchor = anchor;
    if (anchor.getClientRects().length > 0) this.#back = anchor;
    this.#opener?.setAttribute("aria-expanded", "true");
  }

  #put(content, placed = content) {
    this.#element.replaceChildren(content);
    this.#element.hidden = false;
    this.#stand(placed);
    const first = content.querySelector("[data-first]") ?? content.querySelector("input, button");
    first.focus({ preventScroll: true });
  }

  /** Below the anchor, or above where there is no room. A phone's style sheet takes no notice. */
  #stand(content) {
    const { top, bottom, right } = this.#anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = content;
    const below = bottom + MARGIN_PX / 2;
    const above = top - height - MARGIN_PX / 2;
    const fits = below + height + MARGIN_PX <= innerHeight;
    content.style.top = `${Math.max(fits ? below : above, MARGIN_PX)}px`;
    content.style.left = `${Math.max(Math.min(right - width, innerWidth - width - MARGIN_PX), MARGIN_PX)}px`;
  }

  #row(items) {
    const row = make("div", "row");
    row.setAttribute("role", "group");
    row.append(...items.map((item) => this.#item(item)));
    return row;
  }

  #item({ words, run, label, icon: sign, pressed, className = "" }) {
    const item = button(words, run);
    item.className = className;
    if (sign) item.prepend(icon(sign));
    item.tabIndex = -1;
    item.setAttribute("role", pressed === undefined ? "menuitem" : "menuitemcheckbox");
    if (pressed !== undefined) item.setAttribute("aria-checked", pressed);
    if (label) item.setAttribute("aria-label", label);
    return item;
  }

  #pressed(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
      return;
    }
    const items = [...this.#element.querySelectorAll("[role^=menuitem]")];
    if (items.length === 0) return;
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    const at = items.indexOf(document.activeElement);
    const to = { Home: 0, End: items.length - 1 }[event.key] ?? at + (steps[event.key] ?? 0);
    if (event.key === "Tab") this.close();
    if (event.key !== "Tab" && to === at) return;
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  }
}

/** Tab goes round in a form: what lies below it is covered. */
function keepKeyboard(form, event) {
  const fields = [...form.querySelectorAll("input, select, button")].filter(({ tabIndex }) => tabIndex >= 0);
  const [first, last] = [fields[0], fields[fields.length - 1]];
  if (event.key !== "Tab" || document.activeElement !== (event.shiftKey ? first : last)) return;
  event.preventDefault();
  (event.shiftKey ? last : first).focus();
}

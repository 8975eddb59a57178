// Searching what was said in the room. What is found and on the page is jumped to; the rest is read in the list.

import { button, make } from "./elements.js";
import { day, nameElement, timeElement } from "./format.js";
import { MESSAGES } from "./messages.js";
import { words } from "./words.js";

const RESULTS = 30;

export class Search {
  #panel;
  #field;
  #list;
  #status;
  #more;
  #opener;
  #handlers;
  /** What was asked for last: an answer to anything before is not wanted any more. */
  #text = "";
  #asked = 0;
  #before;

  /**
   * @param {HTMLElement} panel
   * @param {HTMLButtonElement} opener
   * @param {{
   *   ask: (message: object, answered: (found: object) => void, refused: (words: string) => void) => void,
   *   jumpTo: (id: number, done: (isThere: boolean) => void) => void,
   * }} handlers
   */
  constructor(panel, opener, handlers) {
    this.#panel = panel;
    this.#opener = opener;
    this.#handlers = handlers;
    this.#field = panel.querySelector("input");
    this.#list = panel.querySelector("ul");
    this.#status = panel.querySelector("[role=status]");
    this.#more = panel.querySelector(".more");
    opener.addEventListener("click", () => (panel.hidden ? this.open("") : this.close()));
    panel.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    panel.querySelector(".close").addEventListener("click", () => this.close());
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.#more.addEventListener("click", () => this.#ask());
  }

  /** Shows the field, and searches at once for what is given. */
  open(text) {
    this.#panel.hidden = false;
    this.#opener.setAttribute("aria-expanded", "true");
    if (text) this.#field.value = text;
    this.#field.focus();
    this.#field.select();
    if (text) this.#begin();
  }

  close() {
    const hadKeyboard = this.#panel.contains(document.activeElement);
    this.#panel.hidden = true;
    this.#opener.setAttribute("aria-expanded", "false");
    this.#clear("");
    if (hadKeyboard) this.#opener.focus();
  }

  /** What was found is as it is in the room. */
  amend({ type, of, text, deleted }) {
    const found = this.#list.querySelector(`[data-of="${of}"]`);
    if (type === "delete" || deleted) found?.remove();
    else if (type === "edit" && found) found.querySelector(".found").textContent = summary(text, found.dataset.file);
  }

  #begin() {
    this.#text = this.#field.value.trim();
    this.#before = undefined;
    this.#clear(this.#text ? words.search.searching : "");
    if (this.#text) this.#ask();
  }

  #clear(status) {
    this.#asked += 1;
    this.#list.replaceChildren();
    this.#more.hidden = true;
    this.#status.textContent = status;
  }

  #ask() {
    const asked = this.#asked;
    const message = { type: "search", text: this.#text, before: this.#before, limit: RESULTS };
    const answered = (found) => {
      if (asked === this.#asked) this.#show(found);
    };
    this.#handlers.ask(message, answered, (reason) => (this.#status.textContent = reason));
  }

  /** The newest first. */
  #show({ events, more, before }) {
    const messages = events.filter(({ type, deleted }) => MESSAGES.includes(type) && !deleted);
    this.#list.append(...messages.reverse().map((event) => this.#item(event)));
    this.#before = before ?? events[0]?.id;
    this.#more.hidden = !more;
    const count = this.#list.children.length;
    const { found, foundMore, nothing, nothingYet } = words.search;
    if (count > 0) this.#status.textContent = more ? foundMore(count) : found(count);
    else this.#status.textContent = more ? nothingYet : nothing;
  }

  #item({ id, name, text, file, time }) {
    const item = make("li", "");
    const line = make("span", "found");
    const when = make("small", "");
    item.dataset.of = id;
    if (file) item.dataset.file = file.name;
    line.textContent = summary(text, file?.name);
    line.dir = "auto";
    when.append(`${day(time)}, `, timeElement(time));
    const open = button("", () => this.#choose(id, open));
    open.append(nameElement(name), when, line);
    item.append(open);
    return item;
  }

  #choose(id, open) {
    this.#handlers.jumpTo(id, (isThere) => {
      if (isThere) this.#makeRoom();
      // It cannot be had on the page: here is all of it.
      else open.classList.toggle("whole");
    });
  }

  /** On a phone the list would cover what was jumped to. */
  #makeRoom() {
    if (matchMedia("(max-width: 48rem)").matches) this.#panel.hidden = true;
    this.#opener.setAttribute("aria-expanded", !this.#panel.hidden);
  }
}

/** A message in one line: its file, if it has one, and its text. */
function summary(text, fileName) {
  return [fileName, text].filter(Boolean).join(" – ");
}

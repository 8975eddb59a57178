// What one can do with a message, and how one gets to it: by a mouse, a finger, the keyboard or a screen reader.

import { words } from "./composing_words.js";

const EMOJIS = ["👍", "❤️", "😂", "🎉", "😮", "👀"];

export class MessageActions {
  #log;
  #menu;
  #messages;
  #handlers;
  /** How the page was touched last; not every browser tells that with a click. */
  #pointer = "";

  /**
   * @param {HTMLElement} log
   * @param {import("./menu.js").Menu} menu
   * @param {import("./messages.js").Messages} messages
   * @param {{
   *   reply: (message: object) => void,
   *   edit: (message: object) => void,
   *   remove: (message: object) => void,
   *   react: (message: object, emoji: string, on: boolean) => void,
   *   choose: (choose: (emoji: string) => void) => Promise<HTMLFormElement>,
   *   copy: (text: string) => void,
   *   linkTo: (id: number) => string,
   *   mayDelete: () => boolean,
   *   beside: (message: object, step: 1 | -1) => HTMLElement | undefined,
   * }} handlers `choose`: a form to choose any emoji; `mayDelete`: also what others have said; `beside`: the next message
   *   in that direction
   */
  constructor(log, menu, messages, handlers) {
    this.#log = log;
    this.#menu = menu;
    this.#messages = messages;
    this.#handlers = handlers;
    log.addEventListener("pointerdown", ({ pointerType }) => (this.#pointer = pointerType), { passive: true });
    log.addEventListener("click", ({ target }) => this.#clicked(target));
    log.addEventListener("keydown", (event) => this.#pressed(event));
    log.addEventListener("focusin", ({ target }) => {
      const message = this.#messages.of(target);
      if (message) this.#messages.reach(message);
    });
  }

  #clicked(target) {
    const message = this.#messages.of(target);
    if (!message) return;
    const { emoji } = target.closest("[data-emoji]")?.dataset ?? {};
    if (emoji) this.#toggle(message, emoji);
    else if (target.closest(".tools")) this.#open(message, target.closest(".tools"));
    else if (this.#isTap(target)) this.#open(message, message.element);
  }

  /** A finger on the slip itself, and not at the end of choosing some of its words. */
  #isTap(target) {
    const isSlip = target.closest(".slip") && !target.closest("a, button, audio, video");
    return this.#pointer === "touch" && isSlip && getSelection().isCollapsed;
  }

  #pressed(event) {
    const { target, key } = event;
    const message = target.matches(".message") && this.#messages.of(target);
    if (!message) return;
    if (key === "Enter") this.#open(message, target);
    else if (key === "ArrowUp") this.#handlers.beside(message, -1)?.focus();
    else if (key === "ArrowDown") this.#handlers.beside(message, 1)?.focus();
    else return;
    event.preventDefault();
  }

  #open(message, anchor) {
    const { reply, edit, copy, linkTo, mayDelete } = this.#handlers;
    const { event, state } = message;
    const own = this.#messages.isOwn(message);
    const items = [this.#emojiRow(message), this.#item("Reply", () => reply(message))];
    if (own) items.push(this.#item("Edit", () => edit(message)));
    if (state.text) items.push(this.#item(words.composing.copyText, () => copy(state.text)));
    items.push(this.#item(words.composing.copyLink, () => copy(linkTo(event.id))));
    if (own || mayDelete()) {
      items.push({ words: "Delete…", className: "danger", run: () => this.#askToDelete(message, own) });
    }
    this.#menu.open(anchor, `Message of ${event.name}`, items);
  }

  /** What is done closes the menu first, so that it may take the keyboard elsewhere. */
  #item(words, run) {
    const closeAndRun = () => {
      this.#menu.close();
      run();
    };
    return { words, run: closeAndRun };
  }

  #emojiRow(message) {
    const items = EMOJIS.map((emoji) => {
      const pressed = this.#messages.hasOurs(message, emoji);
      return { ...this.#item(emoji, () => this.#toggle(message, emoji)), label: `React ${emoji}`, pressed };
    });
    return [...items, { words: "+", label: "Another emoji", run: () => this.#askEmoji(message) }];
  }

  #toggle(message, emoji) {
    this.#handlers.react(message, emoji, !this.#messages.hasOurs(message, emoji));
  }

  #askToDelete(message, own) {
    const question = own ? "Delete this for everybody?" : `Delete what ${message.event.name} said?`;
    const doIt = { ...this.#item("Delete", () => this.#handlers.remove(message)), className: "danger" };
    this.#menu.show("Delete", [this.#item("Keep it", () => {}), doIt], question);
  }

  async #askEmoji(message) {
    const react = (emoji) => {
      this.#menu.close();
      this.#handlers.react(message, emoji, true);
    };
    const { anchor } = this.#menu;
    const form = await this.#handlers.choose(react);
    // Meanwhile the menu may have been closed, or opened for another message.
    if (this.#menu.anchor === anchor) this.#menu.showForm("Another emoji", form);
  }
}

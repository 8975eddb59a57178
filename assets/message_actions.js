// What one can do with a message, and how one gets to it: by a mouse, a finger, the keyboard or a screen reader.

import { button, make } from "./elements.js";

const EMOJIS = ["👍", "❤️", "😂", "🎉", "😮", "👀"];
/** What the arrow keys lead to in the log. */
const STOPS = ".message[data-id], .comings";
/** No letter and no digit alone is one. */
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

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
   *   mayDelete: () => boolean,
   * }} handlers `mayDelete`: also what others have said
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
    if (!target.matches(STOPS)) return;
    const message = this.#messages.of(target);
    if (key === "Enter" && message) this.#open(message, target);
    else if (key === "ArrowUp") this.#go(target, -1);
    else if (key === "ArrowDown") this.#go(target, 1);
    else return;
    event.preventDefault();
  }

  /** To the next line in that direction with which something can be done. */
  #go(from, step) {
    const stops = [...this.#log.querySelectorAll(STOPS)].filter((stop) => !stop.matches(".deleted"));
    stops[stops.indexOf(from) + step]?.focus();
  }

  #open(message, anchor) {
    const { reply, edit, mayDelete } = this.#handlers;
    const own = this.#messages.isOwn(message);
    const items = [this.#emojiRow(message), this.#item("Reply", () => reply(message))];
    if (own) items.push(this.#item("Edit", () => edit(message)));
    if (own || mayDelete()) {
      items.push({ words: "Delete…", className: "danger", run: () => this.#askToDelete(message, own) });
    }
    this.#menu.open(anchor, `Message of ${message.event.name}`, items);
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

  #askEmoji(message) {
    const form = make("form", "emoji");
    const field = make("input", "");
    const words = make("label", "");
    field.id = "emoji";
    field.autocomplete = "off";
    field.maxLength = 64;
    words.htmlFor = field.id;
    words.textContent = "React with an emoji of your keyboard";
    const done = button("React", () => {});
    done.type = "submit";
    done.className = "primary";
    form.append(words, field, done);
    field.addEventListener("input", () => field.removeAttribute("aria-invalid"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const emoji = field.value.trim();
      if (!EMOJI.test(emoji)) return field.setAttribute("aria-invalid", "true");
      this.#menu.close();
      this.#handlers.react(message, emoji, true);
    });
    this.#menu.showForm("Another emoji", form);
  }
}

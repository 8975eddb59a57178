// What one can do with a message, and how one gets to it: by a mouse, a finger, the keyboard or a screen reader.

import { icon, iconButton } from "./elements.js";
import { words } from "./words.js";

const EMOJIS = ["👍", "❤️", "😂", "🎉", "😮", "👀"];
/** What the arrow keys lead to in the log. */
const STOPS = ".message[data-id], .comings";

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
   *   choose: (choose: (emoji: string) => void) => Promise<HTMLFormElement | undefined>,
   *   copy: (text: string) => void,
   *   linkTo: (id: number) => string,
   *   mayDelete: () => boolean,
   * }} handlers `choose`: a form to choose any emoji; `mayDelete`: also what others have said
   */
  constructor(log, menu, messages, handlers) {
    this.#log = log;
    this.#menu = menu;
    this.#messages = messages;
    this.#handlers = handlers;
    log.addEventListener("pointerdown", ({ pointerType }) => (this.#pointer = pointerType), { passive: true });
    log.addEventListener("click", ({ target }) => this.#clicked(target));
    log.addEventListener("keydown", (event) => this.#pressed(event));
    log.addEventListener("pointerover", ({ target }) => this.#lookedAt(target));
    log.addEventListener("focusin", ({ target }) => {
      const message = this.#messages.of(target);
      // Not for a link in it, which Tab passes on the way to the last one.
      if (message?.element === target) this.#messages.reach(message);
      this.#lookedAt(target);
    });
  }

  /** What is done most stands beside the way to the menu. Of the many messages few are ever pointed at: not before that. */
  #lookedAt(target) {
    const message = this.#messages.of(target);
    const open = message?.element.querySelector(".tools:empty");
    if (!open) return;
    const { reply, edit } = this.#handlers;
    const { reactDone, reply: toReply, edit: toEdit } = words.message;
    const quick = [
      iconButton("react", reactDone, () => this.#menu.open(open, reactDone, [this.#emojiRow(message)])),
      iconButton("reply", toReply, () => reply(message)),
    ];
    if (this.#messages.isOwn(message)) quick.push(iconButton("edit", toEdit, () => edit(message)));
    for (const each of quick) each.tabIndex = -1;
    open.append(icon("more"));
    open.before(...quick);
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
    const { reply, edit, copy, linkTo, mayDelete } = this.#handlers;
    const { event, state } = message;
    const own = this.#messages.isOwn(message);
    const items = [this.#emojiRow(message), { ...this.#item(words.message.reply, () => reply(message)), icon: "reply" }];
    if (own) items.push({ ...this.#item(words.message.edit, () => edit(message)), icon: "edit" });
    if (state.text) items.push({ ...this.#item(words.message.copyText, () => copy(state.text)), icon: "copy" });
    items.push({ ...this.#item(words.message.copyLink, () => copy(linkTo(event.id))), icon: "link" });
    if (own || mayDelete()) {
      const run = () => this.#askToDelete(message, own);
      items.push({ words: words.message.askDelete, icon: "trash", className: "danger", run });
    }
    this.#menu.open(anchor, words.message.of(event.name), items);
  }

  /** What is done closes the menu first, so that it may take the keyboard elsewhere. */
  #item(label, run) {
    const closeAndRun = () => {
      this.#menu.close();
      run();
    };
    return { words: label, run: closeAndRun };
  }

  #emojiRow(message) {
    const items = EMOJIS.map((emoji) => {
      const pressed = this.#messages.hasOurs(message, emoji);
      return { ...this.#item(emoji, () => this.#toggle(message, emoji)), label: words.message.react(emoji), pressed };
    });
    return [...items, { words: "", icon: "react", label: words.message.otherEmoji, run: () => this.#askEmoji(message) }];
  }

  #toggle(message, emoji) {
    this.#handlers.react(message, emoji, !this.#messages.hasOurs(message, emoji));
  }

  #askToDelete(message, own) {
    const { deleteOwn, deleteOther, keep } = words.message;
    const question = own ? deleteOwn : deleteOther(message.event.name);
    const doIt = { ...this.#item(words.message.delete, () => this.#handlers.remove(message)), className: "danger" };
    this.#menu.show(words.message.delete, [this.#item(keep, () => {}), doIt], question);
  }

  async #askEmoji(message) {
    const react = (emoji) => {
      this.#menu.close();
      this.#handlers.react(message, emoji, true);
    };
    const { anchor } = this.#menu;
    const form = await this.#handlers.choose(react);
    // Meanwhile the menu may have been closed, or opened for another message.
    if (form && this.#menu.anchor === anchor) this.#menu.showForm(words.message.otherEmoji, form);
  }
}

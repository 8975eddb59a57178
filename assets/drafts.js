// What was being written when a page was left: per room and name. A tab goes on with its own; a new one with what was
// left last in this browser.

import { memory } from "./memory.js";

/** Keys come quicker than it has to be kept. */
const PAUSE_MS = 300;

/** @typedef {{text: string, reply?: {of: number, epoch: string, kind: string, name: string}}} Draft */

export class Drafts {
  #ofTab;
  #ofBrowser;
  #name;
  /** @type {Draft | null} what is not kept yet */
  #draft = null;
  #timer = 0;

  /**
   * @param {string} prefix of what is stored
   * @param {string} name whose drafts these are
   */
  constructor(prefix, name) {
    this.#ofTab = memory("sessionStorage", `${prefix}:draft`);
    this.#ofBrowser = memory("localStorage", `${prefix}:draft`);
    this.#name = name;
    addEventListener("pagehide", () => this.#flush());
    document.addEventListener("visibilitychange", () => document.hidden && this.#flush());
  }

  /** @returns {Draft | undefined} */
  read() {
    const draft = this.#ofTab.read(this.#name) ?? this.#ofBrowser.read(this.#name);
    return typeof draft?.text === "string" ? draft : undefined;
  }

  /**
   * @param {string} text
   * @param {import("./purpose.js").Aim | null} aim what it replies to; of that no word is kept, since it may be deleted
   */
  keep(text, aim) {
    this.#draft = { text, reply: aim && { of: aim.of, epoch: aim.epoch, kind: aim.kind, name: aim.name } };
    // What is said must not come back, whatever becomes of the page.
    if (!text && !aim) return this.#flush();
    this.#timer ||= setTimeout(() => this.#flush(), PAUSE_MS);
  }

  /** The member has another name. Returns whether it is another one. */
  rename(name) {
    if (name === this.#name) return false;
    this.#flush();
    const draft = this.read();
    this.#ofTab.forget(this.#name);
    this.#ofBrowser.forget(this.#name);
    this.#name = name;
    this.#draft = draft ?? this.read() ?? null;
    this.#flush();
    return true;
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#draft) return;
    // Also that there is none is kept for this tab: another one's is not its own.
    this.#ofTab.write(this.#name, this.#draft);
    if (this.#draft.text) this.#ofBrowser.write(this.#name, this.#draft);
    else this.#ofBrowser.forget(this.#name);
    this.#draft = null;
  }
}

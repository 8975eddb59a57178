// The dialog in which an operator sets the topic, lock, key and slow mode, and sees who is kept out. What differs is sent,
// each as one order.

import { Bans } from "./bans.js";
import { Dialog } from "./dialogs.js";
import { words } from "./words.js";

export class RoomSettings {
  #dialog;
  #form;
  #rules;
  #bans;
  #moderate;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import("./rules.js").Rules} rules
   * @param {{
   *   ask: (message: object, answered: (answer: object) => void, refused: (words: string) => void) => void,
   *   moderate: (order: object) => void,
   * }} handlers
   */
  constructor(dialog, rules, { ask, moderate }) {
    this.#form = dialog.querySelector("form");
    this.#rules = rules;
    this.#bans = new Bans(dialog.querySelector(".bans"), { ask, moderate });
    this.#moderate = moderate;
    this.#dialog = new Dialog(dialog, () => this.#save());
    this.#form.elements.hasKey.addEventListener("change", () => this.#showKey());
  }

  open() {
    const { topic, locked, hasKey, key, slow } = this.#form.elements;
    const { modes } = this.#rules;
    topic.value = this.#rules.topic;
    locked.checked = modes.locked;
    hasKey.checked = modes.key;
    key.value = "";
    const seconds = String(modes.slow);
    // What was set by a command may be none of the usual ones.
    if (![...slow.options].some(({ value }) => value === seconds)) slow.add(new Option(words.duration.s(seconds), seconds));
    slow.value = seconds;
    this.#showKey();
    this.#bans.close();
    this.#dialog.open();
    topic.focus();
  }

  /** The same, to see who is kept out. */
  openBans() {
    this.open();
    this.#bans.open();
  }

  /** Takes a `mode` event in. */
  apply(event) {
    this.#bans.apply(event);
  }

  close() {
    this.#dialog.close();
  }

  #showKey() {
    const { hasKey, key } = this.#form.elements;
    key.hidden = !hasKey.checked;
    key.labels[0].hidden = !hasKey.checked;
    key.placeholder = this.#rules.modes.key ? words.settings.sameKey : "";
  }

  #save() {
    const { topic, locked, hasKey, key, slow } = this.#form.elements;
    const { modes } = this.#rules;
    const [text, secret, seconds] = [topic.value.trim(), key.value.trim(), Number(slow.value)];
    if (hasKey.checked && !secret && !modes.key) return this.#dialog.refuse(words.settings.whichKey);
    if (text !== this.#rules.topic) this.#moderate({ action: "topic", value: text });
    if (locked.checked !== modes.locked) this.#moderate({ action: locked.checked ? "lock" : "unlock" });
    if (hasKey.checked && secret) this.#moderate({ action: "key", value: secret });
    else if (!hasKey.checked && modes.key) this.#moderate({ action: "key" });
    if (seconds !== modes.slow) this.#moderate({ action: "slow", seconds });
    this.#dialog.close();
  }
}

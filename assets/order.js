// Keeping order in the room: its rules, which everybody sees, and what only operators are shown to change them.

import { MemberActions } from "./member_actions.js";
import { readOrder } from "./order_commands.js";
import { Rules } from "./rules.js";
import { words } from "./words.js";

export class Order {
  #list;
  #opener;
  #members;
  #handlers;
  #rules;
  #dialog;
  /** Loaded once it is opened: few ever do. @type {import("./room_settings.js").RoomSettings | undefined} */
  #settings;

  /**
   * @param {{rules: HTMLElement, list: HTMLElement, opener: HTMLButtonElement, dialog: HTMLDialogElement}} elements
   * @param {import("./menu.js").Menu} menu
   * @param {import("./members.js").Members} members
   * @param {{
   *   ownName: () => string,
   *   moderate: (order: object) => void,
   *   ask: (message: object, answered: (answer: object) => void, refused: (words: string) => void) => void,
   *   loaded: (loading: Promise<object>) => Promise<object | undefined>,
   * }} handlers
   */
  constructor({ rules, list, opener, dialog }, menu, members, handlers) {
    this.#list = list;
    this.#opener = opener;
    this.#members = members;
    this.#handlers = handlers;
    this.#rules = new Rules(rules);
    this.#dialog = dialog;
    new MemberActions(list, menu, handlers.moderate, (name) => members.isOperator(name));
    opener.addEventListener("click", () => this.#openSettings((settings) => settings.open()));
  }

  get isOurs() {
    return this.#members.isOperator(this.#handlers.ownName());
  }

  /** Begins anew with what `joined` tells. */
  replace(joined) {
    this.#rules.replace(joined);
    this.showRole();
  }

  /** Takes a `topic` or `mode` event in. */
  apply(event) {
    const { change, name } = event;
    this.#rules.apply(event);
    this.#settings?.apply(event);
    if (change === "op" || change === "deop") this.#members.mark(name, { op: change === "op" });
    this.showRole();
  }

  /** A command by which order is kept, as a composer reads it. */
  read(command, argument) {
    if (command === "bans") {
      return this.isOurs ? { run: () => this.#openSettings((settings) => settings.openBans()) } : { reason: words.command.bans };
    }
    const order = readOrder(command, argument, this.#members.names);
    return order?.message ? { run: () => this.#handlers.moderate(order.message) } : order;
  }

  /** What only operators can do is shown to them alone. */
  showRole() {
    this.#list.classList.toggle("ordering", this.isOurs);
    this.#opener.hidden = !this.isOurs;
    if (!this.isOurs) this.#settings?.close();
  }

  async #openSettings(open) {
    const loaded = await this.#handlers.loaded(import("./room_settings.js"));
    if (!loaded || !this.isOurs) return;
    this.#settings ??= new loaded.RoomSettings(this.#dialog, this.#rules, this.#handlers);
    open(this.#settings);
  }
}

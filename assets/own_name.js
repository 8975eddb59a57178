// Our own name: whether it is claimed, and the menu of what can be done about that.

import { words } from "./words.js";

/** What can be done with a name, each by a message of that type. */
const TYPES = ["register", "login", "password", "unregister"];

export class OwnName {
  #opener;
  #menu;
  #members;
  #handlers;
  #dialog;
  /** Loaded once it is opened. @type {import("./account.js").Account | undefined} */
  #account;
  /** Whose account we have shown to be ours on this page, which need not be the name we bear. */
  #shown;

  /**
   * @param {{opener: HTMLButtonElement, dialog: HTMLDialogElement}} elements
   * @param {import("./menu.js").Menu} menu
   * @param {import("./members.js").Members} members
   * @param {{
   *   name: () => string,
   *   ask: (message: object, answered: (answer: object) => void, refused: (words: string) => void) => void,
   *   notifying: () => import("./menu.js").Item[],
   *   loaded: (loading: Promise<object>) => Promise<object | undefined>,
   * }} handlers `notifying`: what else one can choose for oneself
   */
  constructor({ opener, dialog }, menu, members, handlers) {
    this.#opener = opener;
    this.#menu = menu;
    this.#members = members;
    this.#handlers = handlers;
    this.#dialog = dialog;
    opener.addEventListener("click", () => this.#openMenu());
  }

  /** Opens the dialog of this type of message, if there is one. */
  dialog(type) {
    return TYPES.includes(type) ? () => this.#openDialog(type) : undefined;
  }

  /** We have another name. */
  renamed() {
    this.#mark();
  }

  async #openDialog(type) {
    const loaded = await this.#handlers.loaded(import("./account.js"));
    if (!loaded) return;
    const { name: ownName } = this.#handlers;
    this.#account ??= new loaded.Account(this.#dialog, { ownName, ask: (...question) => this.#ask(...question) });
    this.#account.open(type);
  }

  #ask(message, answered, refused) {
    const done = ({ account }) => {
      this.#shown = account;
      this.#mark();
      answered();
    };
    this.#handlers.ask(message, done, refused);
  }

  #mark() {
    const name = this.#handlers.name();
    this.#members.mark(name, { account: this.#shown === name });
  }

  #openMenu() {
    const isOurs = this.#shown !== undefined || this.#members.hasAccount(this.#handlers.name());
    const { menu, askRegister, askLogin, askPassword, askUnregister } = words.account;
    const items = isOurs
      ? { password: askPassword, unregister: askUnregister }
      : { register: askRegister, login: askLogin };
    const open = (type) => {
      this.#menu.close();
      this.#openDialog(type);
    };
    const chosen = ({ run, ...item }) => ({
      ...item,
      run: () => {
        this.#menu.close();
        run();
      },
    });
    this.#menu.open(this.#opener, menu, [
      ...Object.entries(items).map(([type, label]) => ({ words: label, run: () => open(type) })),
      ...this.#handlers.notifying().map(chosen),
    ]);
  }
}

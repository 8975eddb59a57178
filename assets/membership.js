// Who we are in this room, as this tab remembers it: it lets a reload or a lost connection come back as
// the same member.

import { memory } from "./memory.js";

export class Membership {
  #room;
  #memory;
  /** The member's secret, once the server has given it. */
  #token;
  /** Whether this tab has been in the room, so that it may bring it back under its code. */
  #wasHere;
  /** Whether the name is ours to say; until then the session cookie says it. */
  #named;
  /** The room's key, and the account's password: shown until they are taken, and kept nowhere. */
  #secrets = {};
  name;

  /**
   * @param {string} room
   * @param {string} prefix of what is stored
   * @param {string} pageName the name the page was made for
   */
  constructor(room, prefix, pageName) {
    this.#room = room;
    this.#memory = memory("sessionStorage", prefix);
    const remembered = this.#memory.read("member");
    const trusted = remembered && (remembered.name === pageName || !cameByForm());
    this.#wasHere = Boolean(remembered);
    this.#named = this.#wasHere;
    this.#token = trusted ? remembered.token : undefined;
    this.name = trusted ? remembered.name : pageName;
  }

  /** By which the server knows us. */
  get token() {
    return this.#token;
  }

  /**
   * The first message of a connection.
   * @param {{since: number, epoch: string} | null} seen what the page shows already
   */
  joinMessage(seen) {
    const message = { type: "join", room: this.#room, ...seen, ...this.#secrets };
    if (this.#named) message.name = this.name;
    if (this.#token) message.token = this.#token;
    if (this.#wasHere) message.create = true;
    return message;
  }

  joined({ name, token }) {
    this.#token = token;
    this.#wasHere = true;
    this.#named = true;
    this.#secrets = {};
    this.rename(name);
  }

  /** Another name for the same member. */
  rename(name) {
    this.name = name;
    this.#memory.write("member", { name, token: this.#token });
  }

  /** Another name after the server has refused the one before. */
  choose(name) {
    this.#token = undefined;
    this.#secrets.password = undefined;
    this.name = name;
    this.#named = true;
  }

  /** What the next `join` shows as well; undefined takes it back. @param {{key?: string, password?: string}} secrets */
  show(secrets) {
    Object.assign(this.#secrets, secrets);
  }

  /** The next `join` makes the room anew, should it be gone. */
  bringBack() {
    this.#wasHere = true;
    this.#named = true;
  }

  /** We leave, and do not come back before we are asked to. */
  leave() {
    this.#token = undefined;
    this.#wasHere = false;
    this.#memory.forget("member");
    this.#memory.write("left", true);
  }

  /** We come in, whatever was before. */
  enter() {
    this.#memory.forget("left");
  }

  /** Whether the back button, or a reload, has led to a room that we have left. */
  get isPast() {
    return Boolean(this.#memory.read("left")) && navigation() !== "navigate";
  }
}

/**
 * Whether the person came from the form and not by a reload, the back button or an address. The form may have given
 * another name than the one that this tab remembers; the page may show the name of another tab, because all tabs share
 * one cookie.
 */
function cameByForm() {
  return navigation() === "navigate" && document.referrer !== "";
}

/** How the page was come to: `navigate`, `reload` or `back_forward`. */
function navigation() {
  return performance.getEntriesByType("navigation")[0]?.type;
}

// What the server is asked to do, and answers by an event that everybody sees, or by a refusal that is for us alone.

import { words } from "./words.js";

const PREFIX = "r";

export class Requests {
  #transmit;
  #refused = new Map();
  #count = 0;

  /** @param {(message: object) => boolean} transmit returns whether there is a connection */
  constructor(transmit) {
    this.#transmit = transmit;
  }

  /**
   * @param {object} message
   * @param {(error: object) => void} refused
   */
  send(message, refused) {
    this.#count += 1;
    const cid = `${PREFIX}${this.#count}`;
    // What was asked long ago is not refused any more.
    this.#refused.delete(`${PREFIX}${this.#count - 100}`);
    this.#refused.set(cid, refused);
    if (!this.#transmit({ ...message, cid })) {
      refused({ code: "not_joined", message: words.status.noConnection });
    }
  }

  /** Returns whether the refusal is that of such a request. */
  refuse(error) {
    const refused = this.#refused.get(error.cid);
    this.#refused.delete(error.cid);
    refused?.(error);
    return Boolean(refused);
  }
}

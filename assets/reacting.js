// Our reactions that are not known to be there yet: shown at once, and given once more after a lost connection. The server
// does not answer one that changes nothing, so none is waited for.

export class Reacting {
  #requests;
  #handlers;
  /** What is wanted, by message and emoji. @type {Map<string, {of: number, emoji: string, on: boolean}>} */
  #wanted = new Map();
  /** Whose ids they mean. */
  #epoch = null;

  /**
   * @param {import("./requests.js").Requests} requests
   * @param {{changed: (of: number) => void, refused: (words: string) => void}} handlers
   */
  constructor(requests, handlers) {
    this.#requests = requests;
    this.#handlers = handlers;
  }

  /** Reacts to a message, or takes that back. */
  react(of, emoji, on) {
    const wanted = { of, emoji, on };
    this.#wanted.set(keyOf(wanted), wanted);
    this.#handlers.changed(of);
    this.#send(wanted);
  }

  /** We are in the room: what may have been lost is asked for again. Ids of another epoch mean other messages. */
  open(epoch) {
    if (epoch !== this.#epoch) this.#wanted.clear();
    this.#epoch = epoch;
    for (const wanted of this.#wanted.values()) this.#send(wanted);
  }

  /** The server has told of a reaction of ours. */
  acknowledge(event) {
    if (this.#wanted.get(keyOf(event))?.on === event.on) this.#forget(event);
  }

  /** A message is deleted. */
  forgetMessage(of) {
    for (const [key, wanted] of this.#wanted) if (wanted.of === of) this.#wanted.delete(key);
  }

  /** Those to one message: emojis, and whether we want to have reacted with them. */
  to(of) {
    return [...this.#wanted.values()].filter((wanted) => wanted.of === of);
  }

  #send(wanted) {
    this.#requests.send({ type: "react", ...wanted }, ({ code, message }) => {
      // It is given as soon as there is one.
      if (code === "not_joined") return;
      if (this.#wanted.get(keyOf(wanted)) !== wanted) return;
      this.#forget(wanted);
      this.#handlers.refused(message);
    });
  }

  #forget(wanted) {
    this.#wanted.delete(keyOf(wanted));
    this.#handlers.changed(wanted.of);
  }
}

function keyOf({ of, emoji }) {
  return `${of} ${emoji}`;
}

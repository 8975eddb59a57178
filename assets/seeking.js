// The way to any message by its id, whether it is on the page or has to be fetched: also from an address of the page, and
// from a link in what was said.

import { words } from "./words.js";

export class Seeking {
  #timeline;
  #fetching;
  #invitation;
  #handlers;
  /** The message that the address means, while it is still to be shown. */
  #sought;

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./fetching.js").Fetching} fetching
   * @param {string} invitation the address of this room as invitations give it
   * @param {{isPresent: () => boolean, tell: (text: string) => void}} handlers
   */
  constructor(timeline, fetching, invitation, handlers) {
    this.#timeline = timeline;
    this.#fetching = fetching;
    this.#invitation = invitation;
    this.#handlers = handlers;
    this.#sought = this.#idIn(location);
    addEventListener("hashchange", () => {
      this.#sought = this.#idIn(location);
      this.address();
    });
  }

  /** Goes to a message. `done` is told whether it is there. */
  to(id, done = () => {}) {
    const { isPresent, tell } = this.#handlers;
    const fail = (why) => {
      tell(why);
      done(false);
    };
    const jump = () => this.#timeline.jumpTo(id);
    if (jump()) done(true);
    else if (!isPresent()) fail(words.status.noConnection);
    else this.#fetching.around(id, () => (jump() ? done(true) : fail(words.message.notFound)));
  }

  /** Goes to the message that the address means, once: the next time that the page is loaded it is not meant any more. */
  address() {
    const id = this.#sought;
    if (!id || !this.#handlers.isPresent()) return;
    // Should the connection be lost before there is an answer, it is looked for again over the next one.
    this.to(id, () => {
      if (this.#sought === id) this.#sought = 0;
    });
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  /** In there a link to a message here leads to it, and into no other window. @param {HTMLElement} log */
  followLinks(log) {
    log.addEventListener("click", (event) => {
      const link = event.target.closest("a[href]");
      const id = link && !event.ctrlKey && !event.metaKey && !event.shiftKey ? this.#idIn(link) : 0;
      if (!id) return;
      event.preventDefault();
      this.to(id);
    });
  }

  /** The id behind an address of this room; 0: it is none of a message here. */
  #idIn({ origin, pathname, hash }) {
    if (![location.origin + location.pathname, this.#invitation].includes(origin + pathname)) return 0;
    return Number(hash.match(/^#(\d{1,15})$/)?.[1] ?? 0);
  }
}

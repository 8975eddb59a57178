// The room's events on the page: each once, in the order of their ids, those that wait to be said at the end.

import { dividerElement, messageElement, noticeElement, remediesElement, waitingElement } from "./elements.js";
import { day } from "./format.js";

/** Messages of one member closer than this need the name only once. */
const GROUP_MS = 5 * 60_000;

export class Timeline {
  #log;
  #earlier;
  #waiting;
  #scroll;
  /** The events of this epoch, by element. */
  #events = new WeakMap();
  #ids = new Set();
  #epoch = null;
  #first = Infinity;
  #last = 0;

  /**
   * @param {{log: HTMLElement, earlier: HTMLElement, waiting: HTMLElement}} elements `earlier` marks where
   *   this epoch begins, `waiting` is the end
   * @param {import("./scroll.js").Scroll} scroll
   */
  constructor({ log, earlier, waiting }, scroll) {
    this.#log = log;
    this.#earlier = earlier;
    this.#waiting = waiting;
    this.#scroll = scroll;
  }

  /** The id of the oldest event shown. */
  get first() {
    return this.#first;
  }

  /** The newest event shown, as `join` tells it; null while the page is empty. */
  get seen() {
    return this.#last > 0 ? { since: this.#last, epoch: this.#epoch } : null;
  }

  /** Shows what a `joined` brings: the first events, or those that were missed. Returns the new ones. */
  catchUp({ epoch, events, gap }, ownName) {
    this.#log.ariaBusy = "true";
    if (this.#epoch !== null && epoch !== this.#epoch) this.#beginAnew();
    else if (gap) this.#divide("Earlier messages are missing");
    this.#epoch = epoch;
    const added = events.filter((event) => this.add(event, ownName));
    this.#earlier.hidden = this.#first === Infinity || this.#first === 1;
    this.#log.ariaBusy = "false";
    this.#scroll.follow();
    return added;
  }

  /** Shows what was said before the first event shown. */
  addEarlier({ events, more }, ownName) {
    this.#scroll.addAbove(() => {
      for (const event of events.toReversed()) this.add(event, ownName);
      this.#earlier.hidden = !more;
    });
  }

  /** Shows one event in its place. Returns whether it was new. */
  add(event, ownName) {
    if (this.#ids.has(event.id)) return false;
    const element = event.type === "message" ? messageElement(event, event.name === ownName) : noticeElement(event);
    element.dataset.id = event.id;
    this.#events.set(element, event);
    this.#ids.add(event.id);
    this.#place(element, event.id);
    this.#relate(element);
    const next = element.nextElementSibling;
    if (this.#events.has(next)) this.#relate(next);
    this.#first = Math.min(this.#first, event.id);
    this.#last = Math.max(this.#last, event.id);
    return true;
  }

  /**
   * Shows the texts that wait to be said.
   * @param {import("./outbox.js").Entry[]} entries
   * @param {{retry: (cid: string) => void, discard: (cid: string) => void}} remedies
   */
  showWaiting(entries, ownName, remedies) {
    const shown = new Map(Array.from(this.#waiting.children, (element) => [element.dataset.cid, element]));
    this.#waiting.replaceChildren(
      ...entries.map((entry) => {
        const same = shown.get(entry.cid);
        if (same?.classList.contains("failed") === Boolean(entry.failure)) return same;
        return this.#waitingElement(entry, ownName, remedies);
      }),
    );
    this.#scroll.follow();
  }

  #waitingElement(entry, ownName, remedies) {
    const element = waitingElement(entry, ownName);
    element.dataset.cid = entry.cid;
    if (entry.failure) {
      element.classList.replace("waiting", "failed");
      element.querySelector(".fate").textContent = `Not sent. ${entry.failure}`;
      element.append(remediesElement(() => remedies.retry(entry.cid), () => remedies.discard(entry.cid)));
    }
    return element;
  }

  /** Puts an element before the first that has a higher id. */
  #place(element, id) {
    let next = id < this.#first ? this.#earlier.nextElementSibling : this.#waiting;
    while (id > this.#first && Number(next.previousElementSibling.dataset.id) > id) next = next.previousElementSibling;
    this.#log.insertBefore(element, next);
  }

  /** Marks a new day, and a message that follows another of the same member. */
  #relate(element) {
    const event = this.#events.get(element);
    const previous = this.#events.get(element.previousElementSibling);
    const today = day(event.time);
    if (previous && day(previous.time) === today) delete element.dataset.day;
    else element.dataset.day = today;
    element.classList.toggle("follows", !element.dataset.day && isContinued(previous, event));
  }

  /** The ids begin again: what is on the page stays, above a line and out of the count. */
  #beginAnew() {
    for (const element of this.#log.children) delete element.dataset.id;
    this.#events = new WeakMap();
    this.#ids.clear();
    this.#first = Infinity;
    this.#last = 0;
    this.#divide("The room began anew here");
    this.#waiting.before(this.#earlier);
  }

  #divide(words) {
    this.#waiting.before(dividerElement(words));
  }
}

function isContinued(previous, event) {
  return (
    previous?.type === "message" &&
    event.type === "message" &&
    previous.name === event.name &&
    previous.via === event.via &&
    previous.kind !== "me" &&
    event.kind !== "me" &&
    event.time - previous.time < GROUP_MS
  );
}

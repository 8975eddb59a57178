// The room's events on the page: each once, in the order of their ids, those that wait to be said at the end. Where
// some are still to be fetched there is a gap, which `fill` closes from its newer end.

import { dividerElement, messageElement, noticeElement, remediesElement, waitingElement } from "./elements.js";
import { day } from "./format.js";

/** Messages of one member closer than this need the name only once. */
const GROUP_MS = 5 * 60_000;
const LOST = "Earlier messages are missing";

/**
 * Events that are still to be fetched: those between two ids. `mark` stands where they belong.
 * @typedef {{after: number, before: number, mark: HTMLElement}} Gap
 */

export class Timeline {
  #log;
  #earlier;
  #waiting;
  #scroll;
  /** The events of this epoch, by element. */
  #events = new WeakMap();
  /** Their elements, by id, and the ids in order. */
  #elements = new Map();
  #ids = [];
  #epoch = null;
  /** @type {Gap[]} the oldest first; they outlive a lost connection, so that `seen` need not go back before them */
  #gaps = [];

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
    return this.#ids[0] ?? Infinity;
  }

  /** The newest gap: what was missed last is wanted first. */
  get gap() {
    return this.#gaps.at(-1);
  }

  /** The newest event shown, as `join` tells it; null while the page is empty. */
  get seen() {
    return this.#last > 0 ? { since: this.#last, epoch: this.#epoch } : null;
  }

  get #last() {
    return this.#ids.at(-1) ?? 0;
  }

  /** Shows what a `joined` brings: the first events, or those that were missed. Returns the new ones. */
  catchUp({ epoch, last, events, gap }, ownName) {
    this.#log.setAttribute("aria-busy", true);
    if (this.#epoch !== null && epoch !== this.#epoch) this.#beginAnew();
    else this.#openGap(events[0]?.id ?? last + 1, gap);
    this.#epoch = epoch;
    const added = events.filter((event) => this.add(event, ownName));
    this.#earlier.hidden = this.first === Infinity || this.first === 1;
    this.#log.setAttribute("aria-busy", false);
    this.#scroll.follow();
    return added;
  }

  /** Puts a page of history, which ends where the gap does, into the gap. Returns the events that were missed. */
  fill(gap, { events, more }, ownName) {
    const missed = events.filter(({ id }) => id > gap.after);
    this.#scroll.addBefore(gap.mark.nextElementSibling, () => {
      for (const event of missed) this.add(event, ownName);
      gap.before = missed[0]?.id ?? gap.before;
      if (gap.before === gap.after + 1) this.#closeGap(gap);
      else if (!more || missed.length === 0) this.#closeGap(gap, LOST);
    });
    return missed;
  }

  /** Shows what was said before the first event shown. */
  addEarlier({ events, more }, ownName) {
    this.#scroll.addAbove(() => {
      for (const event of events) this.add(event, ownName);
      this.#earlier.hidden = !more;
    });
  }

  /** Shows one event in its place. Returns whether it was new. */
  add(event, ownName) {
    if (this.#elements.has(event.id)) return false;
    const element = event.type === "message" ? messageElement(event, event.name === ownName) : noticeElement(event);
    element.dataset.id = event.id;
    this.#events.set(element, event);
    this.#place(element, event.id);
    this.#relate(element);
    this.#relate(element.nextElementSibling);
    return true;
  }

  /**
   * Shows the texts that wait to be said.
   * @param {import("./outbox.js").Entry[]} entries
   * @param {Record<"retry" | "edit" | "discard", (cid: string) => void>} remedies
   */
  showWaiting(entries, ownName, remedies) {
    const shown = new Map(Array.from(this.#waiting.children, (element) => [element.dataset.cid, element]));
    this.#waiting.replaceChildren(
      ...entries.map((entry) => {
        const same = shown.get(entry.cid);
        if (same?.classList.contains(fateOf(entry))) return same;
        return this.#waitingElement(entry, ownName, remedies);
      }),
    );
    this.#scroll.follow();
  }

  #waitingElement(entry, ownName, remedies) {
    const element = waitingElement(entry, ownName);
    const fate = fateOf(entry);
    element.dataset.cid = entry.cid;
    if (fate === "waiting") return element;
    element.classList.replace("waiting", fate);
    element.querySelector(".fate").textContent = `Not sent. ${entry.failure ?? entry.delay}`;
    const [Retry, Edit, Discard] = [remedies.retry, remedies.edit, remedies.discard].map((run) => () => run(entry.cid));
    // What is only delayed may be said at any moment: it is not the time to mend it.
    element.append(remediesElement(fate === "failed" ? { Retry, Edit, Discard } : { Retry, Discard }));
    return element;
  }

  /** Puts an element before the first that has a higher id. */
  #place(element, id) {
    const index = this.#indexAfter(id);
    this.#log.insertBefore(element, this.#elements.get(this.#ids[index]) ?? this.#waiting);
    this.#ids.splice(index, 0, id);
    this.#elements.set(id, element);
  }

  /** The place of the first id that is higher. Nearly always that is the end. */
  #indexAfter(id) {
    let [from, to] = [id > this.#last ? this.#ids.length : 0, this.#ids.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#ids[middle] > id) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** Marks a new day, and a message that follows another of the same member; nothing, if this is no event. */
  #relate(element) {
    const event = this.#events.get(element);
    if (!event) return;
    const previous = this.#events.get(element.previousElementSibling);
    const today = day(event.time);
    if (previous && day(previous.time) === today) delete element.dataset.day;
    else element.dataset.day = today;
    element.classList.toggle("follows", !element.dataset.day && isContinued(previous, event));
  }

  /** What `joined` brings begins with the id `before`; `isOpen`: not all that is between is in it. */
  #openGap(before, isOpen) {
    const after = this.#last;
    const open = this.gap;
    // Of a gap at the very end, what is missing is told anew.
    if (open?.after === after) this.#closeGap(open);
    if (!isOpen || before <= after + 1) return;
    this.#gaps.push({ after, before, mark: this.#divide("Fetching what was said meanwhile…") });
  }

  /** Nothing more is to be fetched: all of it is there, or `words` say what became of it. */
  #closeGap(gap, words) {
    this.#gaps = this.#gaps.filter((other) => other !== gap);
    const next = gap.mark.nextElementSibling;
    if (words) gap.mark.textContent = words;
    else gap.mark.remove();
    this.#relate(next);
  }

  /** The ids begin again: what is on the page stays, above a line and out of the count. */
  #beginAnew() {
    for (const gap of this.#gaps) this.#closeGap(gap, LOST);
    for (const element of this.#log.children) delete element.dataset.id;
    this.#events = new WeakMap();
    this.#elements.clear();
    this.#ids = [];
    this.#divide("The room began anew here");
    this.#waiting.before(this.#earlier);
  }

  #divide(words) {
    const divider = dividerElement(words);
    this.#waiting.before(divider);
    return divider;
  }
}

/** How it stands with a text that is not known to be said. */
function fateOf({ failure, delay }) {
  if (failure) return "failed";
  return delay ? "delayed" : "waiting";
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

// The room's events on the page: each once, in the order of their ids. Where some are still to be fetched there is a
// gap, which `fill` closes from its newer end. What changes a message is no line of its own: `messages.js` shows it.

import { dividerElement } from "./elements.js";
import { day } from "./format.js";
import { AMENDMENTS, MESSAGES } from "./messages.js";
import { noticeElement } from "./notices.js";
import { words } from "./words.js";

/** Messages of one member closer than this need the name only once. */
const GROUP_MS = 5 * 60_000;

/**
 * Events that are still to be fetched: those between two ids. `mark` stands where they belong.
 * @typedef {{after: number, before: number, mark: HTMLElement}} Gap
 */

export class Timeline {
  #log;
  #earlier;
  #waiting;
  #scroll;
  #messages;
  /** The events of this epoch, by element. */
  #events = new WeakMap();
  /** Their elements, by id, null for what has none, and the ids in order. */
  #elements = new Map();
  #ids = [];
  #epoch = null;
  /** @type {Gap[]} the oldest first; they outlive a lost connection, so that `seen` need not go back before them */
  #gaps = [];

  /**
   * @param {{log: HTMLElement, earlier: HTMLElement, waiting: HTMLElement}} elements `earlier` marks where
   *   this epoch begins, `waiting` is the end
   * @param {import("./scroll.js").Scroll} scroll
   * @param {import("./messages.js").Messages} messages
   */
  constructor({ log, earlier, waiting }, scroll, messages) {
    this.#log = log;
    this.#earlier = earlier;
    this.#waiting = waiting;
    this.#scroll = scroll;
    this.#messages = messages;
  }

  /** The epoch of the ids on the page. */
  get epoch() {
    return this.#epoch;
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
  catchUp({ epoch, last, events, gap }) {
    this.#log.setAttribute("aria-busy", true);
    if (this.#epoch !== null && epoch !== this.#epoch) this.#beginAnew();
    else this.#openGap(events[0]?.id ?? last + 1, gap);
    this.#epoch = epoch;
    const added = events.filter((event) => this.add(event, last));
    this.#earlier.hidden = this.first === Infinity || this.first === 1;
    this.#log.setAttribute("aria-busy", false);
    this.#scroll.follow();
    return added;
  }

  /** Puts a page of history, which ends where the gap does, into the gap. Returns the events that were missed. */
  fill(gap, { events, more }) {
    const missed = events.filter(({ id }) => id > gap.after);
    this.#scroll.addBefore(gap.mark.nextElementSibling, () => {
      for (const event of missed) this.add(event, this.#last);
      gap.before = missed[0]?.id ?? gap.before;
      if (gap.before === gap.after + 1) this.#closeGap(gap);
      else if (!more || missed.length === 0) this.#closeGap(gap, words.timeline.missing);
    });
    return missed;
  }

  /** Shows what was said before the first event shown. */
  addEarlier({ events, more }) {
    this.#scroll.addAbove(() => {
      for (const event of events) this.add(event, this.#last);
      this.#earlier.hidden = !more;
    });
  }

  /**
   * Shows one event in its place, or what it changes. `asOf`: the id of the last event that the server knew when it
   * told of this one. Returns whether it was new.
   */
  add(event, asOf = event.id) {
    if (this.#elements.has(event.id)) return false;
    if (AMENDMENTS.includes(event.type)) {
      this.#number(event.id, null);
      this.#messages.amend(event);
      return true;
    }
    const isMessage = MESSAGES.includes(event.type);
    const element = isMessage ? this.#messages.add(event, Math.max(asOf, event.id)) : noticeElement(event);
    element.dataset.id = event.id;
    this.#events.set(element, event);
    this.#log.insertBefore(element, this.#elementAfter(this.#number(event.id, element)));
    this.#relate(element);
    this.#relate(element.nextElementSibling);
    return true;
  }

  /** Takes an event in, before the first that has a higher id. Returns its place. */
  #number(id, element) {
    const index = this.#indexAfter(id);
    this.#ids.splice(index, 0, id);
    this.#elements.set(id, element);
    return index;
  }

  /** The first element behind a place. */
  #elementAfter(index) {
    for (let next = index + 1; next < this.#ids.length; next += 1) {
      const element = this.#elements.get(this.#ids[next]);
      if (element) return element;
    }
    return this.#waiting;
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
    this.#gaps.push({ after, before, mark: this.#divide(words.timeline.fetching) });
  }

  /** Nothing more is to be fetched: all of it is there, or `fate` says what became of it. */
  #closeGap(gap, fate) {
    this.#gaps = this.#gaps.filter((other) => other !== gap);
    const next = gap.mark.nextElementSibling;
    if (fate) gap.mark.textContent = fate;
    else gap.mark.remove();
    this.#relate(next);
  }

  /** The ids begin again: what is on the page stays, above a line and out of the count. */
  #beginAnew() {
    for (const gap of this.#gaps) this.#closeGap(gap, words.timeline.missing);
    for (const element of this.#log.children) delete element.dataset.id;
    this.#events = new WeakMap();
    this.#elements.clear();
    this.#messages.beginAnew();
    this.#ids = [];
    this.#divide(words.timeline.anew);
    this.#waiting.before(this.#earlier);
  }

  #divide(text) {
    const divider = dividerElement(text);
    this.#waiting.before(divider);
    return divider;
  }
}

function isContinued(previous, event) {
  return (
    MESSAGES.includes(previous?.type) &&
    MESSAGES.includes(event.type) &&
    previous.name === event.name &&
    previous.via === event.via &&
    previous.kind !== "me" &&
    event.kind !== "me" &&
    event.time - previous.time < GROUP_MS
  );
}

// The room's events on the page: each once, in the order of their ids. Where some are still to be fetched there is a
// gap, which `fill` closes from its newer end. What changes a message is no line of its own: `messages.js` shows it.

import { Blocks, Line } from "./blocks.js";
import { joinComings } from "./comings.js";
import { dividerElement } from "./elements.js";
import { day } from "./format.js";
import { attempt } from "./guard.js";
import { AMENDMENTS, MESSAGES } from "./messages.js";
import { noticeElement } from "./notices.js";
import { plainElement } from "./plain.js";
import { learnName } from "./tones.js";
import { words } from "./words.js";

/** Messages of one member closer than this need the name only once. */
const GROUP_MS = 5 * 60_000;
/** How near a gap is when it is filled. */
const NEAR_PX = 600;
/** How long a message that was jumped to stands out. */
const SOUGHT_MS = 2500;

/**
 * Events that are still to be fetched: those between two ids. `mark` stands where they belong. `isLazy`: they are fetched
 * once somebody comes near.
 * @typedef {{after: number, before: number, mark: Line, isLazy?: boolean}} Gap
 */

export class Timeline {
  #earlier;
  #scroll;
  #messages;
  #handlers;
  #blocks;
  /** The lines of this epoch's events, by id, null for what has none, and the ids in order. */
  #lines = new Map();
  #ids = [];
  #epoch = null;
  /** @type {Gap[]} the oldest first; they outlive a lost connection, so that `seen` need not go back before them */
  #gaps = [];
  /** The line before what was not read yet, when it came; it is taken away once there is something else to read. */
  #unread = null;
  #isUnreadSeen = true;
  #nearing;
  /** @type {Gap | undefined} what the last `joined` has left to be fetched */
  #missedGap;

  /**
   * @param {{log: HTMLElement, earlier: HTMLElement, waiting: HTMLElement}} elements `earlier` stands before all lines,
   *   `waiting` behind them
   * @param {import("./scroll.js").Scroll} scroll
   * @param {import("./messages.js").Messages} messages
   * @param {{named: (name: string) => void, nearing: (gap: Gap, isBelow: boolean) => void}} handlers `named`: it is known
   *   now whose name this is; `nearing`: a lazy gap is near what is read, and below it
   */
  constructor({ log, earlier, waiting }, scroll, messages, handlers) {
    this.#handlers = handlers;
    this.#earlier = earlier;
    this.#scroll = scroll;
    this.#messages = messages;
    this.#blocks = new Blocks(log, waiting, {
      keepPlace: (change) => scroll.keepPlace(change),
      arrange: (lines, before) => arrange(lines, before, this.#lastEvent(before)),
    });
    this.#nearing = new IntersectionObserver((entries) => this.#neared(entries), {
      root: log,
      rootMargin: `${NEAR_PX}px 0px`,
    });
  }

  /** The epoch of the ids on the page. */
  get epoch() {
    return this.#epoch;
  }

  /** The id of the oldest event shown. */
  get first() {
    return this.#ids[0] ?? Infinity;
  }

  /** The newest gap that is not lazy: what was missed last is wanted first. */
  get gap() {
    return this.#gaps.filter(({ isLazy }) => !isLazy).at(-1);
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
    if (this.#epoch !== null && epoch !== this.#epoch) this.#beginAnew();
    else this.#missedGap = this.#openGap(events[0]?.id ?? last + 1, gap);
    this.#epoch = epoch;
    const added = events.filter((event) => this.add(event, last));
    this.#earlier.hidden = this.first === Infinity || this.first === 1;
    this.#scroll.follow();
    return added;
  }

  /** Puts a page of history, which ends where the gap does, into the gap. Returns the events that were missed. */
  fill(gap, { events, more }) {
    const missed = events.filter(({ id }) => id > gap.after);
    this.#scroll.keepPlace(() => {
      for (const event of missed) this.add(event, this.#last);
      gap.before = missed[0]?.id ?? gap.before;
      if (gap.before === gap.after + 1) this.#closeGap(gap);
      else if (!more || missed.length === 0) this.#closeGap(gap, words.timeline.missing);
    });
    return missed;
  }

  /**
   * Shows a page of history from somewhere before what is shown, or in a gap. It ends where `before` is.
   * @param {{events: object[], more: boolean}} page
   */
  addFrom({ events, more }, before) {
    if (events.length === 0) return;
    const [from, first] = [events[0].id, this.first];
    const gap = this.#gaps.find((gap) => gap.isLazy && gap.after < before && from < gap.before);
    this.#scroll.keepPlace(() => {
      if (gap) this.#closeGap(gap);
      for (const event of events) this.add(event, this.#last);
      if (gap && from > gap.after + 1) this.#leaveGap(gap.after, from);
      const end = gap?.before ?? (from < first ? first : before);
      if (before < end) this.#leaveGap(before - 1, end);
      if (from < first) this.#earlier.hidden = !more;
    });
  }

  /** Puts a page of history into a lazy gap, at its older end: all that there is between that and `before`. */
  fillFromOlder(gap, { events }, before) {
    if (!this.#gaps.includes(gap)) return;
    this.#scroll.keepPlace(() => {
      for (const event of events) this.add(event, this.#last);
      this.#closeGap(gap);
      if (before < gap.before) this.#leaveGap(before - 1, gap.before);
    });
  }

  /** Puts one there that ends where the gap does. */
  fillFromNewer(gap, { events }) {
    if (!this.#gaps.includes(gap)) return;
    const from = events[0]?.id ?? 0;
    this.#scroll.keepPlace(() => {
      for (const event of events) this.add(event, this.#last);
      this.#closeGap(gap);
      if (from > gap.after + 1) this.#leaveGap(gap.after, from);
    });
  }

  /** Shows something at the end that is no event, and for us alone. @param {() => HTMLElement} build */
  tell(build) {
    const line = new Line(build);
    line.isNew = true;
    this.#blocks.insert(line);
    this.#scroll.toEnd();
  }

  /** Shows what was said before the first event shown. */
  addEarlier({ events, more }) {
    this.#scroll.keepPlace(() => {
      for (const event of events) this.add(event, this.#last);
      this.#earlier.hidden = !more;
    });
  }

  /**
   * Shows one event in its place, or what it changes. `asOf`: the id of the last event that the server knew when it
   * told of this one; without, it has just happened. Returns whether it was new.
   */
  add(event, asOf) {
    if (!Number.isInteger(event?.id) || this.#lines.has(event.id)) return false;
    return attempt(
      () => this.#add(event, asOf),
      () => this.#addPlainly(event, asOf),
    );
  }

  /** What cannot be shown as it should be is told in plain words. */
  #addPlainly(event, asOf) {
    if (this.#lines.get(event.id)) return true;
    if (this.#lines.has(event.id)) this.#ids.splice(this.#ids.indexOf(event.id), 1);
    const line = new Line(() => plainElement(event), event);
    line.isNew = asOf === undefined;
    this.#blocks.insert(line, this.#lineAfter(this.#number(event.id, line)));
    return true;
  }

  #add(event, asOf) {
    const learned = event.id > this.#last && learnName(event);
    if (learned) this.#handlers.named(learned);
    if (AMENDMENTS.includes(event.type)) {
      this.#number(event.id, null);
      this.#messages.amend(event);
      return true;
    }
    const isMessage = MESSAGES.includes(event.type);
    const line = isMessage ? this.#messages.add(event, Math.max(asOf ?? 0, event.id)) : noticeLine(event);
    line.isNew = asOf === undefined;
    this.#blocks.insert(line, this.#lineAfter(this.#number(event.id, line)));
    return true;
  }

  /** Shows where a message is. Returns whether it is on the page. */
  jumpTo(id) {
    const line = this.#lines.get(id);
    if (!line) return false;
    const element = this.#blocks.show(line);
    this.#scroll.goTo(element);
    element.focus({ preventScroll: true });
    element.classList.add("sought");
    setTimeout(() => element.classList.remove("sought"), SOUGHT_MS);
    return true;
  }

  /**
   * What was said from this event on was not read when it came, unless that is said of an earlier one still. `isMissed`: it
   * was said before we came back, and so was what is still to be fetched.
   */
  markUnread(id, isMissed = false) {
    if (!this.#isUnreadSeen) return;
    this.forgetUnread();
    const next = (isMissed && this.#missedGap?.mark) || this.#lines.get(id);
    if (!next) return;
    this.#isUnreadSeen = false;
    this.#unread = new Line(() => dividerElement(words.timeline.unread, "unread"));
    this.#scroll.keepPlace(() => this.#blocks.insert(this.#unread, next));
  }

  /** All was read. The mark stays for now: whoever has come back looks for it. */
  noteRead() {
    this.#isUnreadSeen = true;
  }

  /** There is no need any more to tell what was read and what not. */
  forgetUnread() {
    if (this.#unread) this.#scroll.keepPlace(() => this.#blocks.remove(this.#unread));
    this.#unread = null;
    this.#isUnreadSeen = true;
  }

  /** The mark before what was not read, while it has not been. */
  get unreadElement() {
    return this.#unread && !this.#isUnreadSeen ? this.#blocks.show(this.#unread) : null;
  }

  /** Takes an event in, before the first that has a higher id. Returns its place. */
  #number(id, line) {
    const index = this.#indexAfter(id);
    this.#ids.splice(index, 0, id);
    this.#lines.set(id, line);
    return index;
  }

  /** The first line behind a place; undefined at the end. */
  #lineAfter(index) {
    for (let next = index + 1; next < this.#ids.length; next += 1) {
      const line = this.#lines.get(this.#ids[next]);
      if (line) return line;
    }
    return undefined;
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

  /** What `joined` brings begins with the id `before`; `isOpen`: not all that is between is in it. Returns what is left. */
  #openGap(before, isOpen) {
    const after = this.#last;
    const open = this.gap;
    // Of a gap at the very end, what is missing is told anew.
    if (open?.after === after) this.#closeGap(open);
    if (!isOpen || before <= after + 1) return undefined;
    const gap = { after, before, mark: this.#divide(words.timeline.fetching) };
    this.#gaps.push(gap);
    return gap;
  }

  /** What is between two ids is fetched once somebody comes there. */
  #leaveGap(after, before) {
    const gap = { after, before, isLazy: true };
    gap.mark = new Line(() => {
      const element = dividerElement(words.timeline.between);
      this.#nearing.observe(element);
      return element;
    });
    this.#blocks.insert(gap.mark, this.#lineAfter(this.#indexAfter(before - 1) - 1));
    // The newest one is the last.
    this.#gaps = [...this.#gaps, gap].sort((one, other) => one.after - other.after);
  }

  /** Lazy gaps that came near while nothing could be asked are told of once more. */
  lookForGaps() {
    const marks = this.#gaps.filter(({ isLazy, mark }) => isLazy && mark.element).map(({ mark }) => mark.element);
    for (const mark of marks) {
      this.#nearing.unobserve(mark);
      this.#nearing.observe(mark);
    }
  }

  #neared(entries) {
    for (const { target, isIntersecting, boundingClientRect, rootBounds } of entries) {
      const gap = this.#gaps.find(({ mark }) => mark.element === target);
      const isBelow = boundingClientRect.top > (rootBounds.top + rootBounds.bottom) / 2;
      if (isIntersecting && gap) this.#handlers.nearing(gap, isBelow);
    }
  }

  /** The last event above a line, or in it. */
  #lastEvent(line) {
    while (line && !line.event) line = this.#blocks.before(line);
    return line?.event;
  }

  /** Nothing more is to be fetched: all of it is there, or `fate` says what became of it. */
  #closeGap(gap, fate) {
    this.#gaps = this.#gaps.filter((other) => other !== gap);
    if (this.#missedGap === gap) this.#missedGap = undefined;
    if (fate) this.#blocks.insert(dividerLine(fate), gap.mark);
    this.#blocks.remove(gap.mark);
  }

  /** The ids begin again: what is on the page stays, above a line and out of the count. */
  #beginAnew() {
    for (const gap of this.#gaps) this.#closeGap(gap, words.timeline.missing);
    for (const line of this.#lines.values()) if (line) line.event = { ...line.event, isPast: true };
    this.#lines.clear();
    this.#messages.beginAnew();
    this.#ids = [];
    this.#divide(words.timeline.anew);
    this.#earlier.hidden = true;
  }

  #divide(text) {
    const line = dividerLine(text);
    this.#blocks.insert(line);
    return line;
  }
}

function dividerLine(text) {
  return new Line(() => dividerElement(text));
}

function noticeLine(event) {
  return new Line(() => {
    const element = noticeElement(event);
    element.dataset.id = event.id;
    return element;
  }, event);
}

/**
 * Shows how lines stand to each other: where a day begins, which message follows another of the same member, who came
 * and went.
 * @param {Line[]} lines those of one block, built
 * @param {Line | undefined} before the line before them
 * @param {object | undefined} last the last event before them
 */
function arrange(lines, before, last) {
  for (const line of lines) {
    const [previous, event] = [before?.event, line.event];
    line.day = event && (!last || !isSameDay(last.time, event.time)) ? day(event.time) : "";
    last = event ?? last;
    line.element.classList.toggle("follows", Boolean(event) && !line.day && isContinued(previous, event));
    before = line;
  }
  joinComings(lines);
  for (const { parts, day } of lines) {
    for (const part of parts) delete part.dataset.day;
    if (day) parts[0].dataset.day = day;
  }
}

function isSameDay(one_ms, other_ms) {
  return new Date(one_ms).toDateString() === new Date(other_ms).toDateString();
}

function isContinued(previous, event) {
  return (
    MESSAGES.includes(previous?.type) &&
    MESSAGES.includes(event.type) &&
    previous.author === event.author &&
    previous.name === event.name &&
    previous.via === event.via &&
    previous.kind !== "me" &&
    event.kind !== "me" &&
    event.time - previous.time < GROUP_MS
  );
}

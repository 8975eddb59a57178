// What was written here, or done to a message, and is not known to be said yet: in order, one at a time on its way, and
// kept in the browser so that neither a lost connection nor a crash loses a word. Each has its `cid`, by which the server
// knows one that was sent before.

import { attempt } from "./guard.js";
import { OutboxStore } from "./outbox_store.js";
import { words } from "./words.js";

/** A text unanswered this long: the connection may be dead, whatever the browser thinks. */
const LATE_MS = 10_000;
/** The server itself waits for up to 30 s, where another program holds its data file. After this it says nothing more. */
const ANSWER_MS = 40_000;
/** A text that so many connections have brought no answer to stands in the way of the others. */
const MAX_UNANSWERED = 3;
/** One that so many connections broke at as well, though a bad network may break some of them. */
const MAX_BROKEN = 8;
/** Before a refused text is sent again, by the code of a refusal that passes, without a hint from the server. */
const PAUSES_MS = { rate_limited: 1000, storage_failed: 5000 };
/** Somebody wonders what becomes of a text that has to wait longer than this. */
const NOTICED_MS = 3000;
/** A room lives this long without members. A text found here later may meet other people: ask first. */
const STALE_MS = 3_600_000;

/**
 * Without a `type` it is said; an `edit` or a `delete` is `of` an event of that `epoch`, as `reply_to` is.
 * `failure`: why it is not sent any more; `delay`: why it is not said yet, though it is sent again and again;
 * `unanswered`: how often it was sent in vain; `broken`: how often the connection broke before an answer.
 * @typedef {{
 *   cid: string, kind: "say" | "me", text: string, time: number, failure?: string, delay?: string, unanswered?: number,
 *   broken?: number, type?: "edit" | "delete", of?: number, reply_to?: number, epoch?: string,
 * }} Entry
 */

export class Outbox {
  /** @type {Entry[]} */
  #entries = [];
  #store;
  #name;
  #handlers;
  #open = false;
  /** The least time between two messages. */
  #interval_ms = 0;
  #earliest = 0;
  /** The `cid` on its way. */
  #underway = null;
  #timer = 0;

  /**
   * @param {string} prefix of what is stored
   * @param {string} name whose texts these are: two tabs may be two members
   * @param {{
   *   transmit: (message: object) => void,
   *   changed: (entries: Entry[]) => void,
   *   late: () => void,
   *   unanswered: () => void,
   *   notDeleted: (words: string) => void,
   *   paused: (until_ms: number) => void,
   * }} handlers `paused`: nothing goes out before this moment of `performance.now()`, 0: nothing waits for one; `late` makes sure of the connection, `unanswered` gives it up
   */
  constructor(prefix, name, handlers) {
    this.#store = new OutboxStore(prefix, {
      written: (entry) => this.#takeOver(entry),
      taken: (cid) => this.#drop(cid),
    });
    this.#name = name;
    this.#handlers = handlers;
    this.#restore();
    this.#update();
  }

  /** Puts a text at the end of the queue, perhaps as a reply: `{ reply_to, epoch }`. */
  add(kind, text, reply) {
    this.#append({ cid: randomId(), kind, text: wellFormed(text), ...reply });
    this.#update();
  }

  /** Corrects a message; a correction of it that is not on its way yet is not needed any more. */
  edit({ of, epoch, kind }, text) {
    this.#entries = this.#entries.filter((entry) => entry.of !== of || entry.cid === this.#underway);
    this.add(kind, text, { type: "edit", of, epoch });
  }

  /** Deletes a message, and with it the corrections of it that wait. */
  delete({ of, epoch }) {
    this.#entries = this.#entries.filter((entry) => entry.of !== of || entry.cid === this.#underway);
    this.add("say", "", { type: "delete", of, epoch });
  }

  /**
   * The server can be reached: sends what waits, at most `rate` a second (0: no limit). What is about a message of
   * another `epoch` is about none that is there.
   */
  open(rate, epoch) {
    this.#interval_ms = rate > 0 ? 1000 / rate : 0;
    this.#open = true;
    this.#restore();
    for (const entry of this.#entries) if (entry.epoch !== epoch) detach(entry);
    this.#entries = this.#entries.filter(({ type, failure }) => type !== "delete" || !failure);
    this.#update();
  }

  /** The connection is gone: what was on its way will be sent again. */
  close() {
    this.#open = false;
    this.#handlers.paused(0);
    this.#settle();
  }

  /** The connection broke. That is the network's fault, unless it happens to every connection at the same text. */
  noteBroken() {
    const entry = this.#entries.find(({ cid }) => cid === this.#underway);
    this.close();
    if (!entry) return;
    entry.broken = (entry.broken ?? 0) + 1;
    if (entry.broken >= MAX_BROKEN) entry.failure = words.waiting.broken;
    this.#update();
  }

  /** The server has said it. */
  acknowledge(cid) {
    this.#take(cid);
  }

  /** A message is deleted: nothing more is to be done with it. */
  forgetMessage(of) {
    for (const { cid } of this.#entries.filter((entry) => entry.of === of)) this.#take(cid);
  }

  /** The server has refused it: what passes is tried again, anything else is for the person to decide. */
  refuse(cid, { code, message, retry_ms }) {
    const entry = this.#entries.find((entry) => entry.cid === cid);
    if (!entry) return;
    if (cid === this.#underway) this.#settle();
    if (code in PAUSES_MS) this.#earliest = performance.now() + (retry_ms ?? PAUSES_MS[code]);
    else if (entry.type === "delete") return this.#giveUpDeletion(cid, code, message);
    else entry.failure = message;
    // Haste is mostly over in a moment, and nobody's concern.
    if (code === "storage_failed") entry.delay = words.status.storageFailed;
    if (code === "rate_limited" && retry_ms > NOTICED_MS) entry.delay = words.waiting.soon(Math.ceil(retry_ms / 1000));
    this.#update();
  }

  /** The server has refused what it was sent without saying which. Returns false if no text was on its way. */
  refuseUnderway(error) {
    const cid = this.#underway;
    if (cid) this.refuse(cid, error);
    return cid !== null;
  }

  /** Puts a failed text at the end of the queue; one that is only delayed keeps its place, and is sent at once. */
  retry(cid) {
    const delayed = this.#entries.find((entry) => entry.cid === cid && !entry.failure);
    if (delayed) this.#earliest = 0;
    else {
      const entry = this.#take(cid);
      if (!entry) return;
      const { kind, text, type, of, reply_to, epoch } = entry;
      this.#append({ cid, kind, text, type, of, reply_to, epoch });
    }
    this.#update();
  }

  /** Takes a text out, and returns it. */
  discard(cid) {
    return this.#take(cid);
  }

  /** The member has another name. */
  rename(name) {
    if (name === this.#name) return;
    this.#name = name;
    this.#restore();
    this.#update();
  }

  /** Puts a text behind all others: their times tell every tab the same order. */
  #append(entry) {
    const last = this.#entries.at(-1)?.time ?? 0;
    this.#entries.push({ ...entry, time: Math.max(Date.now(), last + 1) });
  }

  /** Takes a text out, and returns it. */
  #take(cid) {
    const entry = this.#remove(cid);
    if (entry) this.#update();
    return entry;
  }

  #remove(cid) {
    const index = this.#entries.findIndex((entry) => entry.cid === cid);
    if (index < 0) return undefined;
    if (cid === this.#underway) this.#settle();
    const [entry] = this.#entries.splice(index, 1);
    return entry;
  }

  /** Another tab of this member has written this. */
  #takeOver(entry) {
    const same = this.#entries.find(({ cid }) => cid === entry.cid);
    if (same) {
      for (const field of Object.keys(same)) delete same[field];
      Object.assign(same, entry);
    } else this.#entries.push(entry);
    this.#sort();
    this.#show();
  }

  /** Another tab has said it, or taken it out. */
  #drop(cid) {
    if (this.#remove(cid)) this.#show();
  }

  #sort() {
    this.#entries.sort((one, other) => one.time - other.time);
  }

  #settle() {
    this.#underway = null;
    clearTimeout(this.#timer);
  }

  #update() {
    this.#store.save(this.#name, this.#entries);
    this.#show();
  }

  #show() {
    attempt(() => this.#handlers.changed(this.#entries));
    this.#drain();
  }

  /** One at a time: a text that is refused for its haste cannot be overtaken by the next. */
  #drain() {
    const next = this.#entries.find((entry) => !entry.failure);
    if (!this.#open || !next) this.#handlers.paused(0);
    if (!this.#open || this.#underway || !next) return;
    clearTimeout(this.#timer);
    const wait_ms = this.#earliest - performance.now();
    this.#handlers.paused(wait_ms > 0 ? this.#earliest : 0);
    if (wait_ms > 0) {
      this.#timer = setTimeout(() => this.#drain(), wait_ms);
      return;
    }
    this.#earliest = performance.now() + this.#interval_ms;
    this.#underway = next.cid;
    this.#timer = setTimeout(() => this.#noteLate(next), LATE_MS);
    this.#handlers.transmit(messageOf(next));
  }

  #giveUpDeletion(cid, code, reason) {
    this.#take(cid);
    // It may have been deleted by what was sent before.
    if (code !== "no_such_event") this.#handlers.notDeleted(reason);
  }

  #noteLate(entry) {
    this.#timer = setTimeout(() => this.#noteUnanswered(entry), ANSWER_MS - LATE_MS);
    this.#handlers.late();
  }

  /** No answer has come. That is the connection's fault, unless every connection has it. */
  #noteUnanswered(entry) {
    entry.unanswered = (entry.unanswered ?? 0) + 1;
    if (entry.unanswered >= MAX_UNANSWERED) entry.failure = words.waiting.unanswered;
    this.#handlers.unanswered();
    this.#update();
  }

  /** Takes in what an earlier page or another tab of this member has left behind. */
  #restore() {
    const known = new Set(this.#entries.map((entry) => entry.cid));
    for (const entry of this.#store.read(this.#name)) {
      if (known.has(entry.cid)) continue;
      entry.cid ||= randomId();
      entry.time ??= Date.now();
      entry.text = wellFormed(entry.text);
      if (Date.now() - entry.time > STALE_MS) entry.failure ??= words.waiting.stale;
      this.#entries.push(entry);
    }
    this.#sort();
    // Of an earlier version's texts some may have the same time: their order is kept.
    this.#entries.forEach((entry, index) => {
      if (index > 0) entry.time = Math.max(entry.time, this.#entries[index - 1].time + 0.001);
    });
  }
}

/** The message by which the server is told. */
function messageOf({ cid, kind, text, type, of, reply_to }) {
  switch (type) {
    case "edit":
      return { type, cid, of, text };
    case "delete":
      return { type, cid, of };
    default:
      return { type: "message", cid, kind, text, reply_to };
  }
}

/** Ids mean other messages now: a reply is said as it is, a correction has nothing to correct. */
function detach(entry) {
  if (entry.of) entry.failure = words.waiting.gone;
  delete entry.reply_to;
}

/** Half an emoji, as where a text was cut, is no character, and U+FFFD stands for it (`toWellFormed` is too new). */
function wellFormed(text) {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

/**
 * The time, so that the server's index is written in order, then 64 random bits: 23 characters, which the server holds
 * in place. `crypto.randomUUID` is missing on pages without TLS.
 */
export function randomId() {
  const numbers = crypto.getRandomValues(new Uint32Array(2));
  return base36(Date.now(), 9) + Array.from(numbers, (number) => base36(number, 7)).join("");
}

function base36(number, width) {
  return number.toString(36).padStart(width, "0");
}

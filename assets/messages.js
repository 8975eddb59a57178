// The messages on the page as they are now: each with its element, what became of it, and who replies to it. Where they
// stand is the timeline's concern.

import { Line } from "./blocks.js";
import { Mentions } from "./mentions.js";
import { MessageState } from "./message_state.js";
import { messageElement, showQuote, showState } from "./slips.js";
import { words } from "./words.js";

/** Types of the events that change a message. */
export const AMENDMENTS = ["edit", "delete", "reaction"];
/** Types of those that are messages: a file is one, with or without a text. */
export const MESSAGES = ["message", "file"];

/** What one can press in a message, but for what is done with all of it. */
const CONTROLS = ":is(a[href],button,audio,video):not(.hand *)";

/** A message, with its line in the log. */
class Message {
  event;
  state;
  /** @type {Line} */
  line;
  /** Nothing more happens to it, since the ids began again. */
  isPast = false;
  /** All of it is shown, however tall it is. */
  isUnfolded = false;

  constructor(event, state, build) {
    this.event = event;
    this.state = state;
    this.line = new Line(() => build(this), event);
  }

  /** Its element, while it is built. */
  get element() {
    return this.line.element;
  }
}

export class Messages {
  #handlers;
  /** @type {Map<number, Message>} */
  #messages = new Map();
  /** The last message of each name, by its id. */
  #spoke = new Map();
  /** The ids of those that reply to an id, which need not be on the page. */
  #replies = new Map();
  /** What we do to messages and is not known to be done, by their ids. */
  #pending = new Map();
  /** Our number, and our names. */
  #author;
  #names = new Set();
  #mentions = new Mentions([]);
  /** The one that Tab leads to, and its message's id. */
  #reachable = null;
  #reachableId = 0;

  /**
   * @param {{
   *   deleted: (id: number) => void,
   *   reacting: (id: number) => {emoji: string, on: boolean}[],
   *   jumpTo: (id: number) => void,
   * }} handlers `reacting`: our reactions on their way
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Who we are from here on. */
  recognize({ author, name }) {
    this.#author = author ?? this.#author;
    this.#names.add(name);
    this.#mentions = new Mentions([name]);
  }

  /** Whether a message of somebody else speaks to us. */
  mentionsUs(event) {
    return !this.#isOwn(event) && this.#mentions.isIn(event.text ?? "");
  }

  /** Takes a message in, as the server knew it at the event `asOf`. Returns its line. */
  add(event, asOf) {
    if (this.#isOwn(event)) this.#names.add(event.name);
    const message = new Message(event, new MessageState(event, asOf), (message) => this.#build(message));
    this.#messages.set(event.id, message);
    if (event.id > this.spokeLast(event.name)) this.#spoke.set(event.name, event.id);
    const { replyTo, deleted } = message.state;
    if (replyTo) this.#replies.set(replyTo, [...(this.#replies.get(replyTo) ?? []), event.id]);
    if (deleted) this.#handlers.deleted(event.id);
    this.#showReplies(event.id);
    return message.line;
  }

  /** Shows what an event changes; nothing, if its message is not on the page. */
  amend(event) {
    const message = this.#messages.get(event.of);
    if (event.type === "delete") this.#handlers.deleted(event.of);
    if (!message?.state.amend(event)) return;
    this.#showQuietly(message);
    if (event.type === "reaction") return;
    this.#showQuote(message);
    this.#showReplies(event.of);
  }

  /**
   * Shows those changes that are on their way where they will be.
   * @param {import("./outbox.js").Entry[]} entries
   * @returns those that cannot be shown so
   */
  showPending(entries) {
    const before = this.#pending;
    const isPending = ({ of, failure, delay }) => this.#messages.has(of) && !failure && !delay;
    this.#pending = new Map(entries.filter(isPending).map((entry) => [entry.of, entry]));
    for (const of of new Set([...before.keys(), ...this.#pending.keys()])) {
      const message = this.#messages.get(of);
      if (message && before.get(of) !== this.#pending.get(of)) this.#showQuietly(message);
    }
    return entries.filter((entry) => entry.type !== "delete" && this.#pending.get(entry.of) !== entry);
  }

  /** The message that an element is, or is in, if anything can be done with it. */
  of(element) {
    const message = this.#messages.get(Number(element.closest("[data-id]")?.dataset.id));
    return message && !message.state.deleted ? message : undefined;
  }

  get(id) {
    return this.#messages.get(id);
  }

  /** Whether nothing was said yet. */
  get isEmpty() {
    return this.#messages.size === 0;
  }

  /** The id of the last message of this name; 0: there is none. */
  spokeLast(name) {
    return this.#spoke.get(name) ?? 0;
  }

  isOwn({ event }) {
    return this.#isOwn(event);
  }

  /** Whether an event is a message of somebody else. */
  isFromOthers(event) {
    return MESSAGES.includes(event.type) && !this.#isOwn(event);
  }

  /** Whether we are among those who reacted with this emoji, or will be. */
  hasOurs(message, emoji) {
    return this.#reactions(message).some((reaction) => reaction.emoji === emoji && reaction.isOurs);
  }

  /** Our reactions on their way have changed. */
  showReacting(id) {
    const message = this.#messages.get(id);
    if (message) this.#showQuietly(message);
  }

  /** The last message of our own. */
  get lastOwn() {
    const own = [...this.#messages.values()].filter(({ event, state }) => this.#isOwn(event) && !state.deleted);
    return own.reduce((last, message) => (message.event.id > (last?.event.id ?? 0) ? message : last), undefined);
  }

  /** From here on Tab leads to this message. @param {Message} message which is built */
  reach({ element, event }) {
    const before = this.#reachable;
    this.#reachable = element;
    this.#reachableId = event.id;
    if (before) this.#setReach(before);
    this.#setReach(element);
  }

  /** The ids begin again: nothing more happens to what is on the page. */
  beginAnew() {
    for (const message of this.#messages.values()) {
      message.isPast = true;
      if (message.element) retire(message.element);
    }
    const before = this.#reachable;
    [this.#reachable, this.#reachableId] = [null, 0];
    if (before) this.#setReach(before);
    this.#messages.clear();
    this.#spoke.clear();
    this.#replies.clear();
    this.#pending.clear();
  }

  #isOwn({ author }) {
    return this.#author !== undefined && author === this.#author;
  }

  #isOurs({ authors, names }) {
    return authors.has(this.#author) || names.some((name) => this.#names.has(name));
  }

  /** Makes the element of a message, as it is now. */
  #build(message) {
    const { event, line } = message;
    line.element = messageElement(event);
    line.element.dataset.id = event.id;
    line.element.classList.toggle("own", this.#isOwn(event));
    this.#show(message);
    this.#showQuote(message);
    if (message.isPast) retire(line.element);
    else if (event.id >= this.#reachableId && !this.#reachable?.contains(document.activeElement)) this.reach(message);
    else if (!this.#reachable?.isConnected) this.reach(message);
    return line.element;
  }

  /** What changes is not read aloud again. */
  #showQuietly(message) {
    message.element?.setAttribute("aria-live", "off");
    this.#show(message);
  }

  #show(message) {
    const { event, state, element } = message;
    if (!element) return;
    showState(element, state, event, {
      // By its id another message may be meant now.
      reactions: message.isPast ? [] : this.#reactions(message),
      pending: message.isPast ? undefined : this.#pending.get(event.id),
      mentions: this.#isOwn(event) ? undefined : this.#mentions,
      isUnfolded: message.isUnfolded,
      unfold: () => this.#unfold(message),
    });
    this.#setReach(element);
  }

  /** Tab leads into the message that it leads to, and past all others: there may be very many links in them. */
  #setReach(element) {
    const tabIndex = element === this.#reachable ? 0 : -1;
    element.tabIndex = tabIndex;
    for (const control of element.querySelectorAll(CONTROLS)) control.tabIndex = tabIndex;
  }

  #unfold(message) {
    message.isUnfolded = true;
    const hadKeyboard = message.element.querySelector(".unfold") === document.activeElement;
    this.#show(message);
    if (hadKeyboard) message.element.focus();
  }

  /** The reactions to a message as they will be, once those of ours are there that are on their way. */
  #reactions({ event, state }) {
    const shown = state.reactions.map((reaction) => ({ ...reaction, isOurs: this.#isOurs(reaction) }));
    for (const { emoji, on } of state.deleted ? [] : this.#handlers.reacting(event.id)) {
      let reaction = shown.find((other) => other.emoji === emoji);
      if (!reaction) shown.push((reaction = { emoji, names: [], count: 0, isOurs: false }));
      if (reaction.isOurs === on) continue;
      reaction.names = on ? [...reaction.names, words.message.you] : reaction.names.filter((name) => !this.#names.has(name));
      reaction.count += on ? 1 : -1;
      Object.assign(reaction, { isOurs: on, isPending: true });
    }
    return shown.filter(({ count }) => count > 0);
  }

  #showReplies(id) {
    for (const reply of this.#replies.get(id) ?? []) {
      const message = this.#messages.get(reply);
      if (message) this.#showQuote(message);
    }
  }

  #showQuote({ state: { replyTo }, element, isPast }) {
    if (!element) return;
    if (!replyTo) return showQuote(element);
    const quoted = isPast ? undefined : this.#messages.get(replyTo);
    const { excerpt, deleted } = quoted?.state ?? {};
    const { name, author } = quoted?.event ?? {};
    const what = quoted ? { name, author, text: excerpt, deleted } : { missing: true };
    showQuote(element, what, () => this.#handlers.jumpTo(replyTo));
    this.#setReach(element);
  }
}

/** Takes away what something could be done with. */
function retire(element) {
  delete element.dataset.id;
  element.querySelectorAll(".hand, .reactions").forEach((part) => part.remove());
  element.querySelector("button.quote")?.setAttribute("disabled", "");
}

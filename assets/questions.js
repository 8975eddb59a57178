// What the server is asked and answers without naming the question: `history`, `who`, `nick`. One at a time, so that
// an answer, or a refusal, can be meant for no other, and no faster than the server allows.

/** A question unanswered this long means that the connection is dead, whatever the browser thinks. */
const ANSWER_MS = 10_000;
/** After a refusal that passes, without a hint from the server. */
const PAUSE_MS = 5000;
/** How a question is answered, by its type. */
const ANSWERS = {
  history: "history",
  who: "members",
  nick: "nick",
  search: "search",
  bans: "bans",
  register: "ok",
  login: "ok",
  password: "ok",
  unregister: "ok",
};

/**
 * `message` makes what is sent at the moment when it is sent: what is known by then may be more. `refused` is for
 * what a person waits for; without it, a question that the server cannot answer now is asked again. `final`: so is none
 * that is too hasty, but its refusal is told.
 * @typedef {{
 *   message: () => object, answered?: (answer: object) => void, refused?: (error: object) => void, final?: boolean,
 * }} Question
 */

export class Questions {
  #handlers;
  #open = false;
  /** @type {Question[]} */
  #waiting = [];
  /** @type {{question: Question, answer: string} | null} */
  #underway = null;
  /** The least time between two questions. */
  #interval_ms = 0;
  #earliest = 0;
  #timer = 0;

  /** @param {{transmit: (message: object) => void, unanswered: () => void}} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** The server can be reached, and takes at most `rate` messages a second (0: no limit). */
  open(rate) {
    this.#interval_ms = rate > 0 ? 1000 / rate : 0;
    this.#open = true;
  }

  /** The connection is gone, and every question with it: what is still to be asked is known after the next `joined`. */
  close() {
    this.#open = false;
    this.#waiting = [];
    this.#settle();
  }

  /** @param {Question} question */
  ask(question) {
    this.#waiting.push(question);
    this.#drain();
  }

  /** The server has said something that may be the answer. */
  answer(message) {
    if (message.type !== this.#underway?.answer) return;
    this.#settle().answered?.(message);
    this.#drain();
  }

  /** The server has refused the question under way. Returns false if there is none. */
  refuse(error) {
    const question = this.#settle();
    if (!question) return false;
    const { final, refused } = question;
    const passes = !final && (error.code === "rate_limited" || (error.code === "storage_failed" && !refused));
    if (passes) {
      this.#waiting.unshift(question);
      this.#earliest = performance.now() + (error.retry_ms ?? PAUSE_MS);
    } else {
      question.refused?.(error);
    }
    this.#drain();
    return true;
  }

  #settle() {
    const question = this.#underway?.question;
    this.#underway = null;
    clearTimeout(this.#timer);
    return question;
  }

  #drain() {
    if (!this.#open || this.#underway || this.#waiting.length === 0) return;
    clearTimeout(this.#timer);
    const wait_ms = this.#earliest - performance.now();
    if (wait_ms > 0) {
      this.#timer = setTimeout(() => this.#drain(), wait_ms);
      return;
    }
    const question = this.#waiting.shift();
    const message = question.message();
    this.#earliest = performance.now() + this.#interval_ms;
    this.#underway = { question, answer: ANSWERS[message.type] };
    this.#timer = setTimeout(() => this.#handlers.unanswered(), ANSWER_MS);
    this.#handlers.transmit(message);
  }
}

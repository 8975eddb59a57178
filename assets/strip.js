// What stands above the text field about what is written there: why it cannot be said, how much more may be written, when
// it goes out. What counts down is shown at each step, and told once to whoever has the page read aloud.

import { number } from "./format.js";
import { lengthLeft } from "./length.js";
import { words } from "./words.js";

const PASSING_MS = 2500;
/** A wait shorter than this is over before it is read. */
const WORTH_TELLING_MS = 1200;

export class Strip {
  #remark;
  #left;
  #pace;
  #spoken;
  #timer = 0;
  #ticking = 0;
  #until_ms = 0;

  /** @param {HTMLFormElement} form */
  constructor(form) {
    this.#remark = form.querySelector("#remark");
    this.#left = form.querySelector("#left");
    this.#pace = form.querySelector("#pace");
    this.#spoken = form.querySelector("#spoken");
  }

  /** Why something cannot be; no words take it away. */
  remark(remark) {
    this.#show(this.#remark, remark);
  }

  /** Tells something that is seen at once and need not stay. */
  tell(text) {
    clearTimeout(this.#timer);
    this.#show(this.#pace, text);
    this.speak(text);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#tick();
    }, PASSING_MS);
  }

  /** Says something to whoever has the page read aloud. */
  speak(text) {
    this.#spoken.textContent = text;
  }

  /** @param {string} text what is to be said of what is written */
  showLength(text, limit_bytes) {
    const left = lengthLeft(text, limit_bytes);
    const wasOver = this.#left.classList.contains("over");
    const isOver = Boolean(left?.isOver);
    this.#left.classList.toggle("over", isOver);
    this.#left.closest(".desk").classList.toggle("over", isOver);
    const shown = left ? this.#wordsOf(left) : "";
    this.#show(this.#left, shown);
    if (isOver !== wasOver) this.speak(isOver ? shown : "");
  }

  /** Something waits until this moment of `performance.now()`; 0: nothing does. */
  countDown(until_ms) {
    const wait_ms = until_ms - performance.now();
    const isNew = Math.abs(until_ms - this.#until_ms) > WORTH_TELLING_MS;
    this.#until_ms = until_ms;
    if (isNew && wait_ms > WORTH_TELLING_MS) this.speak(words.composer.tooQuick(Math.ceil(wait_ms / 1000)));
    if (until_ms === 0 || wait_ms > WORTH_TELLING_MS) this.#tick();
  }

  #wordsOf({ characters, isOver, isExact }) {
    const { tooLong, left, leftAbout } = words.composer;
    if (isOver) return tooLong(characters);
    return isExact ? left(number(characters)) : leftAbout(number(characters));
  }

  #tick() {
    clearTimeout(this.#ticking);
    if (this.#timer) return;
    const wait_ms = this.#until_ms - performance.now();
    this.#show(this.#pace, wait_ms > 0 ? words.composer.goesOut(Math.ceil(wait_ms / 1000)) : "");
    // At the next whole second.
    if (wait_ms > 0) this.#ticking = setTimeout(() => this.#tick(), (wait_ms % 1000) + 1);
  }

  #show(element, text) {
    element.textContent = text;
    element.hidden = !text;
  }
}

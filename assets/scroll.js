// The reader's place in the timeline: at the end it follows what is said, elsewhere it stays.

import { words } from "./words.js";

/** Nearer than this counts as being there. */
const NEAR_PX = 60;

export class Scroll {
  #log;
  #newer;
  #following = true;
  /** Where the last scroll ended: only a way up from there is a wish to read elsewhere. */
  #top = 0;
  #missed = 0;
  #frame = 0;

  /**
   * @param {HTMLElement} log
   * @param {HTMLButtonElement} newer shown while there is something new below
   * @param {() => void} reachedTop
   */
  constructor(log, newer, reachedTop) {
    this.#log = log;
    this.#newer = newer;
    newer.addEventListener("click", () => {
      this.toEnd();
      log.focus();
    });
    log.addEventListener("scroll", () => {
      this.#scrolled();
      if (log.scrollTop < NEAR_PX) reachedTop();
    });
    new ResizeObserver(() => this.#keepUp()).observe(log);
  }

  /** Something was added below. The page is laid out once for all that comes in one frame: a crowd comes at once. */
  follow() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#keepUp();
    });
  }

  toEnd() {
    this.#following = true;
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#top = this.#log.scrollTop;
    this.#miss(0);
  }

  /** Adds something above what is being read. */
  addAbove(add) {
    const fromEnd = this.#log.scrollHeight - this.#log.scrollTop;
    add();
    this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
  }

  /** Adds something before an element, wherever the reader is: the larger part of what is in sight stays. */
  addBefore(next, add) {
    const { top, height } = this.#log.getBoundingClientRect();
    if (next.getBoundingClientRect().top < top + height / 2) this.addAbove(add);
    else add();
    this.follow();
  }

  /** Changes something where it stands, wherever the reader is: what is below and in sight stays. */
  changeAt(element, change) {
    const isAbove = element.getBoundingClientRect().bottom < this.#log.getBoundingClientRect().top;
    if (isAbove && !this.#following) this.addAbove(change);
    else change();
    this.follow();
  }

  /** Counts a message that the reader may have to scroll for. */
  count() {
    if (!this.#following) this.#miss(this.#missed + 1);
  }

  #keepUp() {
    if (this.#following) this.toEnd();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) {
      this.#following = true;
      this.#miss(0);
    } else if (scrollTop < this.#top) {
      this.#following = false;
    }
    this.#top = scrollTop;
  }

  #miss(missed) {
    this.#missed = missed;
    this.#newer.hidden = missed === 0;
    this.#newer.textContent = words.timeline.newer(missed);
  }
}

// The reader's place in the log: at the end it follows what is said, elsewhere it stays, whatever is added around it.

import { words } from "./words.js";

/** Nearer than this counts as being there. */
const NEAR_PX = 60;
/** What is to be read from somewhere on begins so far below the upper edge. */
const ABOVE_PX = 48;

export class Scroll {
  #log;
  #newer;
  #handlers;
  #following = true;
  /** Where the last scroll ended: only a way up from there is a wish to read elsewhere. */
  #top = 0;
  #missed = 0;
  #frame = 0;

  /**
   * @param {HTMLElement} log
   * @param {HTMLButtonElement} newer leads to the end; shown elsewhere
   * @param {{reachedTop: () => void, reachedEnd: () => void, chosen: () => void}} handlers `chosen`: the button was pressed
   */
  constructor(log, newer, handlers) {
    this.#log = log;
    this.#newer = newer;
    this.#handlers = handlers;
    newer.addEventListener("click", () => {
      this.toEnd();
      handlers.chosen();
    });
    log.addEventListener("scroll", () => {
      this.#scrolled();
      if (log.scrollTop < 2 * log.clientHeight) handlers.reachedTop();
    });
    new ResizeObserver(() => this.#keepUp()).observe(log);
  }

  /** Whether the reader is at the end. */
  get isFollowing() {
    return this.#following;
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
    this.#show(0);
  }

  /** Goes up to an element if it is not in sight, so that what is below it is read from there on. */
  readFrom(element, missed) {
    if (this.#following) this.toEnd();
    const { top } = this.#log.getBoundingClientRect();
    if (element.getBoundingClientRect().top >= top) return;
    this.#following = false;
    this.#log.scrollTop += element.getBoundingClientRect().top - top - ABOVE_PX;
    this.#top = this.#log.scrollTop;
    this.#show(missed);
  }

  /** Goes to an element, wherever it is: what is said meanwhile is not followed. */
  goTo(element) {
    this.#following = false;
    element.scrollIntoView({ block: "center" });
    this.#top = this.#log.scrollTop;
    this.#show(this.#missed);
  }

  /** Makes a change anywhere in the log: what is read stays where it is. */
  keepPlace(change) {
    const anchor = this.#following ? undefined : this.#topElement();
    const before = anchor?.getBoundingClientRect().top;
    change();
    if (anchor?.isConnected) this.#log.scrollTop += anchor.getBoundingClientRect().top - before;
    // Where less is above than before, the browser has scrolled up itself.
    this.#top = anchor ? this.#log.scrollTop : Math.min(this.#top, this.#log.scrollTop);
    this.follow();
  }

  /** Counts a message that the reader may have to scroll for. */
  count() {
    if (!this.#following) this.#show(this.#missed + 1);
  }

  /**
   * What is shown at the upper edge of what is read: the button above it stays above what is added there. Where that is not
   * built, the first line below that is: whoever has scrolled up from there reads on from there.
   */
  #topElement() {
    const { top, bottom } = this.#log.getBoundingClientRect();
    const isBelow = (element) => element.getBoundingClientRect().bottom > top;
    const blocks = [...this.#log.querySelectorAll(":scope > :not(button)")].filter(isBelow);
    const built = blocks.find((block) => block.childElementCount > 0);
    const line = [...(built?.children ?? [])].find(isBelow);
    return line && line.getBoundingClientRect().top < 2 * bottom - top ? line : blocks[0];
  }

  #keepUp() {
    if (this.#following) this.toEnd();
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight < NEAR_PX) {
      this.#following = true;
      this.#show(0);
      this.#handlers.reachedEnd();
    } else if (scrollTop < this.#top) {
      this.#following = false;
      this.#show(this.#missed);
    }
    this.#top = scrollTop;
  }

  #show(missed) {
    this.#missed = missed;
    this.#newer.hidden = this.#following;
    this.#newer.dataset.missed = missed;
    this.#newer.querySelector("span").textContent = missed === 0 ? words.timeline.newest : words.timeline.newer(missed);
  }
}

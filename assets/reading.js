// What was read, and what was not: counted for a reader who cannot see it, and marked where it begins.

export class Reading {
  #timeline;
  #scroll;
  #messages;
  #unread;

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./scroll.js").Scroll} scroll
   * @param {import("./messages.js").Messages} messages
   * @param {import("./unread.js").Unread} unread
   */
  constructor(timeline, scroll, messages, unread) {
    this.#timeline = timeline;
    this.#scroll = scroll;
    this.#messages = messages;
    this.#unread = unread;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#lookAtUnread(unread.take());
    });
  }

  /** Something has come. Only what others have said counts. */
  count(event) {
    if (!this.#messages.isFromOthers(event)) return;
    this.#unread.count();
    this.#scroll.count();
    if (document.hidden || !this.#scroll.isFollowing) this.#timeline.markUnread(event.id);
  }

  /** What was said while there was no connection is read from its beginning. */
  showMissed(events) {
    const missed = events.filter((event) => this.#messages.isFromOthers(event));
    if (missed.length === 0) return;
    this.#timeline.markUnread(missed[0].id, true);
    missed.forEach(() => {
      this.#unread.count();
      this.#scroll.count();
    });
    this.#lookAtUnread(missed.length);
  }

  /** Whoever is at the end of a page that is in sight has read it all. */
  noteRead() {
    if (!document.hidden && this.#scroll.isFollowing) this.#timeline.noteRead();
  }

  /** Whoever was at the end goes up to where what was not read begins, should that be out of sight. */
  #lookAtUnread(missed) {
    const mark = this.#scroll.isFollowing && !document.hidden && this.#timeline.unreadElement;
    if (mark) this.#scroll.readFrom(mark, missed);
    this.noteRead();
  }
}

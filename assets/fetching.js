// What is fetched page by page: earlier events, those that were missed, the names that `joined` had no place for.

const EARLIER_EVENTS = 50;
/** A page of what was missed: the most that the server gives at once, and the least that is asked for. */
const MISSED_EVENTS = 200;
const FEWEST_EVENTS = 10;
/** A page around a message that is looked for, and how much of it comes after. */
const AROUND_EVENTS = 50;
const AFTER_EVENTS = 25;

export class Fetching {
  #questions;
  #timeline;
  #members;
  #handlers;
  #askingEarlier = false;
  /** The lazy gap that is asked about. */
  #askingGap = null;
  /** How much history is asked for at once: less after an answer that did not come in time, as over a slow line. */
  #pageEvents = MISSED_EVENTS;

  /**
   * @param {import("./questions.js").Questions} questions
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./members.js").Members} members
   * @param {{missed: (event: object) => void, refused: (error: object) => void}} handlers
   */
  constructor(questions, timeline, members, handlers) {
    this.#questions = questions;
    this.#timeline = timeline;
    this.#members = members;
    this.#handlers = handlers;
  }

  /** An answer did not come in time. */
  askForLess() {
    this.#pageEvents = Math.max(Math.ceil(this.#pageEvents / 4), FEWEST_EVENTS);
  }

  /** The connection is gone, and what was asked over it. */
  stop() {
    this.#askingEarlier = false;
    this.#askingGap = null;
  }

  /** What was said around a message that is not on the page. */
  around(id, done) {
    const before = id + AFTER_EVENTS;
    this.#questions.ask({
      message: () => this.#question(before, AROUND_EVENTS),
      answered: (page) => {
        this.#timeline.addFrom(page, before);
        done();
      },
      refused: this.#handlers.refused,
    });
  }

  /** What is in a lazy gap, beginning where somebody comes from. */
  between(gap, isFromOlder) {
    if (this.#askingGap) return;
    this.#askingGap = gap;
    const count = this.#pageEvents;
    // Ids follow each other, and no more of them have events than there are.
    const before = isFromOlder ? Math.min(gap.after + 1 + count, gap.before) : gap.before;
    this.#questions.ask({
      message: () => this.#question(before, count),
      answered: (page) => {
        this.#askingGap = null;
        if (isFromOlder) this.#timeline.fillFromOlder(gap, page, before);
        else this.#timeline.fillFromNewer(gap, page);
        this.#timeline.lookForGaps();
      },
    });
  }

  earlier() {
    if (this.#askingEarlier) return;
    this.#askingEarlier = true;
    this.#questions.ask({
      message: () => this.#question(this.#timeline.first, Math.min(EARLIER_EVENTS, this.#pageEvents)),
      answered: (page) => {
        this.#askingEarlier = false;
        this.#timeline.addEarlier(page);
      },
      refused: (error) => {
        this.#askingEarlier = false;
        this.#handlers.refused(error);
      },
    });
  }

  /** What was missed and is not on the page yet. */
  missed() {
    const { gap } = this.#timeline;
    if (!gap) return;
    this.#questions.ask({
      message: () => this.#question(gap.before, this.#pageEvents),
      answered: (page) => {
        this.#timeline.fill(gap, page).forEach(this.#handlers.missed);
        this.missed();
      },
    });
  }

  members() {
    if (!this.#members.incomplete) return;
    this.#questions.ask({
      message: () => this.#members.question(),
      answered: (page) => {
        this.#members.add(page);
        this.members();
      },
    });
  }

  #question(before, limit) {
    return { type: "history", before, limit };
  }
}

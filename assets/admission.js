// Whether we are in the room, in words, and the ways back in: what comes after a loss, a refusal, a kick.

import { Entry } from "./entry.js";
import { Status } from "./status.js";
import { words } from "./words.js";

/** Who is in sooner than this is told nothing of it. */
const UNNOTICED_MS = 300;
/** A server that is restarted is back within this time, or it is not restarted. */
const RESTART_MS = 60_000;
/** Before a refused `join` is tried again, without a hint from the server. */
const JOIN_PAUSE_MS = 5000;
/** The close code of a server that stops. */
const GOING_AWAY = 1001;
/** Refusals that pass, in words for somebody who need do nothing. */
const PASSING = { storage_failed: words.status.storageFailed };
/** How the server closes: because a session has ended elsewhere, and after a kick. */
const SESSION_ENDED = "The password";
const KICKED_BY = /^You were kicked by (.+)$/s;
/** Refusals of a `join` that only a person can do something about, and how the page looks then. */
const LASTING = { banned: "banned", room_locked: "locked" };
/** What is asked for after other refusals. */
const ASKED_FOR = {
  name_required: "name",
  name_invalid: "name",
  name_taken: "name",
  password_required: "password",
  password_wrong: "password",
  key_required: "key",
};

export class Admission {
  #status;
  #entry;
  #membership;
  #startPage;
  #handlers;
  /** What was asked for last and has been given. */
  #given;
  /** Until the next attempt, or until an attempt is told of. */
  #timer = 0;
  /** When the server said that it stops. */
  #stopped_ms = -Infinity;
  /** How many texts wait to be said. */
  #waiting = 0;
  /** Shows how the texts wait, where that is told. */
  #tellWaiting = null;

  /**
   * @param {{status: HTMLElement, form: HTMLFormElement, room: HTMLElement}} elements
   * @param {import("./membership.js").Membership} membership
   * @param {string} startPage where other rooms are entered
   * @param {{connect: () => void, retry: () => void}} handlers `retry` brings what is waited for sooner
   */
  constructor({ status, form, room }, membership, startPage, handlers) {
    this.#status = new Status(status, room);
    this.#entry = new Entry(form, { given: (kind, name, secret) => this.#enterWith(kind, name, secret) });
    this.#membership = membership;
    this.#startPage = startPage;
    this.#handlers = handlers;
    this.#status.hide();
  }

  showConnecting() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show("connecting", words.status.connecting), UNNOTICED_MS);
  }

  /** An attempt that was waited for is being made. */
  showTrying() {
    if (this.#tellWaiting) this.#status.detail(words.status.trying);
  }

  showOpen() {
    this.#stopped_ms = -Infinity;
    this.#show("open", words.status.open(this.#membership.name));
  }

  /** We are in. Returns whether anything had been asked for. */
  letIn() {
    this.showOpen();
    this.#given = undefined;
    return this.#entry.hide();
  }

  /** @param {number} wait_ms until the next attempt */
  showLoss(wait_ms, closeCode) {
    if (closeCode === GOING_AWAY) this.#stopped_ms = performance.now();
    const isRestart = performance.now() - this.#stopped_ms < RESTART_MS;
    const ways = [{ label: words.status.tryNow, run: this.#handlers.retry }];
    const end_ms = performance.now() + wait_ms;
    this.#show(...this.#lossWords(isRestart), { ways, wait_ms });
    // The words for what waits go along with the time until the next attempt.
    const tell = () => {
      const left_ms = end_ms - performance.now();
      const waits = navigator.onLine && this.#waiting === 0 ? "" : ` ${words.status.waitHere(this.#waiting)}`;
      const detail = (seconds) => `${seconds > 0 ? words.status.tryingIn(seconds) : words.status.trying}${waits}`;
      this.#status.detail(navigator.onLine ? detail : waits.trim(), left_ms);
    };
    this.#tellWaiting = tell;
    tell();
  }

  #lossWords(isRestart) {
    if (!navigator.onLine) return ["offline", words.status.offline];
    return isRestart ? ["restarting", words.status.restarting] : ["reconnecting", words.status.lost];
  }

  /** So many texts wait to be said. */
  setWaiting(count) {
    if (count === this.#waiting) return;
    this.#waiting = count;
    this.#tellWaiting?.();
  }

  showLeft() {
    this.#showEnd("left", words.status.left, { ways: [this.#join(words.status.joinAgain), this.#leaveForStart] });
  }

  showTakenOver(reason) {
    // The same code ends the sessions of an account elsewhere.
    const { sessionEnded, takenOver, takenOverDetail: detail, joinAgain, useHere } = words.status;
    if (reason.startsWith(SESSION_ENDED)) this.#showEnd("taken-over", sessionEnded, { ways: [this.#join(joinAgain)] });
    else this.#showEnd("taken-over", takenOver, { detail, ways: [this.#join(useHere)] });
  }

  showKicked(reason) {
    const { kicked, kickedBy, joinAgain } = words.status;
    const [, whom] = reason.match(KICKED_BY) ?? [];
    const why = whom ? kickedBy(whom) : reason || kicked;
    this.#showEnd("kicked", why, { ways: [this.#join(joinAgain), this.#leaveForStart] });
  }

  /** The server does not let us in. What comes next depends on why. */
  showRefusal({ code, message, retry_ms }) {
    // What was given last may be none at all, as one that is too long.
    const asked = ASKED_FOR[code] ?? (code === "bad_request" ? this.#given : undefined);
    if (asked) return this.#askFor(asked, message);
    if (code === "no_such_room") return this.#showGone();
    const tryNow = this.#join(words.status.tryNow);
    if (LASTING[code]) return this.#showEnd(LASTING[code], message, { ways: [tryNow, this.#leaveForStart] });
    // Drawn at random, so that a full room does not come back in one instant; never sooner than allowed.
    const wait_ms = (retry_ms ?? JOIN_PAUSE_MS) * (1 + Math.random() / 4);
    const ways = code === "room_full" ? [tryNow, this.#leaveForStart] : [tryNow];
    this.#show("refused", PASSING[code] ?? message, { detail: words.status.tryingIn, wait_ms, ways });
    this.#timer = setTimeout(this.#handlers.connect, wait_ms);
  }

  #showGone() {
    const create = () => {
      this.#membership.bringBack();
      this.#handlers.connect();
    };
    const ways = [{ label: words.status.create, run: create }, this.#leaveForStart];
    this.#showEnd("gone", words.status.gone, { detail: words.status.goneDetail, ways });
  }

  #showEnd(state, reason, more) {
    this.#show(state, reason, { ...more, isEnd: true });
  }

  #show(state, reason, more) {
    clearTimeout(this.#timer);
    this.#tellWaiting = null;
    this.#status.show(state, reason, more);
  }

  #join(label) {
    return { label, run: this.#handlers.connect };
  }

  get #leaveForStart() {
    return { label: words.status.toStart, href: this.#startPage };
  }

  #askFor(kind, reason) {
    this.#show("refused", reason);
    // What else was given still holds: a room may want its key from a name that needs its password.
    if (kind !== "name") this.#membership.show({ [kind]: undefined });
    this.#entry.ask(kind, this.#membership.name);
  }

  /** What was asked for is given: another name, or what goes with it. */
  #enterWith(kind, name, secret) {
    if (kind === "name" || (kind === "password" && name !== this.#membership.name)) this.#membership.choose(name);
    if (kind !== "name") this.#membership.show({ [kind]: secret });
    this.#given = kind;
    this.#handlers.connect();
  }
}

// Whether we are in the room, in words, and the ways back in: what comes after a loss, a refusal, a kick.

import { Entry } from "./entry.js";
import { Status } from "./status.js";
import { words } from "./words.js";

/** Before a refused `join` is tried again, without a hint from the server. */
const JOIN_PAUSE_MS = 5000;
/** Refusals that pass, in words for somebody who need do nothing. */
const PASSING = { storage_failed: words.status.storageFailed };
/** How the server closes: because a session has ended elsewhere, and after a kick. */
const SESSION_ENDED = "The password";
const KICKED_BY = /^You were kicked by (.+)$/s;
/** Refusals of a `join` that only a person can do something about. */
const LASTING = ["banned", "room_locked"];
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
  #timer = 0;

  /**
   * @param {{status: HTMLElement, form: HTMLFormElement}} elements
   * @param {import("./membership.js").Membership} membership
   * @param {string} startPage where other rooms are entered
   * @param {{connect: () => void, retry: () => void}} handlers `retry` brings what is waited for sooner
   */
  constructor({ status, form }, membership, startPage, handlers) {
    this.#status = new Status(status);
    this.#entry = new Entry(form, { given: (kind, name, secret) => this.#enterWith(kind, name, secret) });
    this.#membership = membership;
    this.#startPage = startPage;
    this.#handlers = handlers;
  }

  showConnecting() {
    clearTimeout(this.#timer);
    this.#status.show("connecting", words.status.connecting);
  }

  showOpen() {
    this.#status.show("open", words.status.open(this.#membership.name));
  }

  /** We are in. Returns whether anything had been asked for. */
  letIn() {
    this.showOpen();
    this.#given = undefined;
    return this.#entry.hide();
  }

  showLoss() {
    const tryNow = { label: words.status.tryNow, run: this.#handlers.retry };
    if (navigator.onLine) this.#status.show("reconnecting", words.status.lost, tryNow);
    else this.#status.show("offline", words.status.offline, tryNow);
  }

  showLeft() {
    this.#show("left", words.status.left, words.status.joinAgain);
  }

  showTakenOver(reason) {
    // The same code ends the sessions of an account elsewhere.
    const { sessionEnded, takenOver, useHere } = words.status;
    this.#show("taken-over", reason.startsWith(SESSION_ENDED) ? sessionEnded : takenOver, useHere);
  }

  showKicked(reason) {
    const { kicked, kickedBy, joinAgain } = words.status;
    const [, whom] = reason.match(KICKED_BY) ?? [];
    this.#show("kicked", whom ? kickedBy(whom) : reason || kicked, joinAgain);
  }

  /** The server does not let us in. What comes next depends on why. */
  showRefusal({ code, message, retry_ms }) {
    // What was given last may be none at all, as one that is too long.
    const asked = ASKED_FOR[code] ?? (code === "bad_request" ? this.#given : undefined);
    if (asked) return this.#askFor(asked, message);
    if (code === "no_such_room") {
      return this.#status.show("refused", message, { label: words.status.toStart, href: this.#startPage });
    }
    this.#show("refused", PASSING[code] ?? message, words.status.tryNow);
    if (LASTING.includes(code)) return;
    // Drawn at random, so that a full room does not come back in one instant; never sooner than allowed.
    this.#timer = setTimeout(this.#handlers.connect, (retry_ms ?? JOIN_PAUSE_MS) * (1 + Math.random() / 4));
  }

  #show(state, reason, label) {
    this.#status.show(state, reason, { label, run: this.#handlers.connect });
  }

  #askFor(kind, reason) {
    this.#status.show("refused", reason);
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

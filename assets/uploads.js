// Files on their way to the room: in order, one at a time, kept in memory until they are known to be there. Each has its
// `cid`, by which the server knows one that was sent before; a connection that breaks only takes longer.

import { randomId } from "./outbox.js";
import { refusalWords, words } from "./words.js";

/** Nothing of it gets through for so long: that connection is dead, whatever the browser thinks. */
const STALLED_MS = 30_000;
/** When the page has just come back over another connection, dead ones are no surprise. */
const SUSPECT_MS = 5_000;
/** After the last byte the server has to store it all. */
const ANSWER_MS = 120_000;
/** Before what the server refused for now, or a broken connection, is tried again. */
const PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 120_000;
/** A file that so many connections broke at, while the room could be reached, stands in the way of others. */
const MAX_BROKEN = 4;
/** Refusals that pass: too many at once, and a server that stops or is not there behind its proxy. */
const PASSING = [408, 429, 502, 503, 504];

/**
 * `progress`: how much of it is sent, up to 1. `failure`: why it is not sent any more.
 * @typedef {{
 *   cid: string, file: File, text: string, state: "waiting" | "sending" | "failed", progress: number, failure?: string,
 *   broken: number,
 * }} Upload
 */

export class Uploads {
  #url;
  #token;
  #handlers;
  /** @type {Upload[]} */
  #uploads = [];
  #open = false;
  /** The one on its way, and the request that it is in. */
  #underway = null;
  #request = null;
  #timer = 0;
  #pause = 0;
  /** A proxy that has its own use for the field takes no token. The cookie names who this browser was last. */
  #byCookie = false;

  /**
   * @param {string} url where files are shared
   * @param {() => string | undefined} token of the member who shares them
   * @param {{changed: (uploads: Upload[]) => void}} handlers
   */
  constructor(url, token, handlers) {
    this.#url = url;
    this.#token = token;
    this.#handlers = handlers;
  }

  /** Puts files at the end; the text goes with the first. */
  add(files, text) {
    files.forEach((file, index) => {
      const first = index === 0 ? text : "";
      this.#uploads.push({ cid: randomId(), file, text: first, state: "waiting", progress: 0, broken: 0 });
    });
    this.#update();
  }

  /** The room can be reached. */
  open() {
    this.#open = true;
    if (this.#request) this.#watch(SUSPECT_MS);
    this.#update();
  }

  /** The room cannot be reached. What is on its way may get there all the same. */
  close() {
    this.#open = false;
  }

  /** The room has it. */
  acknowledge(cid) {
    if (this.#uploads.some((upload) => upload.cid === cid)) this.#take(cid);
  }

  /** Sends a failed one again, after the others. */
  retry(cid) {
    const upload = this.#uploads.find((upload) => upload.cid === cid);
    if (upload?.state !== "failed") return;
    this.#uploads = [...this.#uploads.filter((other) => other !== upload), upload];
    Object.assign(upload, { state: "waiting", failure: undefined, broken: 0 });
    this.#update();
  }

  /** It is not to be shared. */
  discard(cid) {
    this.#take(cid);
  }

  #take(cid) {
    this.#uploads = this.#uploads.filter((upload) => upload.cid !== cid);
    if (this.#underway?.cid === cid) this.#stop();
    this.#update();
  }

  #update() {
    this.#handlers.changed(this.#uploads);
    this.#drain();
  }

  #drain() {
    const next = this.#uploads.find(({ state }) => state === "waiting");
    if (!this.#open || this.#underway || this.#pause || !next) return;
    this.#send(next);
  }

  #send(upload) {
    const request = new XMLHttpRequest();
    this.#underway = upload;
    this.#request = request;
    const isCurrent = () => request === this.#request;
    const show = (progress) => {
      Object.assign(upload, { state: "sending", progress });
      this.#handlers.changed(this.#uploads);
    };
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      if (!isCurrent()) return;
      this.#watch(STALLED_MS);
      show(total ? loaded / total : 0);
    });
    request.upload.addEventListener("load", () => {
      if (!isCurrent()) return;
      this.#watch(ANSWER_MS);
      show(1);
    });
    request.addEventListener("load", () => isCurrent() && this.#answered(upload, request));
    request.addEventListener("error", () => isCurrent() && this.#broken());
    const { cid, file, text } = upload;
    const query = new URLSearchParams({ name: file.name, cid, ...(text && { text }) });
    request.open("POST", `${this.#url}?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (!this.#byCookie) request.setRequestHeader("Authorization", `Bearer ${this.#token()}`);
    this.#watch(STALLED_MS);
    show(0);
    request.send(file);
  }

  #answered(upload, request) {
    const { status } = request;
    if (status < 300) return this.#take(upload.cid);
    const reason = reasonOf(request);
    const pause_ms = Number(request.getResponseHeader("Retry-After")) * 1000 || PAUSE_MS;
    this.#stop();
    // While we are away we may be no member; when we are back we are one.
    if (this.#open) {
      if (PASSING.includes(status)) this.#waitFor(Math.min(pause_ms, LONGEST_PAUSE_MS));
      else if (status === 401 && !this.#byCookie) this.#byCookie = true;
      else fail(upload, reason);
    }
    this.#update();
  }

  /** No answer came. That is the network's fault, unless it happens again and again while the room can be reached. */
  #broken() {
    const upload = this.#underway;
    this.#stop();
    if (this.#open) {
      upload.broken += 1;
      if (upload.broken >= MAX_BROKEN) fail(upload, words.files.broken);
      this.#waitFor(PAUSE_MS);
    }
    this.#update();
  }

  /** Gives the request up that is underway, if it does not get on. */
  #watch(patience_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#broken(), patience_ms);
  }

  #waitFor(pause_ms) {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = 0;
      this.#drain();
    }, pause_ms);
  }

  /** Ends the request that is underway; its file waits again, if it is still wanted. */
  #stop() {
    clearTimeout(this.#timer);
    const [upload, request] = [this.#underway, this.#request];
    this.#underway = null;
    this.#request = null;
    Object.assign(upload, { state: "waiting", progress: 0 });
    request.abort();
  }
}

function fail(upload, reason) {
  Object.assign(upload, { state: "failed", failure: reason });
}

/** Why the server does not take it. */
function reasonOf({ status, responseText }) {
  try {
    return refusalWords(JSON.parse(responseText).error);
  } catch {
    return words.files.refused(status);
  }
}

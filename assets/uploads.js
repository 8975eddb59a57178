// Files on their way to the room: in order, one at a time, kept in memory until they are known to be there. Each has its
// `cid`, by which the server knows one that was sent before; a connection that breaks only takes longer.

import { randomId } from "./outbox.js";

/** Nothing of it gets through for so long: that connection is dead, whatever the browser thinks. */
const STALLED_MS = 30_000;
/** When the page has just come back over another connection, dead ones are no surprise. */
const SUSPECT_MS = 5_000;
/** After the last byte the server has to store it all. */
const ANSWER_MS = 120_000;
/** Before what the server refused for now, or a broken connection, is tried again. */
const PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 120_000;
/** A file that so many connections broke at, though the room could still be reached, stands in the way of others. */
const MAX_BROKEN = 4;
/** Refusals that pass: too many at once, and a server that stops or is not there behind its proxy. */
const PASSING = [408, 429, 502, 503, 504];

/**
 * `progress`: how much of it is sent, up to 1. `failure`: why it is not sent any more; `delay`: why it waits, though it is
 * tried again, and `delays` how often; `broken`: how often the connection broke.
 * @typedef {{
 *   cid: string, file: File, text: string, state: "waiting" | "sending" | "failed", progress: number, failure?: string,
 *   delay?: string, delays: number, broken: number,
 * }} Upload
 */

export class Uploads {
  #url;
  #token;
  #handlers;
  /** @type {Upload[]} */
  #uploads = [];
  #open = false;
  /** The `cid` of those that were stopped on their way: that may have been too late. */
  #unwanted = new Set();
  /** How often the room could not be reached any more. */
  #losses = 0;
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

  /** Whether anything would be lost with the page. */
  get areUnderway() {
    return this.#uploads.some(({ state }) => state !== "failed");
  }

  /** Puts files at the end; the text goes with the first. */
  add(files, text) {
    files.forEach((file, index) => {
      const first = index === 0 ? text : "";
      this.#uploads.push({ cid: randomId(), file, text: first, state: "waiting", progress: 0, delays: 0, broken: 0 });
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
    this.#losses += 1;
  }

  /** The room has it. */
  acknowledge(cid) {
    if (this.#find(cid)) this.#take(cid);
  }

  /** Sends a failed one again, after the others; one that only waits for its time, at once. */
  retry(cid) {
    const upload = this.#find(cid);
    if (upload?.delay) return this.#endPause();
    if (upload?.state !== "failed") return;
    this.#uploads = [...this.#uploads.filter((other) => other !== upload), upload];
    Object.assign(upload, { state: "waiting", failure: undefined, delays: 0, broken: 0 });
    this.#update();
  }

  /** It is not to be shared. */
  discard(cid) {
    this.#unwanted.add(cid);
    this.#take(cid);
  }

  /** None is to be shared. */
  discardAll() {
    this.#uploads = [];
    if (this.#underway) this.#stop();
    this.#update();
  }

  /** Whether it was stopped, and is there all the same: said once. */
  isUnwanted(cid) {
    return this.#unwanted.delete(cid);
  }

  #find(cid) {
    return this.#uploads.find((upload) => upload.cid === cid);
  }

  #take(cid) {
    const upload = this.#find(cid);
    this.#uploads = this.#uploads.filter((other) => other !== upload);
    if (this.#underway === upload) this.#stop();
    // The pause is for this one: the next may be taken now.
    if (upload?.delay) this.#endPause();
    else this.#update();
  }

  #update() {
    this.#handlers.changed(this.#uploads);
    // Only while it is needed: browsers keep no page for the way back that listens for this.
    if (this.areUnderway) window.addEventListener("beforeunload", askFirst);
    else window.removeEventListener("beforeunload", askFirst);
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
      Object.assign(upload, { state: "sending", progress, delay: undefined });
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
    request.open("POST", `${this.#url}?${new URLSearchParams({ name: file.name, cid })}`);
    if (!text) request.setRequestHeader("Content-Type", "application/octet-stream");
    if (!this.#byCookie) request.setRequestHeader("Authorization", `Bearer ${this.#token()}`);
    this.#watch(STALLED_MS);
    show(0);
    request.send(text ? formOf(text, file) : file);
  }

  #answered(upload, request) {
    const { status } = request;
    if (status < 300) return this.#take(upload.cid);
    const words = refusalOf(request);
    const hint_ms = Number(request.getResponseHeader("Retry-After")) * 1000;
    this.#stop();
    // While we are away we may be no member; when we are back we are one.
    if (this.#open) {
      if (PASSING.includes(status)) this.#delay(upload, hint_ms);
      // What our own server says of the token is so: the cookie may be another tab's, of somebody else.
      else if (status === 401 && !words && !this.#byCookie) this.#byCookie = true;
      else fail(upload, words ?? foreignRefusal(status));
    }
    this.#update();
  }

  /** No answer came. That is the network's fault, unless it happens again and again while the room can be reached. */
  #broken() {
    const [upload, losses] = [this.#underway, this.#losses];
    this.#stop();
    // That the room cannot be reached any more may be noticed a little later.
    if (this.#open) this.#waitFor(PAUSE_MS, () => losses === this.#losses && this.#blame(upload));
    this.#update();
  }

  #blame(upload) {
    upload.broken += 1;
    if (upload.broken >= MAX_BROKEN) fail(upload, "The connection breaks whenever it is sent, or it cannot be read.");
  }

  /** Gives the request up that is underway, if it does not get on. */
  #watch(patience_ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#broken(), patience_ms);
  }

  /** The server takes it later, perhaps at a time that it knows: otherwise each try costs it the whole file again. */
  #delay(upload, hint_ms) {
    const pause_ms = Math.min(hint_ms || PAUSE_MS * 2 ** upload.delays, LONGEST_PAUSE_MS);
    upload.delays += 1;
    upload.delay = `The server takes nothing more now. It is sent again in ${Math.ceil(pause_ms / 1000)} s.`;
    this.#waitFor(pause_ms);
  }

  #waitFor(pause_ms, run = () => {}) {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      run();
      this.#endPause();
    }, pause_ms);
  }

  #endPause() {
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.#update();
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

function fail(upload, words) {
  Object.assign(upload, { state: "failed", failure: words });
}

/** Why our server does not take it, in its own words; undefined, if it is another, before it, that does not. */
function refusalOf({ responseText }) {
  try {
    return JSON.parse(responseText).error.message;
  } catch {
    return undefined;
  }
}

/** Of what stands before our server, little is known. */
function foreignRefusal(status) {
  if (status === 413) return "It is too large for a proxy on the way to the server.";
  return `The server does not take it (${status}).`;
}

/** A text may be too long for an address: proxies take fewer bytes there than the server does. */
function formOf(text, file) {
  const form = new FormData();
  form.append("text", text);
  form.append("file", file);
  return form;
}

/** What is on its way is lost with the page: the browser asks whether that is meant. */
function askFirst(event) {
  event.preventDefault();
  // Browsers of three years ago only knew this.
  event.returnValue = true;
}

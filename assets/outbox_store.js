// The texts of an outbox as the browser keeps them, for all tabs of one member: each under a key of its own, so that no
// tab writes over what another one has written. What another version has left here is read as far as it can be.

import { memory } from "./memory.js";

/** What is kept of an entry, and what it has to be. */
const FIELDS = {
  cid: "string",
  kind: "string",
  text: "string",
  time: "number",
  failure: "string",
  delay: "string",
  unanswered: "number",
  broken: "number",
  type: "string",
  of: "number",
  reply_to: "number",
  epoch: "string",
};

export class OutboxStore {
  #memory;
  /** All texts of a member under one key, as earlier versions wrote them. */
  #lists;
  #name;
  /** What is stored of each that is this member's, by its `cid`, as it is known here. */
  #known = new Map();

  /**
   * @param {string} prefix of what is stored
   * @param {{
   *   written: (entry: import("./outbox.js").Entry) => void,
   *   taken: (cid: string) => void,
   * }} handlers are told of what other tabs do
   */
  constructor(prefix, { written, taken }) {
    this.#memory = memory("localStorage", `${prefix}:outbox-entry`);
    this.#lists = memory("localStorage", `${prefix}:outbox`);
    this.#memory.watch((cid, stored) => {
      const entry = stored && read({ ...stored, cid });
      if (entry && stored.name === this.#name) {
        this.#known.set(cid, JSON.stringify(stored));
        written(entry);
      } else {
        // It is somebody else's now, or it never was ours.
        this.#known.delete(cid);
        taken(cid);
      }
    });
  }

  /** Reads the texts of this member, the oldest first. */
  read(name) {
    this.#name = name;
    const entries = [];
    for (const cid of this.#memory.keys()) {
      const stored = this.#memory.read(cid);
      const entry = stored?.name === name && read({ ...stored, cid });
      if (!entry) continue;
      this.#known.set(cid, JSON.stringify(stored));
      entries.push(entry);
    }
    const list = this.#lists.read(name);
    const listed = (Array.isArray(list) ? list : []).map(read).filter(Boolean);
    return [...entries.sort((one, other) => one.time - other.time), ...listed];
  }

  /** Writes what is new or has changed of a member's texts, and takes away those that are gone. */
  save(name, entries) {
    const gone = new Set(this.#known.keys());
    let isAll = true;
    for (const entry of entries) {
      const json = JSON.stringify({ ...entry, name });
      gone.delete(entry.cid);
      if (this.#known.get(entry.cid) === json) continue;
      if (this.#memory.write(entry.cid, { ...entry, name })) this.#known.set(entry.cid, json);
      else isAll = false;
    }
    for (const cid of gone) {
      this.#memory.forget(cid);
      this.#known.delete(cid);
    }
    if (isAll) this.#lists.forget(name);
  }
}

/** The entry that was stored, as far as it can be one. */
function read(stored) {
  if (typeof stored?.text !== "string") return undefined;
  const fields = Object.entries(stored).filter(([field, value]) => typeof value === FIELDS[field]);
  return Object.fromEntries(fields);
}

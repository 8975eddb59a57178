// The rooms that this browser has been in, the last one first: the start page offers them.

import { memory } from "./memory.js";

const MOST = 6;

/** @typedef {{code: string, name: string, topic: string, time: number}} RecentRoom */

export class RecentRooms {
  #memory;

  /** @param {string} base the path that all rooms are below */
  constructor(base) {
    this.#memory = memory("localStorage", `snug:${base}`);
  }

  /** @returns {RecentRoom[]} */
  get all() {
    const rooms = this.#memory.read("recent");
    return Array.isArray(rooms) ? rooms.filter(isRoom) : [];
  }

  /** We are in this room now. */
  remember(code, name, topic) {
    const others = this.all.filter((room) => room.code !== code);
    this.#memory.write("recent", [{ code, name, topic, time: Date.now() }, ...others].slice(0, MOST));
  }

  forget(code) {
    this.#memory.write(
      "recent",
      this.all.filter((room) => room.code !== code),
    );
  }
}

/** Whether that is one: another version may have written it. */
function isRoom(room) {
  return typeof room?.code === "string" && !Number.isNaN(new Date(room.time).getTime());
}

// The usual emoji as they are looked for, and those that somebody has used lately. The list itself is `emoji.js`.

import list from "./emoji.js";
import { memory } from "./memory.js";

const RECENT = 16;

/** @typedef {{emoji: string, name: string, words: string[]}} Emoji */

/** @type {Record<string, Emoji[]>} by what they are about */
export const EMOJIS = Object.fromEntries(Object.entries(list).map(([group, lines]) => [group, lines.split("\n").map(read)]));

const all = Object.values(EMOJIS).flat();
const known = new Map(all.map((entry) => [entry.emoji, entry]));

/** Those of which each of the words begins one of theirs; the ones whose names begin so first. @returns {Emoji[]} */
export function searchEmojis(text) {
  const sought = text.toLowerCase().split(/[\s_]+/).filter(Boolean);
  const begins = (emoji) => sought.every((word) => emoji.words.some((other) => other.startsWith(word)));
  const rank = ({ name }) => (name.startsWith(sought[0]) ? 0 : 1);
  return all.filter(begins).sort((one, other) => rank(one) - rank(other));
}

/** What the emoji is called; one that is not in the list is its own name. */
export function emojiName(emoji) {
  return known.get(emoji)?.name ?? emoji;
}

/** Those used lately, kept in the browser. */
export class RecentEmojis {
  #memory;

  /** @param {string} base of all rooms of this server */
  constructor(base) {
    this.#memory = memory("localStorage", `snug:${base}`);
  }

  /** @returns {string[]} the last one first */
  get list() {
    const kept = this.#memory.read("emoji");
    return Array.isArray(kept) ? kept.filter((emoji) => typeof emoji === "string").slice(0, RECENT) : [];
  }

  note(emoji) {
    this.#memory.write("emoji", [emoji, ...this.list.filter((other) => other !== emoji)].slice(0, RECENT));
  }
}

/** @returns {Emoji} */
function read(line) {
  const [, emoji, name, others] = line.match(/^(\S+) (.*)\|(.*)$/);
  return { emoji, name, words: `${name} ${others}`.toLowerCase().split(" ") };
}

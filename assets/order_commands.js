// The commands by which operators keep order, as they are typed: the same words as in a terminal, read into the message
// that tells the server.

import { words } from "./words.js";

const UNITS_S = { s: 1, m: 60, h: 3600, d: 86_400 };
/** What each takes: names of people, a time, words. */
const NEEDS = {
  op: ["name"],
  deop: ["name"],
  kick: ["name", "words"],
  ban: ["name", "time", "words"],
  unban: ["name"],
  mute: ["name", "time"],
  unmute: ["name"],
  lock: [],
  unlock: [],
  key: ["words"],
  topic: ["words"],
  slow: ["time"],
};

/**
 * @param {string} command without its slash
 * @param {string} argument
 * @param {string[]} names of those who are here: a name may have spaces in it
 * @returns {{message: object} | {reason: string} | null} the message, or what is wrong with it, or null if it is none
 */
export function readOrder(command, argument, names) {
  if (!Object.hasOwn(NEEDS, command)) return null;
  const needs = NEEDS[command];
  const message = { type: "moderate", action: command };
  let rest = argument.trim();
  if (needs.includes("name")) {
    [message.name, rest] = takeName(rest, names);
    if (!message.name) return { reason: words.command.needsName(command) };
  }
  if (needs.includes("time")) {
    const [, count, unit, after] = rest.match(/^(\d{1,9})([smhd])(?!\S)\s*(.*)$/s) ?? [];
    if (count) [message.seconds, rest] = [count * UNITS_S[unit], after];
  }
  if (needs.includes("words") && rest) [message.value, rest] = [rest, ""];
  if (!rest) return { message };
  if (needs.includes("time")) return { reason: words.command.time };
  return { reason: words.command.noMore(command) };
}

/** The longest name that it begins with, or one in quotation marks, or the first word. */
function takeName(text, names) {
  const quoted = text.match(/^"([^"]+)"\s*(.*)$/s);
  if (quoted) return quoted.slice(1);
  const [lower, isWhole] = [text.toLowerCase(), (end) => end === text.length || /\s/.test(text[end])];
  const begins = names.filter((name) => lower.startsWith(name.toLowerCase()) && isWhole(name.length));
  const longest = begins.reduce((one, other) => (other.length > one.length ? other : one), text.match(/^\S*/)[0]);
  return [longest, text.slice(longest.length).trim()];
}

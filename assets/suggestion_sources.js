// What is suggested while one writes: commands behind a slash, names behind an @, emoji behind a colon.

import { lengthBeforeName, listCommands } from "./commands.js";

const MOST = 8;
/** A name in a sentence is not looked for any further than this. */
const NAME_CHARACTERS = 64;
/** Fewer letters may be a smiley. */
const EMOJI = /(?:^|[\s(])(:([\p{L}\p{N}_+-]{2,}))$/u;

/** @param {() => boolean} isOperator */
export function commandSource(isOperator) {
  return (before) => {
    if (!/^\/[a-z]*$/.test(before)) return null;
    const begun = listCommands(isOperator()).filter(({ command }) => command.startsWith(before));
    // The one that is written already stands first.
    begun.sort((one, other) => (other.command === before) - (one.command === before));
    const options = begun.map(({ command, takes, does }) => ({ label: command, insert: command, detail: [takes, does].filter(Boolean).join(" · ") }));
    return { from: 0, options, isWhole: begun[0]?.command === before };
  };
}

/**
 * @param {{names: () => string[], ownName: () => string, spokeLast: (name: string) => number}} people who is here, and a
 *   number that is the higher the later one has said something
 */
export function nameSource({ names, ownName, spokeLast }) {
  const suggest = (from, written, mark) => {
    const found = matching(names(), written).filter(({ name }) => name !== ownName());
    found.sort((one, other) => one.rank - other.rank || spokeLast(other.name) - spokeLast(one.name));
    const [first, second] = found;
    // There is nothing left to be written.
    if (first && !second && fold(first.name) === fold(written)) return null;
    return { from, options: found.slice(0, MOST).map(({ name }) => ({ label: name, insert: mark + name })) };
  };
  return (before) => {
    const order = lengthBeforeName(before);
    if (order > 0 && !before.includes("\n")) return suggest(order, before.slice(order), "");
    const at = before.lastIndexOf("@");
    const written = before.slice(at + 1);
    if (at < 0 || written.length > NAME_CHARACTERS || /\n/.test(written)) return null;
    // In the middle of a word it is an address.
    if (/[\p{L}\p{N}]$/u.test(before.slice(0, at))) return null;
    const found = suggest(at, written, "@");
    return found?.options.length > 0 ? found : null;
  };
}

/** @param {() => Promise<import("./emojis.js")>} load */
export function emojiSource(load) {
  return async (before) => {
    const [, colon, word] = before.match(EMOJI) ?? [];
    if (!colon) return null;
    const { searchEmojis } = await load();
    const options = searchEmojis(word).slice(0, MOST).map(({ emoji, name }) => ({ label: name, icon: emoji, insert: emoji }));
    return { from: before.length - colon.length, options };
  };
}

/** Names that begin with what is written, and behind those the ones of which a later word does. */
function matching(names, written) {
  const sought = fold(written);
  const found = [];
  for (const name of names) {
    const folded = fold(name);
    if (folded.startsWith(sought)) found.push({ name, rank: 0 });
    else if (sought && folded.includes(` ${sought}`)) found.push({ name, rank: 1 });
  }
  return found;
}

/** Without accents and capitals. */
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

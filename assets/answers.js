// What the page itself answers to a command: at the end of the log, to oneself alone.

import { listCommands } from "./commands.js";
import { make } from "./elements.js";
import { nameElement, viaWords } from "./format.js";
import { words } from "./words.js";

/** So many are named; the others are counted. */
const NAMED = 200;

/**
 * The commands, or the one that is asked for; null: there is no such command.
 * @param {string} asked with its slash or without
 */
export function helpElement(asked, isOperator) {
  const command = asked && `/${asked.trim().replace(/^\/+/, "").toLowerCase()}`;
  const listed = listCommands(isOperator || Boolean(command)).filter((other) => !command || other.command === command);
  if (listed.length === 0) return null;
  const list = make("dl", "");
  for (const { command, takes, does } of listed) {
    const usage = make("code", "");
    const [term, description] = [make("dt", ""), make("dd", "")];
    usage.textContent = [command, takes].filter(Boolean).join(" ");
    term.append(usage);
    description.textContent = does;
    list.append(term, description);
  }
  return answerElement(list);
}

/** @param {{name: string, via: string}[]} members those known, of so many */
export function whoElement(members, count) {
  const line = make("p", "");
  const named = members.slice(0, NAMED);
  line.append(words.command.here(count));
  named.forEach(({ name, via }, index) => line.append(index > 0 ? ", " : "", nameElement(name), ` (${viaWords(via)})`));
  if (count > named.length) line.append(words.command.othersHere(count - named.length));
  return answerElement(line);
}

function answerElement(content) {
  const element = make("div", "notice answer");
  const small = document.createElement("small");
  small.textContent = words.command.onlyYou;
  element.append(content, small);
  return element;
}

// The commands that begin with a slash: what each takes and does, and how a text is read that may be one.

import { words } from "./words.js";

/** What is written behind each. */
const COMMANDS = {
  me: "TEXT",
  nick: "NAME",
  who: "",
  search: "WORDS",
  register: "",
  login: "",
  password: "",
  unregister: "",
  leave: "",
  help: "[COMMAND]",
};

/** Those of operators. */
const ORDERS = {
  op: "NAME",
  deop: "NAME",
  kick: "NAME [WHY]",
  ban: "NAME [TIME] [WHY]",
  unban: "NAME",
  bans: "",
  mute: "NAME [TIME]",
  unmute: "NAME",
  lock: "",
  unlock: "",
  key: "[WORD]",
  topic: "[TEXT]",
  slow: "[TIME]",
};

/** Those that begin with the name of somebody who is here. */
const ABOUT_MEMBERS = /^\/(?:op|deop|kick|ban|mute|unmute) +/;

/**
 * @typedef {{action: "say" | "me" | "nick", text: string} | {action: "leave"} | {action: "run", run: () => void}
 *   | {action: "refuse", reason: string}} Intent
 */

/** The commands that one may use, in the order in which they are listed. */
export function listCommands(isOperator) {
  const all = Object.entries({ ...COMMANDS, ...(isOperator ? ORDERS : {}) });
  return all.map(([command, takes]) => ({
    command: `/${command}`,
    takes: takes.replace(/[A-Z]+/g, (word) => words.command.takes[word]),
    does: words.command.does[command],
  }));
}

/** How long the beginning of an order is behind which somebody's name belongs; 0: it is none. */
export function lengthBeforeName(text) {
  return text.match(ABOUT_MEMBERS)?.[0].length ?? 0;
}

/**
 * What a person means by a text that is not blank. `otherCommand` reads those that are not about what is said.
 * @returns {Intent}
 */
export function interpret(text, otherCommand) {
  if (!text.startsWith("/")) return { action: "say", text };
  if (text.startsWith("//")) return { action: "say", text: text.slice(1) };
  const [, command, argument] = text.match(/^\/(\S*)\s*(.*)$/s);
  switch (command) {
    case "me":
      return argument ? { action: "me", text: argument } : refuse(words.command.me);
    case "nick":
      return argument ? { action: "nick", text: argument } : refuse(words.command.nick);
    case "leave":
      return { action: "leave" };
    default: {
      const { run, reason } = otherCommand(command, argument) ?? {};
      return run ? { action: "run", run } : refuse(reason ?? words.command.unknown(command));
    }
  }
}

/** The part of a text that would be said; nothing of a command is. */
export function saidOf(text) {
  const { action, text: said } = interpret(text.trimEnd(), () => null);
  return action === "say" || action === "me" ? said : "";
}

export function refuse(reason) {
  return { action: "refuse", reason };
}

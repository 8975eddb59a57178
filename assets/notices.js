// Events that are no messages, each as one line of plain words.

import { make } from "./elements.js";
import { duration, nameElement, timeElement } from "./format.js";
import { words } from "./words.js";

/** Any event but a message; also one that only a newer page than this one knows. */
export function noticeElement(event) {
  const element = make("p", "notice");
  element.append(...wordsOf(event), " ", timeElement(event.time));
  return element;
}

function wordsOf(event) {
  const name = nameElement(event.name, event.by ? undefined : event.author);
  const by = nameElement(event.by ?? event.name);
  const { notice } = words;
  switch (event.type) {
    case "enter":
    case "part":
      return notice[event.type](name);
    case "nick":
      return notice.nick(name, nameElement(event.to, event.author));
    case "topic":
      return event.text ? notice.topic(by, isolated(event.text)) : notice.noTopic(by);
    case "kick":
      return event.reason ? notice.kickBecause(by, name, isolated(event.reason)) : notice.kick(by, name);
    case "mode":
      return modeWords(event, name, by);
    default:
      return notice.unknown(name);
  }
}

function modeWords({ change, name: whom, by: who, seconds }, name, by) {
  const { notice } = words;
  const time = seconds ? duration(seconds) : undefined;
  switch (change) {
    case "op":
      return whom === who ? notice.isOperator(name) : notice.op(by, name);
    case "deop":
      return whom === who ? notice.noOperator(name) : notice.deop(by, name);
    case "ban":
      return time ? notice.banFor(by, name, time) : notice.ban(by, name);
    case "mute":
      return time ? notice.muteFor(by, name, time) : notice.mute(by, name);
    case "unban":
    case "unmute":
      return notice[change](by, name);
    case "lock":
    case "unlock":
    case "key":
    case "unkey":
      return notice[change](by);
    case "slow":
      return time ? notice.slow(by, time) : notice.noSlow(by);
    default:
      return notice.unknown(by);
  }
}

/** A text that cannot turn the direction of the rest. */
function isolated(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}

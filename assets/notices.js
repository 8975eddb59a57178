// Events that are no messages, each as one line of plain words.

import { make } from "./elements.js";
import { duration, nameElement, timeElement } from "./format.js";

/** Any event but a message; also one that only a newer page than this one knows. */
export function noticeElement(event) {
  const element = make("p", "notice");
  element.append(...wordsOf(event), " ", timeElement(event.time));
  return element;
}

function wordsOf(event) {
  const name = nameElement(event.name, event.by ? undefined : event.author);
  const by = nameElement(event.by ?? event.name);
  switch (event.type) {
    case "enter":
      return [name, " came in"];
    case "part":
      return [name, " left"];
    case "nick":
      return [name, " is now ", nameElement(event.to, event.author)];
    case "topic":
      return event.text ? [by, " set the topic: ", isolated(event.text)] : [by, " took the topic away"];
    case "kick":
      return [by, " removed ", name, ...(event.reason ? [": ", isolated(event.reason)] : [])];
    case "mode":
      return modeWords(event, name, by);
    default:
      return unknownWords(name);
  }
}

function modeWords({ change, name: whom, by: who, seconds }, name, by) {
  const time = seconds ? ` for ${duration(seconds)}` : "";
  switch (change) {
    case "op":
      return whom === who ? [name, " is an operator now"] : [by, " made ", name, " an operator"];
    case "deop":
      return whom === who ? [name, " is no operator any more"] : [by, " made ", name, " no operator any more"];
    case "ban":
      return [by, " banned ", name, time];
    case "unban":
      return [by, " lets ", name, " come in again"];
    case "mute":
      return [by, " muted ", name, time];
    case "unmute":
      return [by, " lets ", name, " speak again"];
    case "lock":
      return [by, " locked the room: nobody new comes in"];
    case "unlock":
      return [by, " unlocked the room"];
    case "key":
      return [by, " set a key: who is new here has to give it"];
    case "unkey":
      return [by, " took the key away"];
    case "slow":
      return seconds ? [by, ` began slow mode: one message in ${duration(seconds)}`] : [by, " ended slow mode"];
    default:
      return unknownWords(by);
  }
}

function unknownWords(name) {
  return [name, " did something that this page cannot show. To see it, load the page again."];
}

/** A text that cannot turn the direction of the rest. */
function isolated(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}

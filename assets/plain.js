// An event that could not be shown as it should be: who, when, what, and nothing that could fail in turn.

import { make } from "./elements.js";

/** @param {object | undefined} event */
export function plainElement(event) {
  const isMessage = event?.type === "message" || event?.type === "file";
  const element = isMessage ? make("article", "message") : make("p", "notice");
  element.classList.add("plain");
  const by = part("bdi", "name", event?.name);
  const text = part("span", "text", event?.text ?? event?.file?.name ?? event?.type);
  text.dir = "auto";
  const time = part("time", "", typeof event?.time === "number" ? clock(event.time) : "");
  element.append(by, " ", text, " ", time);
  element.tabIndex = -1;
  if (event?.id) element.dataset.id = event.id;
  return element;
}

function part(tag, className, words) {
  const element = make(tag, className);
  element.textContent = typeof words === "string" ? words : "";
  return element;
}

function clock(time_ms) {
  const date = new Date(time_ms);
  return [date.getHours(), date.getMinutes()].map((number) => String(number).padStart(2, "0")).join(":");
}

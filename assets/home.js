// The start page works without this file, which remembers names and rooms for the next time, reads a code out of what was
// pasted, and says why something was refused in the browser's language.

import { button, make } from "./elements.js";
import { shortDay } from "./format.js";
import { memory } from "./memory.js";
import { RecentRooms } from "./recent_rooms.js";
import { keepShell } from "./shell.js";
import { refusalWords, words } from "./words.js";

const { base } = document.body.dataset;
const form = document.querySelector("form");
const name = document.querySelector("#name");
const code = document.querySelector("#code:not([type=hidden])");
const create = document.querySelector("#create");
const error = document.querySelector("[data-error]");
const recent = document.querySelector("#recent");
const names = memory("localStorage", `snug:${base}`);
const rooms = new RecentRooms(base);

// A link to a message leads there, past this form.
if (/^#\d+$/.test(location.hash)) form.action += location.hash;
name.value ||= names.read("name") ?? "";
form.addEventListener("submit", () => names.write("name", name.value));
if (error) {
  const said = error.textContent;
  error.textContent = refusalWords({ code: error.dataset.error, message: said });
  document.title = document.title.replace(said, () => error.textContent);
}
if (code) {
  code.style.setProperty("--letters", code.dataset.letters);
  code.addEventListener("input", () => {
    const read = codeIn(code.value, Number(code.dataset.letters));
    if (read && read !== code.value.toUpperCase()) code.value = read;
  });
  // Enter means what can be meant: without a code a new room.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !event.target.matches("input") || code.value.trim()) return;
    event.preventDefault();
    form.requestSubmit(create);
  });
}
if (recent) showRecent();
// What was refused is to be typed anew.
document.querySelector("[aria-invalid]")?.select();
keepShell(base);

/** The code in a link, or in letters with spaces and hyphens between them; empty if there is none as long as it has to be. */
function codeIn(text, length) {
  const path = /^https?:\/\/[^/]*(\/[^?#]*)/i.exec(text.trim())?.[1];
  const letters = (path?.split("/").filter(Boolean).at(-1) ?? text).replace(/[\s-]/g, "");
  return letters.length === length ? letters.toUpperCase() : "";
}

function showRecent() {
  const { all } = rooms;
  recent.hidden = all.length === 0;
  recent.querySelector("ul").replaceChildren(...all.map(recentElement));
}

function recentElement({ code: room, name: called, topic, time }) {
  const item = make("li", "");
  const link = make("a", "");
  const letters = make("span", "code");
  const about = make("bdi", "");
  const when = document.createElement("time");
  letters.textContent = room;
  about.textContent = topic || words.home.as(called);
  when.dateTime = new Date(time).toISOString();
  when.textContent = shortDay(time);
  link.href = base + encodeURIComponent(room);
  link.append(letters, about, when);
  const forget = button("×", () => {
    rooms.forget(room);
    showRecent();
    (recent.querySelector("button") ?? name).focus();
  });
  forget.setAttribute("aria-label", words.home.forget(room));
  forget.title = words.home.forget(room);
  item.append(link, forget);
  return item;
}

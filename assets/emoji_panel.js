// The list of emoji to choose one from, in the menu's place: a field that looks for words, and takes any emoji of one's own
// keyboard as well, and below it the list.

import { button, make } from "./elements.js";
import { EMOJIS, RecentEmojis, emojiName, searchEmojis } from "./emojis.js";
import { words } from "./words.js";

/** No letter and no digit alone is one. */
const EMOJI = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;
/** Two belong to the same row whose upper edges are nearer than that. */
const SAME_ROW_PX = 4;

/**
 * @param {string} base of all rooms of this server
 * @param {(emoji: string) => void} choose
 */
export function emojiPanel(base, choose) {
  const recent = new RecentEmojis(base);
  const form = make("form", "emoji");
  const field = make("input", "");
  const list = make("div", "emojis");
  const status = make("p", "");
  Object.assign(field, { id: "emoji", type: "search", autocomplete: "off", maxLength: 64, spellcheck: false });
  field.placeholder = words.emoji.search;
  field.setAttribute("aria-label", words.emoji.search);
  field.enterKeyHint = "done";
  status.setAttribute("role", "status");
  form.append(field, status, list);
  const chosen = (emoji) => {
    recent.note(emoji);
    choose(emoji);
  };
  const show = () => {
    field.removeAttribute("aria-invalid");
    const text = field.value.trim();
    const groups = text ? { found: found(text) } : { recent: recent.list, ...EMOJIS };
    list.replaceChildren(...Object.entries(groups).flatMap(([group, emojis]) => groupElements(group, emojis, chosen)));
    reach(list.querySelector("button"), list);
    status.textContent = list.firstChild ? "" : words.emoji.none;
    list.scrollTop = 0;
  };
  field.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = field.value.trim() && list.querySelector("button");
    if (first) first.click();
    else field.setAttribute("aria-invalid", "true");
  });
  form.addEventListener("keydown", (event) => pressed(event, field, list));
  show();
  // On a touch screen the field would bring a keyboard over the list.
  if (!matchMedia("(pointer: fine)").matches) list.querySelector("button").dataset.first = "";
  return form;
}

/** An emoji that is typed is found by itself. */
function found(text) {
  return EMOJI.test(text) ? [text] : searchEmojis(text);
}

function groupElements(group, emojis, choose) {
  if (emojis.length === 0) return [];
  const box = make("div", "row");
  const heading = make("p", "");
  heading.id = `emojis-${group}`;
  heading.textContent = words.emoji[group] ?? "";
  box.setAttribute("role", "group");
  if (heading.textContent) box.setAttribute("aria-labelledby", heading.id);
  box.append(
    ...emojis.map((entry) => {
      const emoji = entry.emoji ?? entry;
      const element = button(emoji, () => choose(emoji));
      element.title = entry.name ?? emojiName(emoji);
      element.setAttribute("aria-label", element.title);
      element.tabIndex = -1;
      return element;
    }),
  );
  return heading.textContent ? [heading, box] : [box];
}

/** The one that Tab leads to. */
function reach(element, list) {
  list.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
  if (element) element.tabIndex = 0;
}

/** Arrows go about in the list; letters go on in the field. */
function pressed(event, field, list) {
  const { key, target } = event;
  const all = [...list.querySelectorAll("button")];
  const at = all.indexOf(target);
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (at < 0 && key !== "ArrowDown") return;
  if (at >= 0 && [...key].length === 1 && key !== " ") return field.focus();
  const isLeftToRight = getComputedStyle(list).direction === "ltr";
  const steps = { ArrowRight: isLeftToRight ? 1 : -1, ArrowLeft: isLeftToRight ? -1 : 1 };
  let to;
  if (at < 0) to = all[0];
  else if (key in steps) to = all[at + steps[key]];
  else if (key === "Home") to = all[0];
  else if (key === "End") to = all.at(-1);
  else if (key === "ArrowDown" || key === "ArrowUp") to = inNextRow(all, at, key === "ArrowDown" ? 1 : -1) ?? (key === "ArrowUp" ? field : undefined);
  else return;
  event.preventDefault();
  if (!to) return;
  if (to !== field) reach(to, list);
  to.focus();
}

/** The one above or below it, or nearest to that. */
function inNextRow(all, at, step) {
  const own = all[at].getBoundingClientRect();
  let best;
  let bestDistance = Infinity;
  let row;
  for (let index = at + step; all[index]; index += step) {
    const { top, left } = all[index].getBoundingClientRect();
    if (Math.abs(top - own.top) < SAME_ROW_PX) continue;
    row ??= top;
    if (Math.abs(top - row) >= SAME_ROW_PX) break;
    const distance = Math.abs(left - own.left);
    if (distance < bestDistance) [best, bestDistance] = [all[index], distance];
  }
  return best;
}

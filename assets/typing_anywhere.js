// What is typed or pasted while nothing takes it is meant for the text field.

import { replaceText, takesText } from "./text_field.js";

/** Keys that begin a character: a dead accent, or what an input method makes of several. */
const BEGINNINGS = ["Dead", "Process"];

/**
 * @param {HTMLTextAreaElement} field
 * @param {HTMLElement} log where Escape gives the keyboard back
 */
export function setUpTypingAnywhere(field, log) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.defaultPrevented || isShortcut(event) || !isFree(field)) return;
    if (key === "Escape" && log.contains(target)) return field.focus();
    if ([...key].length !== 1 && !BEGINNINGS.includes(key)) return;
    // The space bar presses buttons, plays, and reads on.
    if (key === " " && target !== document.body) return;
    field.focus();
  });
  document.addEventListener("paste", (event) => {
    const text = event.clipboardData?.getData("text/plain");
    if (event.defaultPrevented || !text || !isFree(field)) return;
    event.preventDefault();
    replaceText(field, field.selectionStart, field.selectionEnd, text);
  });
}

/** With AltGr, which some browsers tell as both of the others, one writes: an @ on many keyboards. */
function isShortcut(event) {
  return event.metaKey || ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph"));
}

/** Whether the field is there and nothing else takes text, nor covers the page. */
function isFree(field) {
  const isCovered = document.querySelector("dialog[open], #menu:not([hidden])");
  return !isCovered && !takesText(document.activeElement) && field.offsetParent !== null && !field.disabled;
}

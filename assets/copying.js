// Buttons that copy what stands beside them, and what they say about it.

import { words } from "./words.js";

const PRAISE_MS = 2000;

/**
 * @param {HTMLButtonElement} button with a `span` for its words, or with an icon alone
 * @param {() => string} text
 * @param {() => void} byHand shows it, for copying by hand
 */
export function setUpCopying(button, text, byHand) {
  const label = button.querySelector("span");
  const asBefore = label?.textContent;
  let timer;
  button.addEventListener("click", async () => {
    const copied = await copy(text());
    if (!copied) byHand();
    say(copied ? words.invitation.copied : words.invitation.byHand, copied);
    clearTimeout(timer);
    timer = setTimeout(() => say(asBefore, false), PRAISE_MS);
  });

  function say(told, copied) {
    button.classList.toggle("done", copied);
    if (label) label.textContent = told;
  }
}

/** Without TLS there is no `navigator.clipboard`; the old way still works there. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyFromField(text);
  }
}

function copyFromField(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.readOnly = true;
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return copied;
}

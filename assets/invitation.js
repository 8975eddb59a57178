// The panel beside the conversation, and copying the link that brings somebody in.

import { words } from "./words.js";

const PRAISE_MS = 2000;

/** The panel is open where there is room beside the conversation, and otherwise on request. */
export function setUpPanel(button, panel) {
  const show = (open) => {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", open);
  };
  const wide = matchMedia("(min-width: 56rem)");
  wide.addEventListener("change", () => show(wide.matches));
  button.addEventListener("click", () => show(panel.hidden));
  show(wide.matches);
  return () => show(true);
}

/**
 * @param {HTMLButtonElement} button
 * @param {HTMLInputElement} link
 * @param {() => void} reveal shows the link, for copying by hand
 */
export function setUpCopying(button, link, reveal) {
  const label = button.querySelector("span");
  let timer;
  link.addEventListener("focus", () => link.select());
  button.addEventListener("click", async () => {
    const copied = await copy(link.value);
    label.textContent = copied ? words.invitation.copied : words.invitation.byHand;
    if (!copied) {
      reveal();
      link.focus();
    }
    clearTimeout(timer);
    timer = setTimeout(() => (label.textContent = words.invitation.copy), PRAISE_MS);
  });
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

// How somebody is brought in: the link and the command to copy, the link as a code for a phone's camera.

import { setUpCopying } from "./copying.js";

/**
 * @param {{copy: HTMLButtonElement, link: HTMLInputElement, showCode: HTMLButtonElement, code: HTMLDialogElement}} elements
 * @param {() => void} reveal shows the link, for copying by hand
 */
export function setUpInvitation({ copy, link, showCode, code }, reveal) {
  setUpCopying(copy, () => link.value, () => {
    reveal();
    link.focus();
  });
  link.addEventListener("focus", () => link.select());
  for (const button of document.querySelectorAll(".copyable button")) {
    const shown = button.previousElementSibling;
    setUpCopying(button, () => shown.value ?? shown.textContent, () => select(shown));
  }
  showCode.addEventListener("click", () => code.showModal());
  code.addEventListener("click", ({ target }) => {
    if (target === code) code.close();
  });
}

function select(shown) {
  if (shown.select) shown.select();
  else getSelection().selectAllChildren(shown);
}

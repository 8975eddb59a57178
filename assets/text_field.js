// Writing into a text field as if it was typed there, so that it can be undone.

/** Puts a text in place of what is between two places, and the cursor behind it. */
export function replaceText(field, from, to, text) {
  field.focus();
  field.setSelectionRange(from, to);
  // What replaces it is in no browser yet.
  if (document.execCommand("insertText", false, text)) return;
  field.setRangeText(text, from, to, "end");
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}

/** Whether an element takes what is typed. */
export function takesText(element) {
  return Boolean(element?.closest("input, textarea, select, [contenteditable]"));
}

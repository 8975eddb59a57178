// What goes wrong in one part of the page is told to the console, and does no harm to the rest.

/**
 * @template T
 * @param {() => T} use
 * @param {() => T} [otherwise] what is done instead of what could not be
 * @returns {T | undefined}
 */
export function attempt(use, otherwise) {
  try {
    return use();
  } catch (error) {
    reportError(error);
    return otherwise && attempt(otherwise);
  }
}

/** Does one after the other, whatever becomes of those before. */
export function inTurn(...steps) {
  for (const step of steps) attempt(step);
}

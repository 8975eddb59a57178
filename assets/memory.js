// JSON values kept in the browser. Where it allows no storage, nothing is remembered and nothing breaks.

/**
 * @param {"localStorage" | "sessionStorage"} area
 * @param {string} prefix what every key begins with
 */
export function memory(area, prefix) {
  const attempt = (use) => {
    try {
      return use(window[area]);
    } catch {
      return undefined;
    }
  };
  const full = (key) => `${prefix}:${key}`;
  return {
    /** The value, or undefined where there is none that can be read. */
    read: (key) => attempt((storage) => JSON.parse(storage.getItem(full(key)))) ?? undefined,
    write: (key, value) => attempt((storage) => storage.setItem(full(key), JSON.stringify(value))),
    forget: (key) => attempt((storage) => storage.removeItem(full(key))),
  };
}

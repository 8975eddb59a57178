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
  const beginning = `${prefix}:`;
  const full = (key) => `${beginning}${key}`;
  return {
    /** The value, or undefined where there is none that can be read. */
    read: (key) => attempt((storage) => JSON.parse(storage.getItem(full(key)))) ?? undefined,
    /** Returns whether it could. */
    write: (key, value) =>
      attempt((storage) => {
        storage.setItem(full(key), JSON.stringify(value));
        return true;
      }) ?? false,
    forget: (key) => attempt((storage) => storage.removeItem(full(key))),
    /** The keys under which there is something. */
    keys: () =>
      (attempt((storage) => Array.from({ length: storage.length }, (_, index) => storage.key(index))) ?? [])
        .filter((key) => key?.startsWith(beginning))
        .map((key) => key.slice(beginning.length)),
    /** Calls `changed` with a key and what another tab has written there; undefined: it has taken it away. */
    watch: (changed) =>
      window.addEventListener("storage", ({ storageArea, key, newValue }) => {
        if (!key?.startsWith(beginning) || attempt((storage) => storage !== storageArea)) return;
        changed(key.slice(beginning.length), attempt(() => JSON.parse(newValue)) ?? undefined);
      }),
  };
}

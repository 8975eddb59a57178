// The shell of the pages kept by a service worker, where browsers have one (not on plain http): it is there without a
// network, and can be installed. Nothing is missing without it.

/** @param {string} base the path below which the server is */
export function keepShell(base) {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const script = new URL("service_worker.js", import.meta.url);
  const keep = async () => {
    const { installing, waiting, active } = await workers.register(script, { scope: base });
    // What this page was made of came before there was a service worker, or past it. One of an earlier version, which is
    // there until the new one is ready, would keep nothing of that.
    const worker = installing ?? waiting ?? active;
    const folder = new URL("./", import.meta.url).href;
    const assets = performance.getEntriesByType("resource").map(({ name }) => name);
    worker.postMessage({ page: location.href, assets: assets.filter((url) => url.startsWith(folder)) });
  };
  // It is not in the way of what the page itself needs.
  const begin = () => setTimeout(() => keep().catch(() => {}));
  if (document.readyState === "complete") begin();
  else addEventListener("load", begin, { once: true });
}

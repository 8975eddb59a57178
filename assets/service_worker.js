// Keeps the shell of the pages: the assets under their address, which changes with any of them, and the last copy of each
// page for when there is no network. What is said, and the files, are never kept here.

const SCOPE = new URL(self.registration.scope);
const FOLDER = new URL("./", self.location).href;
const CACHES = `snug ${SCOPE.pathname} `;
const CACHE = CACHES + FOLDER;
/** The start page, and the rooms by their codes. */
const PAGE = /^(?:[BCDFGHJKLMNPQRSTVWXYZ]{4,12})?$/i;
/** What a proxy answers while the server is not there. */
const AWAY = [502, 503, 504];

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil(begin()));

async function begin() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(CACHES) && name !== CACHE).map((name) => caches.delete(name)));
  await self.clients.claim();
}

self.addEventListener("message", (event) => event.waitUntil(keepShell(event.data).catch(() => {})));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.url.startsWith(FOLDER)) event.respondWith(asset(request));
  else if (request.mode === "navigate" && isPage(request.url)) event.respondWith(page(request));
});

async function asset(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request.url, response.clone()).catch(() => {});
  return response;
}

async function page(request) {
  const cache = await caches.open(CACHE);
  const key = keyOf(request.url);
  try {
    const response = await fetch(request);
    if (AWAY.includes(response.status)) return (await cache.match(key)) ?? response;
    // What else is in an address fills in a form.
    if (request.url === key) await keepPage(cache, key, response);
    return response;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    throw error;
  }
}

async function keepPage(cache, key, response) {
  // A redirect is followed by the browser itself, and what is refused is not worth keeping.
  if (response.type !== "basic") return;
  if (response.ok && !response.redirected) await cache.put(key, response.clone()).catch(() => {});
  else if (response.status === 404) await cache.delete(key);
}

/** Whether this is the address of a page here, and not that of the API, a file or another program. */
function isPage(url) {
  const { origin, pathname } = new URL(url);
  if (origin !== SCOPE.origin || !pathname.startsWith(SCOPE.pathname)) return false;
  return PAGE.test(pathname.slice(SCOPE.pathname.length));
}

/** A page's address, without what does not make it another page. */
function keyOf(url) {
  return new URL(new URL(url).pathname, SCOPE).href;
}

/** A page that came past this tells what it was made of. */
async function keepShell({ page, assets }) {
  const cache = await caches.open(CACHE);
  const has = async (url) => Boolean(await cache.match(url));
  const wanted = assets.filter((url) => url.startsWith(FOLDER));
  if (isPage(page) && !(await has(keyOf(page)))) {
    const response = await fetch(page, { credentials: "same-origin" });
    await keepPage(cache, keyOf(page), response);
  }
  for (const url of wanted) {
    if (await has(url)) continue;
    const response = await fetch(url);
    if (response.ok) await cache.put(url, response);
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data?.url));
});

/** Brings the tab to the front that the notification came from, or opens one. */
async function show(url) {
  if (!url) return;
  const tabs = await self.clients.matchAll({ type: "window" });
  const tab = tabs.find((tab) => tab.url === url);
  await (tab ? tab.focus() : self.clients.openWindow(url));
}

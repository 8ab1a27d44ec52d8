// The service worker: opens the panel's shell when nothing answers. It keeps the files of the build that wrote it and
// of the build before, which pages that are still open may load parts of. It never touches the API, so no figure, no
// state and no answer ever comes from here.
const VERSION = '__VERSION__';
const FILES = ['__FILES__'];
const CACHE = `shell-${VERSION}`;

/** How long a page load waits for the network before the kept shell is shown. */
const NETWORK_PATIENCE_MS = 1500;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(forgetOldBuilds().then(() => self.clients.claim()));
});

async function forgetOldBuilds() {
  const builds = (await caches.keys()).filter((name) => name.startsWith('shell-') && name !== CACHE);
  // keys() lists caches in the order in which they were made: the last one is the build before this one.
  await Promise.all(builds.slice(0, -1).map((name) => caches.delete(name)));
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith('/api/') || /^\/(healthz|readyz|metrics|sw\.js)$/.test(url.pathname)) return;
  if (request.mode === 'navigate') event.respondWith(shell(request));
  else if (url.pathname.startsWith('/assets/') || FILES.includes(url.pathname)) event.respondWith(asset(request));
});

async function shell(request) {
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(NETWORK_PATIENCE_MS) });
    // A proxy's error page, or a redirect to a sign-in of its own, is no shell of ours; the latter must pass.
    if (response.redirected || (response.ok && response.headers.get('content-type')?.startsWith('text/html'))) {
      return response;
    }
  } catch {
    // Nothing answers: the kept shell says what is going on.
  }
  const cache = await caches.open(CACHE);
  return (await cache.match('/')) ?? fetch(request);
}

async function asset(request) {
  return (await caches.match(request)) ?? fetch(request);
}

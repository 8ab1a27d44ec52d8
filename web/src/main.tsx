/** The panel's entry: restores what was known before a reload, opens the router, registers the service worker. */
import './styles/base.css';
import './styles/controls.css';
import './styles/shell.css';
import './styles/servers.css';
import './styles/server.css';

import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { keepForReload, queryClient, restoreAfterReload } from './live/cache';
import { router } from './routes';
import { applyTheme } from './ui/theme';

applyTheme();
restoreAfterReload();
window.addEventListener('pagehide', keepForReload);

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  window.addEventListener('load', () => {
    navigator.serviceWorker.register('/sw.js').catch(() => undefined);
  });
}

// A page of the build before may ask for a part that no longer exists; the new build has it under another name.
window.addEventListener('vite:preloadError', (event) => {
  const key = 'nodepanel.reloaded';
  if (Date.now() - Number(sessionStorage.getItem(key) ?? 0) < 60_000) return;
  sessionStorage.setItem(key, String(Date.now()));
  event.preventDefault();
  window.location.reload();
});

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}

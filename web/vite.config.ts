import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

import { serviceWorker } from './build/service_worker.mjs';

/** Where `npm run dev` finds the API: the real one, or `npm run mock`. */
const api = process.env['NODEPANEL_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), serviceWorker()],
  build: {
    // The content security policy allows nothing inline, so nothing may become a data: address or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    sourcemap: false,
  },
  server: {
    port: 5173,
    proxy: {
      '/api': { target: api, ws: true },
      '/healthz': api,
      '/readyz': api,
    },
  },
  test: {
    include: ['src/**/*.test.{ts,tsx}'],
    environment: 'node',
  },
});

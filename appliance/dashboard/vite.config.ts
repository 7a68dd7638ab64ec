import { defineConfig } from 'vite';

// The service that `npm run dev` shows: `deploy/run --simulate` in another terminal.
const service = process.env.APPLIANCE_URL ?? 'http://127.0.0.1:5001';
const proxied = Object.fromEntries(
  ['/socket.io', '/login', '/pair', '/healthz', '/asyncapi.json'].map((path) => [
    path,
    {
      target: service,
      ws: path === '/socket.io',
      bypass: (request: { method?: string; url?: string }) => (path === '/login' && request.method === 'GET' ? request.url : undefined),
    },
  ]),
);

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the content policy has no `data:` but for images, and files are cached for ever
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: proxied },
});

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

import { lessOfUPlot } from './uplot-cuts';

// What comes with the script, and asks that its licence does, too.
const licenses = {
  name: 'licenses',
  generateBundle(this: { emitFile(file: object): void }) {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: object };
    const source = Object.keys(dependencies)
      .map((name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`)
      .join('\n\n');
    this.emitFile({ type: 'asset', fileName: 'licenses.txt', source });
  },
};

export default defineConfig({
  plugins: [licenses, lessOfUPlot],
  // Of preact/compat the page needs little: src/compat.ts is that, with the same names and types.
  resolve: { alias: { 'preact/compat': fileURLToPath(new URL('src/compat.ts', import.meta.url)) } },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  // Relative, so that the page works behind any prefix of a proxy.
  base: './',
  build: {
    target: 'es2022', // 2021's Chrome and Firefox, Safari 16.4: private members need no helpers
    minify: 'terser', // 2 kB less than esbuild makes
    terserOptions: { module: true, compress: { passes: 3, inline: 1, ecma: 2020, unsafe_arrows: true } },
    outDir: 'built',
    emptyOutDir: true,
    // Everything small would become a data: URL, which the policy has no place for but images.
    assetsInlineLimit: 0,
    modulePreload: false,
  },
  // `npm run dev` against a stack that `make run` has started.
  server: {
    fs: { allow: ['.', '../docs'] }, // src/rejected.ts asks for REJECTED.md
    proxy: Object.fromEntries(
      ['/dashboard', '/events', '/devices', '/histogram', '/collectors', '/metrics', '/openapi.json'].map(
        (path) => [path, `http://127.0.0.1:${process.env.HTTP_PORT ?? 5000}`],
      ),
    ),
  },
  test: {
    environment: 'jsdom',
    include: ['test/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    testTimeout: 60_000 * Number(process.env.PATIENCE || 1),
    retry: process.env.CI ? 1 : 0, // and the report says so
  },
});

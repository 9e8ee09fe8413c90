/* End to end: `npm run test:e2e`. Screenshots are made the same way: `npm run screenshots`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: [process.env.SCREENSHOTS ? 'e2e/screenshots.ts' : 'e2e/*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});

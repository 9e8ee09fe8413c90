/* End to end: `npm run test:e2e`. Screenshots are made the same way: `npm run screenshots`. */
import { defineConfig } from 'vitest/config';

import { PATIENCE_MS } from './e2e/stack';

export default defineConfig({
  test: {
    environment: 'node',
    include: [process.env.SCREENSHOTS ? 'e2e/screenshots.ts' : 'e2e/*.test.ts'],
    fileParallelism: false,
    retry: process.env.CI ? 1 : 0, /* and the report says so */
    testTimeout: 5 * PATIENCE_MS,
    hookTimeout: 5 * PATIENCE_MS,
  },
});

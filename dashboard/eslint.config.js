/* What TypeScript does not see: hooks that miss what they depend on, promises that nobody waits for. How the code is set
 * out is no matter of this. */
import hooks from 'eslint-plugin-react-hooks';
import { defineConfig } from 'eslint/config';
import ts from 'typescript-eslint';

export default defineConfig(
  { ignores: ['built', 'public', 'src/contract.gen.ts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{ts,tsx}'],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: new URL('.', import.meta.url).pathname } },
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      /* What needs no assertion today may need one with the next types of a library. */
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      /* 'live' | string says what one may count on, and that there may be more. */
      '@typescript-eslint/no-redundant-type-constituents': 'off',
    },
  },
  {
    /* act() is awaited where something comes of it; the timers there are false ones. */
    files: ['test/**'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' },
  },
);

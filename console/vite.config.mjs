/** How the console is built: one script and one style sheet, named by what is in them, nothing inline. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    // The policy of the pages takes no data: scripts, and a picture inline is one that no cache keeps.
    assetsInlineLimit: 0,
  },
});

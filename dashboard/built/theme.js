/* Before anything is drawn, so that nothing flashes: the colours that were chosen, see src/theme.ts. A file, since the
 * policy lets in no script that stands in the page. */
try {
  const theme = localStorage.getItem('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  /* no storage: as the system has it */
}

// Runs before the page is drawn, so that it is never drawn in the other theme first. The choice is the browser's, not the
// address's: a link opened by a colleague keeps the colleague's.
(() => {
  let choice = 'auto';
  try { choice = localStorage.getItem('theme') || 'auto'; } catch { /* storage is off: as the system has it */ }
  if (choice === 'light' || choice === 'dark') document.documentElement.dataset.theme = choice;
})();

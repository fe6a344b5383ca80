// Loads the page again if one of its scripts didn't arrive. A browser drops waiting requests when the computer changes its
// network, and a page without a script does nothing. This is no module, so that it runs before they are fetched.

const AGAIN_MS = 2000;

addEventListener('error', ({ target }) => {
  if (target.type === 'module') setTimeout(() => location.reload(), AGAIN_MS);
}, true);

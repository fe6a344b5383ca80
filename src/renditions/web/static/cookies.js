// Says on a login page that the browser can't keep the token. A browser that blocks cookies blocks this storage too.

try {
  sessionStorage.getItem('');
} catch {
  document.querySelector('#blocked').hidden = false;
}

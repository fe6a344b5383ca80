// Asks for a token if the server sets no cookie.

import { TOKEN, urlOf } from './api.js';

document.querySelector('#refused').hidden = !sessionStorage.getItem(TOKEN);
document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, document.querySelector('#token').value.trim());
  const place = new URLSearchParams(location.search).get('to');
  location.replace(urlOf(place ? `/?${place}` : '/'));
});

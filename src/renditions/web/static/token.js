// Asks for a token if the server sets no cookie.

import { token, urlOf } from './api.js';

document.querySelector('#refused').hidden = !token.read();
document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  token.write(document.querySelector('#token').value.trim());
  const place = new URLSearchParams(location.search).get('to');
  location.replace(urlOf(place ? `/?${place}` : '/'));
});

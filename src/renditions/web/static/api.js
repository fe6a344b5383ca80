// Calls to the API.

import { Stored } from './stored.js';

// A refusal: the same request would be refused again. After any other error, a retry may succeed.
export class Problem extends Error {}

const DISK_FULL = 507; // until a person frees space
export const isPassing = (status) => status === 429 || (status >= 500 && status !== DISK_FULL);

// If the server sets no cookie, the page keeps the token until the tab is closed.
export const token = new Stored('sessionStorage', 'token');

// The URL of a path of the API, which is beside the page. A proxy may serve this server below a path of its own.
export const urlOf = (path) => new URL(`.${path}`, document.baseURI);

let isLeaving = false;
addEventListener('pageshow', () => { isLeaving = false; }); // Back may show this page as it was

// Opens the login page, which leads back to this place. Several calls may be refused at once. Only the first one opens
// the page, because a second navigation would cancel the first.
export function logIn() {
  if (isLeaving) return;
  isLeaving = true;
  const place = location.search.slice(1);
  location.assign(urlOf(place ? `/login?to=${encodeURIComponent(place)}` : '/login'));
}

// Decides what happens after a token was refused: `renew` returns a promise of another token, or null if nothing would be
// lost by leaving the page.
let renew = () => null;
export function onRefusedToken(how) { renew = how; }

// The headers that send the token, if the page keeps one.
export const authorize = () => (token.read() ? { Authorization: `Bearer ${token.read()}` } : {});

export async function call(method, path, body) {
  const options = { method, headers: authorize() };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await fetch(urlOf(path), options);
  if (response.status === 401) {
    const renewed = renew();
    if (renewed) return renewed.then(() => call(method, path, body));
    logIn();
    return new Promise(() => {}); // the browser leaves this page
  }
  if (!response.ok) {
    const { code, detail = `the server answered ${response.status}` } = await response.json().catch(() => ({})); // a proxy answers in HTML
    throw isPassing(response.status) ? new Error(detail) : Object.assign(new Problem(detail), { status: response.status, code });
  }
  return response.status === 204 ? null : response.json().catch(() => { throw new Error('another program answered in its place'); });
}

const PAUSE_MS = 3000;

// Repeats a call until the server answers it. The connection may be lost, or the server may be busy. After each
// failure, `onTrouble` gets a sentence about it.
export async function insist(ask, onTrouble = () => {}) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Problem) throw error;
      onTrouble(describeTrouble(error));
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
  }
}

// Returns a function that asks, and shows the answer. Answers may come in another order than their requests, so an
// answer that comes after that of a later request isn't shown. A request that fails isn't repeated if there is a later one:
// while the server is away, requests would become more and more. `ask` gets a function that shows what delays the answer,
// and then the arguments; `show` and `showTrouble` get what they show, and then the arguments.
export function inOrder(ask, show, showTrouble = () => {}) {
  let asked = 0;
  let shown = 0;
  return async (...given) => {
    asked += 1;
    const number = asked;
    const tell = (trouble) => {
      if (number < asked) throw SUPERSEDED;
      showTrouble(trouble, ...given);
    };
    try {
      const answer = await ask(tell, ...given);
      if (number < shown) return;
      shown = number;
      show(answer, ...given);
    } catch (error) {
      if (error !== SUPERSEDED) throw error;
    }
  };
}

const SUPERSEDED = new Error('a later request takes the place of this one');

// Says what failed. fetch() throws a TypeError if there was no answer.
export const describeTrouble = (error) => (error instanceof TypeError ? "Can't reach the server." : `The server can't answer now: ${error.message.replace(/\.$/, '')}.`);

// A name as a part of a path. The browser would resolve the parts . and .. and so send the request to another path. No
// picture has such a name.
export function path(name) {
  const parts = name.split('/');
  if (parts.includes('.') || parts.includes('..')) throw Object.assign(new Problem(NO_PICTURE), { status: 404 });
  return parts.map(encodeURIComponent).join('/');
}

export const NO_PICTURE = 'There is no picture with this name.';

// The server's list of formats: those of files to upload, and those that a browser shows.
let formats = null;
export async function readFormats() {
  formats ??= await call('GET', '/formats');
  return formats;
}

// Calls to the API, and the formatting of sizes and names.

// A refusal: the same request would be refused again. After any other error, a retry may succeed.
export class Problem extends Error {}

export const isPassing = (status) => status === 429 || status >= 500;

// If the server sets no cookie, the page keeps the token until the tab is closed.
export const TOKEN = 'token';

// The URL of a path of the API. The server may be below a path of another one.
export const urlOf = (path) => new URL(`..${path}`, import.meta.url);

export async function call(method, path, body) {
  const token = sessionStorage.getItem(TOKEN);
  const options = { method, headers: token ? { Authorization: `Bearer ${token}` } : {} };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await fetch(urlOf(path), options);
  if (response.status === 401) {
    location.assign(urlOf('/login'));
    return new Promise(() => {}); // the browser leaves this page
  }
  if (!response.ok) {
    const { detail = `the server answered ${response.status}` } = await response.json();
    throw isPassing(response.status) ? new Error(detail) : new Problem(detail);
  }
  return response.status === 204 ? null : response.json();
}

const PAUSE_MS = 3000;

// Repeats a call until the server answers it. The connection may be lost, or the server may be busy.
export async function insist(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Problem) throw error;
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
  }
}

export const path = (name) => name.split('/').map(encodeURIComponent).join('/');

export function formatBytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (count >= 999.5 && at < units.length - 1) { count /= 1000; at += 1; }
  return `${at && count < 99.5 ? count.toPrecision(2) : Math.round(count)} ${units[at]}`;
}

export function formatSeconds(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

// The server's list of formats: those of files to upload, and those that a browser shows.
let formats = null;
export async function readFormats() {
  formats ??= await call('GET', '/formats');
  return formats;
}

// The renditions that a browser shows, the smallest first.
export const shownRenditions = (picture, shown) => Object.entries(picture.renditions ?? {})
  .filter(([, output]) => shown.some(({ format }) => format === output.format) && output.width)
  .sort(([, one], [, other]) => one.width * one.height - other.width * other.height)
  .map(([name]) => name);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children);
  return made;
}

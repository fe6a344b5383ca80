// The view of one picture: it compares the original with the renditions.

import { call, element, formatBytes, insist, path, readFormats, shownRenditions } from './api.js';
import { canDelete } from './status.js';

const dialog = document.querySelector('#picture');
let opened = null;

export async function open(name) {
  opened = name;
  await show();
  if (!dialog.open) dialog.showModal();
}

// Loads the picture's full record, which has more fields than the one in the list.
async function show() {
  const name = opened;
  const [picture, formats] = await Promise.all([insist(() => call('GET', `/pictures/${path(name)}`)), insist(readFormats)]);
  if (name === opened) draw(picture, formats.shown);
}

// Shows a change of the open picture that the server reported.
export async function tell(name, picture) {
  if (name !== opened || !dialog.open) return;
  if (picture) await show();
  else dialog.close();
}

function draw(picture, formats) {
  const shown = shownRenditions(picture, formats);
  dialog.replaceChildren(
    element('div', { class: 'bar' }, element('h2', { id: 'picture-title' }, picture.name), element('button', { type: 'button', onclick: () => dialog.close() }, 'Close')),
    ...(picture.reason ? [element('p', { class: 'reason' }, `${picture.status}: ${picture.reason}`)] : []),
    ...(picture.source_missing_since ? [element('p', { class: 'warning' }, 'The source of this picture is missing. Its renditions are kept.')] : []),
    ...(picture.warnings ?? []).map(({ code, text }) => element('p', { class: 'warning', title: code }, `Warning: ${text}`)),
    ...(picture.unsent_notices ?? []).map((notice) => element('p', { class: 'reason' }, `The notice "${notice.event}" wasn't sent to ${notice.target}: ${notice.reason}`)),
    ...(shown.length ? [compare(picture, shown.at(-1))] : []),
    table(picture),
    ...(shown.length ? [element('h3', {}, 'For a web page'), snippet(picture, shown, formats)] : []),
    ...(picture.history ? [element('h3', {}, 'History'), history(picture.history)] : []),
    element('details', {}, element('summary', {}, 'Record'), element('pre', { tabindex: '0' }, JSON.stringify(picture, null, 2))),
    element(
      'div',
      { class: 'actions' },
      element('button', { type: 'button', onclick: () => act('POST', `/pictures/${path(picture.name)}/process?again=true`) }, picture.status === 'done' ? 'Process again' : 'Try again'),
      element('a', { class: 'button', href: picture.links.original, download: '' }, 'Download the original'),
      ...(canDelete() ? [element('button', { type: 'button', onclick: () => remove(picture.name) }, 'Delete')] : []),
    ),
  );
}

function compare(picture, rendition) {
  const over = element('img', { src: picture.links.renditions[rendition], alt: `${rendition} of ${picture.name}` });
  const slider = element('input', { type: 'range', min: '0', max: '100', value: '50', 'aria-label': `Between the original and ${rendition}` });
  const edge = element('span', { class: 'edge' });
  const cut = () => {
    over.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    edge.style.left = `${slider.value}%`;
  };
  slider.addEventListener('input', cut);
  cut();
  return element(
    'div', {},
    element('div', { class: 'compare' }, element('img', { src: picture.links.original, alt: `Original of ${picture.name}` }), over, edge, slider),
    element('div', { class: 'labels', 'aria-hidden': 'true' }, element('span', {}, 'original'), element('span', {}, rendition)),
  );
}

function table(picture) {
  const size = (width, height) => (width ? `${width}×${height}` : '');
  const rows = Object.entries(picture.renditions ?? {}).map(([name, output]) => element(
    'tr', {},
    element('td', {}, element('a', { href: picture.links.renditions[name], target: '_blank' }, name)),
    element('td', {}, output.format),
    element('td', { class: 'number' }, size(output.width, output.height)),
    element('td', { class: 'number' }, formatBytes(output.size_bytes)),
    element('td', {}, output.key),
  ));
  const original = element(
    'tr', {}, element('td', {}, 'original'), element('td', {}, picture.original_format ?? ''),
    element('td', { class: 'number' }, size(picture.original_width, picture.original_height)),
    element('td', { class: 'number' }, picture.original_size_bytes === undefined ? '' : formatBytes(picture.original_size_bytes)), element('td', {}, picture.name),
  );
  const heads = [['rendition', ''], ['format', ''], ['pixels', 'number'], ['size', 'number'], ['key', '']];
  return element('table', {}, element('thead', {}, element('tr', {}, ...heads.map(([text, kind]) => element('th', { scope: 'col', class: kind }, text)))), element('tbody', {}, original, ...rows));
}

// Returns whether a rendition shows the whole picture, apart from one pixel of rounding. Cropped ones don't fit
// into a srcset, because a browser chooses by width alone.
const isWhole = (picture, { width, height }) => Math.abs(width * picture.original_height - height * picture.original_width)
  <= Math.max(picture.original_width, picture.original_height);

// Returns the text of a <picture> element with the existing renditions by format, the best format first.
function snippet(picture, outputs, shownFormats) {
  const whole = outputs.filter((name) => isWhole(picture, picture.renditions[name]));
  const shown = whole.length ? whole : outputs;
  const types = new Map(shownFormats.map(({ format, type }) => [format, type]));
  const key = (name) => path(picture.renditions[name].key);
  const byFormat = Map.groupBy(shown, (name) => picture.renditions[name].format);
  const formats = [...types.keys()].filter((format) => byFormat.has(format));
  const set = (names) => names.map((name) => `${key(name)} ${picture.renditions[name].width}w`).join(', ');
  const last = formats.at(-1);
  const largest = byFormat.get(last).at(-1);
  const output = picture.renditions[largest];
  const sources = formats.slice(0, -1).map((format) => `  <source type="${types.get(format)}" srcset="${set(byFormat.get(format))}">\n`);
  const text = `<picture>\n${sources.join('')}  <img src="${key(largest)}" srcset="${set(byFormat.get(last))}"\n    width="${output.width}" height="${output.height}" loading="lazy" alt="">\n</picture>`;
  const button = element('button', { type: 'button', onclick: async () => { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; } }, 'Copy');
  return element('div', {}, element('pre', { tabindex: '0' }, text), button);
}

function history(events) {
  const words = { processing: 'started' };
  const line = ({ timestamp, status, reason }) => element(
    'li', {},
    element('time', { datetime: timestamp }, new Date(timestamp).toLocaleString()), ' ',
    element('strong', {}, words[status] ?? status), reason ? `: ${reason}` : '',
  );
  return element('ol', { class: 'history', reversed: '' }, ...events.toReversed().map(line));
}

async function act(method, address) {
  try {
    await call(method, address);
    await open(opened);
  } catch (error) {
    complain(error);
  }
}

function complain(error) {
  dialog.append(element('p', { class: 'reason', role: 'alert' }, error.message));
}

async function remove(name) {
  if (!confirm(`Delete ${name} and its renditions?`)) return;
  try {
    await call('DELETE', `/pictures/${path(name)}`);
    dialog.close();
  } catch (error) {
    complain(error);
  }
}

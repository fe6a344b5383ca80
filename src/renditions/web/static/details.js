// The sections of a picture's view.

import { copyText } from './clipboard.js';
import { button, element, image } from './dom.js';
import { formatBytes } from './words.js';

// The renditions that a browser shows, the smallest first.
export const shownRenditions = (picture, shown) => Object.entries(picture.renditions ?? {})
  .filter(([, output]) => shown.some(({ format }) => format === output.format) && output.width)
  .sort(([, one], [, other]) => one.width * one.height - other.width * other.height)
  .map(([name]) => name);

// What a person must know first: the reason of a failure, and the warnings.
export function head(picture) {
  return element(
    'div', {},
    ...(picture.reason ? [element('p', { class: 'reason' }, `${picture.status}: ${picture.reason}`)] : []),
    ...(picture.source_missing_since ? [element('p', { class: 'warning' }, 'The source of this picture is missing. Its renditions are kept.')] : []),
    ...(picture.warnings ?? []).map(({ code, text, renditions }) => element('p', { class: 'warning', title: code }, `Warning: ${text}${renditions ? ` (${renditions.join(', ')})` : ''}`)),
    ...(picture.unsent_notices ?? []).map((notice) => element('p', { class: 'reason' }, `The notice "${notice.event}" wasn't sent to ${notice.target}: ${notice.reason || 'not tried yet'}`)),
  );
}

// The original, or a preview of it where browsers can't show its format.
function originalOf(picture) {
  const format = (picture.original_format ?? '').toUpperCase();
  const missing = element('p', { class: 'missing' }, `No preview of this original${format && ` (${format})`}. Download it to see it.`);
  const { shown_original: url } = picture.links;
  return url ? image({ src: url, alt: `Original of ${picture.name}` }, missing) : missing;
}

// The original alone, for a picture that has no rendition that a browser shows.
export const original = (picture) => element('div', { class: 'compare' }, originalOf(picture));

// The original and a rendition under a slider.
export function compare(picture, rendition) {
  const over = element('img', { src: picture.links.renditions[rendition], alt: `${rendition} of ${picture.name}` });
  const slider = element('input', { type: 'range', min: '0', max: '100', value: '50', 'aria-label': `Compare the original with ${rendition}` });
  const edge = element('span', { class: 'edge' });
  const cut = () => {
    over.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
    edge.style.left = `${slider.value}%`;
  };
  slider.addEventListener('input', cut);
  cut();
  const shown = element(
    'div', {},
    element('div', { class: 'compare' }, originalOf(picture), over, edge, slider),
    element('div', { class: 'labels', 'aria-hidden': 'true' }, element('span', {}, 'original'), element('span', {}, rendition)),
  );
  over.addEventListener('error', () => shown.replaceChildren(
    original(picture), element('p', { class: 'reason' }, `The rendition ${rendition} can't be loaded. If it is lost, process the picture again.`),
  ));
  return shown;
}

export function table(picture) {
  const size = (width, height) => (width ? `${width}×${height}` : '');
  const row = (name, format, pixels, bytes, key) => element(
    'tr', {},
    element('th', { scope: 'row' }, name),
    element('td', {}, format),
    element('td', { class: 'number' }, pixels),
    element('td', { class: 'number' }, bytes),
    element('td', { class: 'key' }, key),
  );
  const original = row(
    'original', picture.original_format ?? '', size(picture.original_width, picture.original_height),
    picture.original_size_bytes === undefined ? '' : formatBytes(picture.original_size_bytes), picture.name,
  );
  const outputs = Object.entries(picture.renditions ?? {}).map(([name, output]) => row(
    element('a', { href: picture.links.renditions[name], target: '_blank' }, name),
    output.format, size(output.width, output.height), formatBytes(output.size_bytes), output.key,
  ));
  const heads = [['rendition', ''], ['format', ''], ['pixels', 'number'], ['size', 'number'], ['key', 'key']];
  return element(
    'table', {},
    element('caption', { class: 'unseen' }, 'The original and its renditions'),
    element('thead', {}, element('tr', {}, ...heads.map(([text, kind]) => element('th', { scope: 'col', class: kind }, text)))),
    element('tbody', {}, original, ...outputs),
  );
}

export function snippet(text) {
  const shown = element('pre', { tabindex: '0', role: 'group', 'aria-label': 'HTML for a web page' }, text);
  const copy = button('Copy', () => copyText(text, shown, copy));
  return element('section', {}, element('div', { class: 'bar' }, element('h3', {}, 'For a web page'), copy), shown);
}

export function history(events) {
  const words = { processing: 'started' };
  const line = ({ timestamp, status, reason }) => element(
    'li', {},
    element('time', { datetime: timestamp }, new Date(timestamp).toLocaleString()), ' ',
    element('strong', {}, words[status] ?? status), reason ? `: ${reason}` : '',
  );
  return element('section', {}, element('h3', {}, 'History'), element('ol', { class: 'history', reversed: '' }, ...[...events].reverse().map(line)));
}

export function record(picture) {
  return element('details', {}, element('summary', {}, 'Record'), element('pre', { tabindex: '0', role: 'group', 'aria-label': 'Record' }, JSON.stringify(picture, null, 2)));
}

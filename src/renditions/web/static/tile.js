// One picture of the gallery: a list item with a link to the picture's own URL.

import { element, image } from './dom.js';
import { averageColour } from './placeholder.js';
import * as place from './place.js';
import { count, formatBytes } from './words.js';

export function makeTile(picture) {
  const link = element('a', { class: 'tile', onclick: (event) => place.follow(event, { picture: picture.name }) });
  const item = element('li', {}, link);
  fillTile(item, picture);
  return item;
}

// Shows another state of the same picture in its tile, which may have the focus.
export function fillTile(item, picture) {
  const link = item.firstElementChild;
  const warnings = picture.warnings ? count(picture.warnings.length, 'warning') : '';
  const size = picture.original_size_bytes ? formatBytes(picture.original_size_bytes) : '';
  const why = picture.status === 'failed' || picture.status === 'rejected' ? picture.reason ?? '' : '';
  const status = [picture.status, warnings && `⚠ ${warnings}`, size].filter(Boolean).join(' · ');
  link.dataset.status = picture.status;
  link.setAttribute('aria-label', [picture.name, `${picture.status}${why && `: ${why}`}`, warnings].filter(Boolean).join(', '));
  link.replaceChildren(
    makeFrame(picture, why),
    element('span', { class: 'text' }, element('span', { title: picture.name }, picture.name), element('span', { class: 'status' }, status)),
  );
}

function makeFrame(picture, why) {
  const frame = element('span', { class: why ? 'frame why' : 'frame' });
  if (picture.preview) {
    frame.style.background = averageColour(picture.analysis) ?? '';
    frame.append(image({ src: picture.preview, alt: '', loading: 'lazy', decoding: 'async' }, element('span', {}, 'no preview')));
    if (why) frame.append(element('span', {}, why));
  } else {
    frame.append(element('span', {}, why || (picture.status === 'done' ? 'no preview' : picture.status)));
  }
  return frame;
}

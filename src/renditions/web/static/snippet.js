// The <picture> element for a web page.

import { path } from './api.js';

// Whether a rendition shows the whole picture, apart from one pixel of rounding. Cropped ones don't fit into a
// srcset, because a browser chooses by width alone.
const isWhole = (picture, { width, height }) => Math.abs(width * picture.original_height - height * picture.original_width)
  <= Math.max(picture.original_width, picture.original_height);

// The text of a <picture> element with the existing renditions by format, the best format first.
export function makeSnippet(picture, outputs, shownFormats) {
  const whole = outputs.filter((name) => isWhole(picture, picture.renditions[name]));
  const shown = whole.length ? whole : outputs;
  const key = (name) => path(picture.renditions[name].key);
  const set = (names) => names.map((name) => `${key(name)} ${picture.renditions[name].width}w`).join(', ');
  const sets = shownFormats
    .map(({ format, type }) => ({ type, names: shown.filter((name) => picture.renditions[name].format === format) }))
    .filter(({ names }) => names.length);
  const last = sets.pop().names;
  const largest = last[last.length - 1];
  const output = picture.renditions[largest];
  const sources = sets.map(({ type, names }) => `  <source type="${type}" srcset="${set(names)}">\n`);
  return `<picture>\n${sources.join('')}  <img src="${key(largest)}" srcset="${set(last)}"\n    width="${output.width}" height="${output.height}" loading="lazy" alt="">\n</picture>`;
}

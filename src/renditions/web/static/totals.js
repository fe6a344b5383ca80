// The totals above the page, and the counts on the filters and on the link to the problems.

import { call, inOrder, insist } from './api.js';
import { formatBytes, formatCount, formatSeconds } from './words.js';

const show = (total, text) => { document.querySelector(`[data-total=${total}]`).textContent = text; };

export const showTotals = inOrder((onTrouble) => insist(() => call('GET', '/stats'), onTrouble), draw);

function draw(totals) {
  const { rendition_bytes: sent, replaced_bytes: replaced, by_status: counts } = totals;
  // On AWS, the totals of a large catalog are from the last tick.
  const since = totals.counted_at && new Date(totals.counted_at).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
  show('pictures', since ? `${formatCount(totals.pictures)} · ${since}` : formatCount(totals.pictures));
  show('original_bytes', formatBytes(totals.original_bytes));
  show('rendition_bytes', `${formatCount(totals.renditions)} · ${formatBytes(totals.rendition_bytes)}`);
  show('saved', replaced > sent ? `${Math.floor(100 - (100 * sent) / replaced)} %` : '–');
  show('time', formatSeconds(totals.processing_seconds));
  for (const [status, count] of Object.entries(counts)) {
    const shown = document.querySelector(`#filters [data-status=${status}] span`);
    if (shown) shown.textContent = count ? formatCount(count) : '';
  }
  const problems = counts.failed + counts.rejected;
  document.querySelector('#problem-count').textContent = problems ? formatCount(problems) : '';
}

// How sizes, times and counts are written.

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

export const formatCount = (count) => count.toLocaleString('en');

export const count = (number, noun) => `${formatCount(number)} ${noun}${number === 1 ? '' : 's'}`;

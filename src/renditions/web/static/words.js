// Formats sizes, times and counts.

export function formatBytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  while (count >= 999.5 && at < units.length - 1) { count /= 1000; at += 1; }
  return `${at && count < 99.5 ? count.toPrecision(2) : Math.round(count)} ${units[at]}`;
}

export function formatSeconds(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 2 * 86_400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export const formatCount = (count) => count.toLocaleString('en');

export const count = (number, noun) => `${formatCount(number)} ${noun}${number === 1 ? '' : 's'}`;

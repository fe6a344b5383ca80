// The colour that a tile shows before its picture has loaded: the average colour in the placeholder.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~';

export function averageColour({ thumbhash, blurhash } = {}) {
  if (thumbhash) return `rgb(${ofThumbHash(thumbhash).join(' ')})`;
  return blurhash ? `rgb(${ofBlurHash(blurhash).join(' ')})` : undefined;
}

// https://evanw.github.io/thumbhash/: the hash starts with the lightness and two colour differences, six bits each.
function ofThumbHash(hash) {
  const [low, middle, high] = [...atob(hash)].map((each) => each.charCodeAt(0));
  const bits = low + (middle << 8) + (high << 16);
  const [light, yellow, red] = [(bits & 63) / 63, ((bits >> 6) & 63) / 31.5 - 1, ((bits >> 12) & 63) / 31.5 - 1];
  const blueShare = light - (2 / 3) * yellow;
  const redShare = (3 * light - blueShare + red) / 2;
  return [redShare, redShare - red, blueShare].map((share) => Math.round(255 * Math.min(1, Math.max(0, share))));
}

// https://github.com/woltapp/blurhash/blob/master/Algorithm.md: the average is the four digits after the first two.
function ofBlurHash(hash) {
  const colour = [...hash.slice(2, 6)].reduce((sum, digit) => sum * 83 + DIGITS.indexOf(digit), 0);
  return [colour >> 16, (colour >> 8) & 255, colour & 255];
}

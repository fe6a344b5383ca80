// Renditions wrote this CloudFront function from a pipeline file. It runs for each viewer request. If the browser
// shows a better format, it changes the requested key to the key of the same rendition in that format. So CloudFront
// caches each format under its own key, and Accept is no part of that key.
// CloudFront has no destructuring, no spread and no for-of:
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

// The requested paths, and for each path the better formats with their paths, the best first.
const FAMILIES = [];

// Browsers send image/* even if they lack the newer formats, so only the exact type counts.
function accepts(header, type) {
  return header.toLowerCase().split(",").some((range) => {
    const parts = range.split(";").map((part) => part.trim());
    return parts[0] === type && !parts.some((part) => /^q=0(\.0*)?$/.test(part));
  });
}

function handler(event) {
  const request = event.request;
  const header = request.headers.accept ? request.headers.accept.value : "";
  const family = FAMILIES.filter((one) => one.path.test(request.uri))[0];
  const better = family ? family.better.filter((one) => accepts(header, one.type))[0] : undefined;
  if (better) {
    request.uri = request.uri.replace(family.path, better.path);
  }
  return request;
}

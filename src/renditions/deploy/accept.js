// Renditions wrote this function of CloudFront from a pipeline file. For a browser that shows a better format, it
// changes the requested key to the key of the same rendition in that format. So CloudFront caches each format apart,
// and never the header Accept. It runs for each viewer request.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-20.html

// The requested paths, and for each path the better formats with their paths, the best first.
const FAMILIES = [];

// A range such as image/* says nothing about the newer formats: only the type itself counts.
function accepts(header, type) {
  return header.split(",").some((range) => {
    const [name, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return name === type && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

function handler(event) {
  const request = event.request;
  const header = request.headers.accept ? request.headers.accept.value : "";
  for (const [path, better] of FAMILIES) {
    const pattern = new RegExp(path);
    if (pattern.test(request.uri)) {
      const found = better.find(([type]) => accepts(header, type));
      if (found) {
        request.uri = request.uri.replace(pattern, found[1]);
      }
      return request;
    }
  }
  return request;
}

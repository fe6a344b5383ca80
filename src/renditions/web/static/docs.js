// Shows the API's description from openapi.json.

import { call, token } from './api.js';
import { element } from './dom.js';
import { makeTrial } from './trial.js';

const api = await call('GET', '/openapi.json');
// A link can't send a token.
if (token.read()) document.querySelector('[href="openapi.json"]').href = URL.createObjectURL(new Blob([JSON.stringify(api)], { type: 'application/json' }));
const root = document.querySelector('#operations');
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const parameters = (operation.parameters ?? []).map((each) => element('li', {}, element('code', {}, each.name), ` (${each.in}): ${plain(each.description)}`));
    const [body] = Object.values(operation.requestBody?.content ?? {}).map((each) => each.schema);
    const answers = Object.entries(operation.responses).filter(([status]) => status < '400').map(([status, answer]) => element('li', {}, element('code', {}, status), ` ${plain(answer.description)}`));
    const refusals = Object.keys(operation.responses).filter((status) => status >= '400').join(', ');
    root.append(element(
      'section', {},
      element('h2', {}, element('code', {}, `${method.toUpperCase()} ${path}`)),
      element('p', {}, plain(operation.summary)),
      ...(parameters.length ? [element('ul', {}, ...parameters)] : []),
      ...(body ? [element('details', {}, element('summary', {}, 'Request body'), element('pre', { tabindex: '0' }, JSON.stringify(resolve(body), null, 2)))] : []),
      makeTrial(method, path, operation),
      element('ul', {}, ...answers, element('li', {}, element('code', {}, refusals), ' A problem document with the reason')),
    ));
  }
}

function resolve(schema) {
  return schema.$ref ? api.components.schemas[schema.$ref.split('/').pop()] : schema;
}

function plain(markdown) {
  return markdown.replaceAll('`', '');
}

// Sends one file with its form.

import { Problem, isPassing } from './api.js';

// The sending of one file. `onProgress` gets the share of its bytes that was sent.
export class Transfer {
  constructor(file, onProgress) {
    this.file = file;
    this.onProgress = onProgress;
    this.isUncertain = false; // whether an earlier attempt may have arrived
  }

  // Returns the ETag of the uploaded file, if the answer has it.
  send(form) {
    return new Promise((resolve, reject) => {
      const body = new FormData();
      for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
      body.append('file', this.file);
      const request = new XMLHttpRequest();
      this.request = request;
      request.upload.onprogress = ({ lengthComputable, loaded, total }) => { if (lengthComputable) this.onProgress(loaded / total); };
      request.onload = () => {
        const { status } = request;
        // If the picture already exists, an earlier attempt arrived, but its answer was lost.
        if (status < 300 || (status === 409 && this.isUncertain)) { resolve(etagOf(request)); return; }
        let detail = `the server answered ${status}`;
        try { detail = JSON.parse(request.responseText).detail; } catch { /* S3 answers in XML */ }
        reject(isPassing(status) ? new Error(detail) : Object.assign(new Problem(detail), { status }));
      };
      request.onerror = () => { this.isUncertain = true; reject(new TypeError('the connection was lost')); };
      request.onabort = () => reject(new Error('cancelled'));
      request.open('POST', form.url);
      request.send(body);
    });
  }

  cancel() {
    this.request?.abort();
  }
}

// The server has the ETag in a header, and S3 in the XML of its answer.
function etagOf(request) {
  const [, inBody] = /<ETag>(?:"|&quot;)?([^"&<]+)/.exec(request.responseText) ?? [];
  return inBody ?? request.getResponseHeader('ETag')?.replaceAll('"', '');
}

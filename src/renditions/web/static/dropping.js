// Files that are dropped, pasted or chosen.

// A telephone's camera and the clipboard give each picture the same name, so the page keeps both without a question.
const ALIKE = 'both';

const drop = document.querySelector('#drop');

export function connect(onFiles) {
  for (const kind of ['dragover', 'dragenter']) {
    addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add('over'); });
  }
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) drop.classList.remove('over'); });
  addEventListener('drop', (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    onFiles(event.dataTransfer.files);
  });
  addEventListener('paste', (event) => { if (event.clipboardData?.files.length) onFiles(event.clipboardData.files, ALIKE); });
  for (const input of document.querySelectorAll('input[type=file]')) {
    input.addEventListener('change', () => { onFiles(input.files, input.hasAttribute('capture') ? ALIKE : undefined); input.value = ''; });
  }
}

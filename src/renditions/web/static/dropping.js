// Files that are dropped, pasted or chosen.

// A telephone's camera and the clipboard give each picture the same name, so the page keeps both without a question.
const ALIKE = 'both';

const drop = document.querySelector('#drop');

const named = (files) => [...files].map((file) => ({ name: file.name, file }));

export function connect(onFiles) {
  for (const kind of ['dragover', 'dragenter']) {
    addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add('over'); });
  }
  addEventListener('dragleave', (event) => { if (!event.relatedTarget) drop.classList.remove('over'); });
  addEventListener('drop', async (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    onFiles(await readDropped(event.dataTransfer));
  });
  addEventListener('paste', (event) => { if (event.clipboardData?.files.length) onFiles(named(event.clipboardData.files), ALIKE); });
  for (const input of document.querySelectorAll('input[type=file]')) {
    input.addEventListener('change', () => { onFiles(named(input.files), input.hasAttribute('capture') ? ALIKE : undefined); input.value = ''; });
  }
}

// Returns the dropped files, and those in dropped folders: their names begin with the folder's. The browser forgets what
// was dropped at the end of the event, so this takes all of it before it waits.
async function readDropped({ items, files }) {
  const folders = [...items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory);
  const alone = named(files).filter(({ name }) => !folders.some((folder) => folder.name === name));
  return [...alone, ...(await Promise.all(folders.map(readFolder))).flat()];
}

// Returns the files in a folder, without hidden ones, which systems put there. What the browser can't read has no file.
async function readFolder(folder) {
  const found = [];
  const unread = [folder];
  for (const entry of unread) {
    const name = entry.fullPath.slice(1);
    try {
      if (entry.isFile) found.push({ name, file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }) });
      else for (const each of await list(entry)) if (!each.name.startsWith('.')) unread.push(each);
    } catch {
      found.push({ name, file: null });
    }
  }
  return found;
}

async function list(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) { // a reader gives at most a hundred at once
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return entries;
    entries.push(...some);
  }
}

import { toast } from '../ui/toast.tsx';

// Copies, and says so. Over plain HTTP browsers have no clipboard for scripts but the old way.
export async function copy(text: string, what: string) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyByHand(text);
    toast(`${what} copied`);
  } catch {
    toast(`The browser does not let this page copy. ${what}: ${text}`, true);
  }
}

function copyByHand(text: string) {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'hidden';
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  if (!done) throw new Error();
}

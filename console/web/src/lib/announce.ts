// What a screen reader says when it has time. Layout has the region.
import { Store } from './store.ts';

export const announced = new Store('');

let last = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

// Says it, at most once in two seconds: the newest wins.
export function announce(text: string) {
  clearTimeout(timer);
  timer = setTimeout(
    () => {
      last = Date.now();
      announced.set(''); // the same words again are said again
      announced.set(text);
    },
    Math.max(0, last + 2000 - Date.now()),
  );
}

// The server's clock: times and countdowns are to be right on a machine whose own clock is not.
import { useSyncExternalStore } from 'react';
import { Store, useStore } from './store.ts';

let ahead = 0; // ms that this machine is ahead of the server

// Learns from an answer to what was asked at that time. It was written meanwhile, however long that was; its header has whole seconds, so a
// small difference is none.
export function setClock(response: Response, asked: number) {
  const date = Date.parse(response.headers.get('Date') ?? '') + 500;
  if (Number.isNaN(date)) return;
  const least = asked - date;
  const most = Date.now() - date;
  ahead = least > 2000 ? least : most < -2000 ? most : 0;
}

export const now = () => Date.now() - ahead;

// One timer for all that is shown, on the second, and only while somebody looks.
const seconds = new Store(Math.floor(now() / 1000));
setInterval(() => {
  if (!document.hidden) seconds.set(Math.floor(now() / 1000));
}, 1000);
document.addEventListener('visibilitychange', () => seconds.set(Math.floor(now() / 1000)));

// The server's time in ms, to the second; renders again every second.
export const useNow = () => useStore(seconds) * 1000;

// When the turn of so many ms began that runs now, such as the minute; renders again when the next begins.
export const useTurn = (ms: number) => useSyncExternalStore(seconds.subscribe, () => Math.floor((seconds.get() * 1000) / ms) * ms);

// Who leaves a form with unsaved changes is asked first: by a link, a shortcut or the browser's back button, and by the browser itself
// where the tab is closed.
import { useCallback, useEffect, useRef } from 'react';
import type { AroundNavHandler } from 'wouter';
import { Store } from './store.ts';

// What goes on once somebody has agreed to leave; null = nobody is to be asked.
export const leaving = new Store<(() => void) | null>(null);

let held: string | null = null; // the address of the form with unsaved changes

export const aroundNav: AroundNavHandler = (navigate, to, options) => {
  if (held === null) navigate(to, options);
  else leaving.set(() => navigate(to, options));
};

export function leave() {
  held = null;
  leaving.get()?.();
}

// The browser has gone back or forth already: before the router hears of it the form's address is put in place again, from where one
// step back leads to where it went.
addEventListener(
  'popstate',
  (event) => {
    if (held === null) return;
    event.stopImmediatePropagation();
    history.pushState(null, '', held);
    leaving.set(() => history.back());
  },
  { capture: true },
);

const ask = (event: BeforeUnloadEvent) => event.preventDefault();

// Asks as long as there are unsaved changes. What it gives is called by whoever leaves on purpose.
export function useAskBeforeLeaving(dirty: boolean): () => void {
  const mine = useRef(false);
  const release = useCallback(() => {
    if (!mine.current) return;
    mine.current = false;
    held = null;
    removeEventListener('beforeunload', ask);
  }, []);
  useEffect(() => {
    if (!dirty) return;
    mine.current = true;
    held = location.href;
    addEventListener('beforeunload', ask);
    return release;
  }, [dirty, release]);
  return release;
}

// Keyboard shortcuts: of whatever is on the page, while no field has the focus and nothing is open above it. The help dialog lists them.
import { useEffect, useEffectEvent } from 'react';
import { Store } from './store.ts';

export type Hotkey = {
  keys: string; // as KeyboardEvent.key has it: "j", "?", "ArrowDown"; two with a blank between are pressed one after the other
  what: string; // for the help; empty = not listed, as another name of one that is
  group: string;
  run: (event: KeyboardEvent) => void;
};

export const hotkeys = new Store<Hotkey[]>([]);

const sequence = 1200; // ms between two keys

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=checkbox]):not([type=radio]), textarea, select'));

// What Enter and the space bar press by themselves.
const pressing = ({ key, target }: KeyboardEvent) => (key === 'Enter' || key === ' ') && target instanceof Element && target.closest('a, button, summary, input, label') !== null;

const covered = () => document.querySelector('[role=dialog], [role=alertdialog], [role=menu], [role=listbox]') !== null;

let first = '';
let forget: ReturnType<typeof setTimeout> | undefined;

document.addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || pressing(event) || covered()) return;
  const known = hotkeys.get();
  const keys = first ? `${first} ${event.key}` : event.key;
  first = '';
  clearTimeout(forget);
  const meant = known.findLast((hotkey) => hotkey.keys === keys);
  if (meant) {
    event.preventDefault();
    meant.run(event);
  } else if (known.some((hotkey) => hotkey.keys.startsWith(`${event.key} `))) {
    first = event.key;
    forget = setTimeout(() => (first = ''), sequence);
  }
});

// The later one wins where two have the same keys. Pass the same list of keys on every render.
export function useHotkeys(given: Hotkey[]) {
  const run = useEffectEvent((index: number, event: KeyboardEvent) => given[index]?.run(event));
  const names = given.map(({ keys, what, group }) => `${keys}\t${what}\t${group}`).join('\n');
  useEffect(() => {
    const mine = names
      .split('\n')
      .filter(Boolean)
      .map((line, index) => {
        const [keys = '', what = '', group = ''] = line.split('\t');
        return { keys, what, group, run: (event: KeyboardEvent) => run(index, event) };
      });
    hotkeys.set([...hotkeys.get(), ...mine]);
    return () => hotkeys.set(hotkeys.get().filter((hotkey) => !mine.includes(hotkey)));
  }, [names]);
}

// What filters are made of.
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { useHotkeys } from '../lib/hotkeys.ts';
import { CloseIcon, SearchIcon } from './icons.tsx';

// Searches while it is typed into, a moment behind. "/" goes to it, Escape empties and leaves it.
export function SearchField({ label, placeholder = 'Search', value, onChange }: { label: string; placeholder?: string; value: string; onChange: (value: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [sent, setSent] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  if (value !== sent) {
    setSent(value);
    setText(value);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  useHotkeys([{ keys: '/', what: 'Search', group: 'List', run: () => field.current?.select() }]);

  const send = (next: string, wait: number) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setSent(next.trim());
      onChange(next.trim());
    }, wait);
  };
  return (
    <span className="search">
      <SearchIcon />
      <input
        ref={field}
        type="search"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        maxLength={255}
        enterKeyHint="search"
        autoComplete="off"
        onChange={(event) => send(event.target.value, 250)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            send('', 0);
            event.currentTarget.blur();
          } else if (event.key === 'Enter') send(text, 0);
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </span>
  );
}

// Buttons of which any number is pressed.
export function Toggles<T extends string>({ label, all, chosen, onChange, show }: { label: string; all: readonly T[]; chosen: readonly T[]; onChange: (chosen: T[]) => void; show: (value: T) => ReactNode }) {
  return (
    <div className="toggles" role="group" aria-label={label}>
      {all.map((value) => {
        const pressed = chosen.includes(value);
        return (
          <button key={value} type="button" aria-pressed={pressed} onClick={() => onChange(pressed ? chosen.filter((one) => one !== value) : [...chosen, value])}>
            {show(value)}
          </button>
        );
      })}
    </div>
  );
}

// Buttons of which one is pressed.
export function Choice<T extends string>({ label, all, chosen, onChange, show }: { label: string; all: readonly T[]; chosen: T; onChange: (chosen: T) => void; show: (value: T) => ReactNode }) {
  // On a phone it is wider than the page, and scrolls.
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const pressed = box.current?.querySelector<HTMLElement>('[aria-pressed=true]');
    if (!box.current || !pressed) return;
    const { left, right } = box.current.getBoundingClientRect();
    const at = pressed.getBoundingClientRect();
    box.current.scrollLeft += Math.min(at.left - left, 0) + Math.max(at.right - right, 0); // itself alone, not the page around it
  }, [chosen]);
  return (
    <div ref={box} className="choice" role="group" aria-label={label}>
      {all.map((value) => (
        <button key={value} type="button" aria-pressed={value === chosen} onClick={() => onChange(value)}>
          {show(value)}
        </button>
      ))}
    </div>
  );
}

// A native select: it is what a phone's own picker opens for.
export function Select<T extends string>({ label, all, chosen, onChange, show }: { label: string; all: readonly T[]; chosen: T; onChange: (chosen: T) => void; show: (value: T) => string }) {
  return (
    <select className="select" aria-label={label} value={chosen} onChange={(event) => onChange(event.target.value as T)}>
      {all.map((value) => (
        <option key={value} value={value}>
          {show(value)}
        </option>
      ))}
    </select>
  );
}

// A filter that is set, with a cross that takes it away.
export function Chip({ children, label, onRemove }: { children: ReactNode; label: string; onRemove: () => void }) {
  return (
    <span className="chip">
      <span>{children}</span>
      <button type="button" aria-label={`Remove the filter ${label}`} onClick={onRemove}>
        <CloseIcon width="12" height="12" />
      </button>
    </span>
  );
}

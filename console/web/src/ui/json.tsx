import type { ReactNode } from 'react';

// JSON to be read: indented, with its names and values in colours.
export function Json({ value }: { value: unknown }) {
  const text = JSON.stringify(value, null, 2);
  const parts: ReactNode[] = [];
  let done = 0;
  for (const match of text.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)) {
    parts.push(text.slice(done, match.index));
    const kind = match[1] === undefined ? 'value' : match[2] === undefined ? 'text' : 'name';
    parts.push(
      <span key={match.index} className={kind}>
        {match[1] ?? match[0]}
      </span>,
      match[2],
    );
    done = match.index + match[0].length;
  }
  parts.push(text.slice(done));
  return (
    // It scrolls, so the keyboard must come to it.
    <pre className="json" tabIndex={0} role="group" aria-label="JSON">
      {parts}
    </pre>
  );
}

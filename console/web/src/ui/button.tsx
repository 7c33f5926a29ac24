import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { playgroundURL } from '../base.ts';
import type { TypedDocumentString } from '../gql/graphql.ts';
import { PlayIcon, type Icon } from './icons.tsx';

export type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  icon?: Icon;
  busy?: boolean; // under way: cannot be pressed again, and says so; it keeps the focus
  shortcut?: string;
};

export function Button({ kind = 'plain', icon: Icon, busy = false, shortcut, type = 'button', className = '', children, onClick, ...rest }: ButtonProps) {
  return (
    <button type={type} className={`button ${kind} ${className}`} aria-disabled={busy || undefined} aria-busy={busy || undefined} aria-keyshortcuts={shortcut} onClick={busy ? (event) => event.preventDefault() : onClick} {...rest}>
      {Icon && <Icon />}
      {children !== undefined && <span>{children}</span>}
      {shortcut && <kbd aria-hidden="true">{shortcut}</kbd>}
    </button>
  );
}

// A button that shows an icon alone; the label is its name and its tooltip.
export function IconButton({ label, icon: Icon, className = '', ...rest }: ButtonProps & { label: string; icon: Icon }) {
  return (
    <button type="button" className={`button quiet icon-only ${className}`} aria-label={label} title={label} {...rest}>
      <Icon />
    </button>
  );
}

// Opens the playground with the query behind a view.
export function PlaygroundLink<R, V extends object>({ query, variables, children }: { query: TypedDocumentString<R, V>; variables?: V; children?: ReactNode }) {
  return (
    <a className="button quiet icon-only" href={playgroundURL(query.toString(), variables)} target="_blank" rel="noreferrer" title="Open the query behind this in the playground">
      <PlayIcon />
      <span className="hidden">{children ?? 'Open in the playground'}</span>
    </a>
  );
}

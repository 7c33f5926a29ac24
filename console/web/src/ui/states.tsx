// What stands in place of a list or a page: nothing there, something went wrong, not there yet.
import type { ReactNode } from 'react';
import { ApiError } from '../api/client.ts';
import { Button } from './button.tsx';

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h2>{title}</h2>
      {children && <div className="muted">{children}</div>}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  return (
    <div className="state" role="alert">
      <h2>{error instanceof ApiError && error.code === 'FORBIDDEN' ? 'This is not for your role' : 'This could not be read'}</h2>
      <p className="muted">{error.message}</p>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

// What went wrong with something that somebody did, next to where it belongs.
export function Problem({ error }: { error: Error | null | undefined }) {
  return (
    <p role="alert" className="problem">
      {error?.message}
    </p>
  );
}

export function Loading({ rows = 8 }: { rows?: number }) {
  return (
    <div className="loading" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton" />
      ))}
    </div>
  );
}

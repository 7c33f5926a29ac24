// The template of a view: a heading with what may be done, filters, and what there is to see.
import { useEffect, type ReactNode } from 'react';

export function Page({ title, count, actions, filters, children }: { title: string; count?: ReactNode; actions?: ReactNode; filters?: ReactNode; children: ReactNode }) {
  useTitle(title);
  return (
    <div className="page">
      <header className="page-head">
        <h1>{title}</h1>
        {count !== undefined && <span className="count">{count}</span>}
        <div className="actions">{actions}</div>
      </header>
      {filters && (
        <div className="filters" role="search" aria-label={`Filter ${title.toLowerCase()}`}>
          {filters}
        </div>
      )}
      <div className="page-body">{children}</div>
    </div>
  );
}

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Rustbucket Alerts`;
  }, [title]);
}

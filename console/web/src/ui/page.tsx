// The template of a view: a heading with what may be done, filters, and what there is to see.
import { useEffect, useRef, type ReactNode } from 'react';
import { Link } from 'wouter';
import { BackIcon } from './icons.tsx';

export function Page({ title, mark = '', back, count, actions, filters, children }: {
  title: string;
  mark?: string;
  back?: { to: string; label: string };
  count?: ReactNode;
  actions?: ReactNode;
  filters?: ReactNode;
  children: ReactNode;
}) {
  useTitle(mark + title); // the mark is for the browser's tab alone
  return (
    <div className="page">
      <header className="page-head">
        {back && (
          <Link href={back.to} className="button quiet icon-only" aria-label={back.label} title={back.label}>
            <BackIcon />
          </Link>
        )}
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

const titles: { text: string }[] = [];

// The title of the browser's tab. What is opened within a page has its own as long as it is there.
export function useTitle(title: string) {
  const own = useRef({ text: title }); // it keeps its place when it changes: what is opened is above its page
  useEffect(() => {
    const mine = own.current;
    titles.push(mine);
    return () => {
      titles.splice(titles.indexOf(mine), 1);
      show();
    };
  }, []);
  useEffect(() => {
    own.current.text = title;
    show();
  }, [title]);
}

const show = () => {
  document.title = [...titles.slice(-1).map(({ text }) => text), 'Rustbucket Alerts'].join(' · ');
};

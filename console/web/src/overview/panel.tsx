// A part of the overview: a heading, what may be done, and figures as a chart or as a table.
import { lazy, Suspense, useId, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import type { ApiError } from '../api/client.ts';
import { number } from '../lib/time.ts';
import { Failure } from '../ui/states.tsx';
import type { Series } from './chart.tsx';
import { bucketEnd, bucketName, type Range } from './range.ts';

const Chart = lazy(() => import('./chart.tsx'));

export function Panel({ title, summary, actions, className = '', error, onRetry, children }: { title: string; summary?: ReactNode; actions?: ReactNode; className?: string; error?: Error | ApiError | null; onRetry?: () => void; children: ReactNode }) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {summary && <span className="muted small">{summary}</span>}
        <div className="actions">{actions}</div>
      </header>
      {error ? <Failure error={error} {...(onRetry && { onRetry })} /> : children}
    </section>
  );
}

// The list behind a figure.
export type Behind = (from: string, to: string, series?: string) => string;

export type Figures = {
  name: string; // of the bar as a whole: "alerts"
  series: (Series & { key: string; shape?: ReactNode })[];
  times: number[];
  behind: Behind;
};

// One figure at a time by mouse or keyboard, or all of them in a table; a screen reader has the table always.
export function ChartPanel({ title, summary, range, figures, actions, error, onRetry }: { title: string; summary: string; range: Range; figures: Figures | undefined; actions: ReactNode; error: Error | null; onRetry: () => void }) {
  const [asTable, setAsTable] = useState(false);
  const [, navigate] = useLocation();
  const describe = (index: number) => {
    const { series, times, name } = figures!;
    const total = series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0);
    const parts = series.filter(({ values }) => values[index]).map(({ label, values }) => `${number(values[index]!)} ${label.toLowerCase()}`);
    return `${bucketName(new Date(times[index]!).toISOString(), range)}: ${total === 0 ? `no ${name}` : `${number(total)} ${name}, ${parts.join(', ')}`}`;
  };
  return (
    <Panel
      title={title}
      summary={figures && summary}
      error={figures ? null : error}
      onRetry={onRetry}
      actions={
        <>
          <button type="button" className="button quiet" aria-label={`Show as table: ${title}`} aria-pressed={asTable} onClick={() => setAsTable(!asTable)} disabled={!figures}>
            Show as table
          </button>
          {actions}
        </>
      }
    >
      {!figures ? (
        <div className="chart-space skeleton" role="status" aria-label="Loading" />
      ) : (
        <>
          {!asTable && (
            <>
              <ul className="legend" aria-hidden="true">
                {[...figures.series].reverse().map(({ key, label, color, hatched, shape }) => (
                  <li key={key}>
                    {shape ?? <span className={hatched ? 'swatch hatched' : 'swatch'} style={{ backgroundColor: `var(${color})` }} />}
                    {label}
                  </li>
                ))}
              </ul>
              <Suspense fallback={<div className="chart-space" />}>
                <Chart
                  label={`${title}, bar by bar`}
                  times={figures.times}
                  step={range.step}
                  utc={range.bucket === 'DAY'}
                  series={figures.series}
                  describe={describe}
                  tooltip={(index) => <Tooltip figures={figures} index={index} range={range} />}
                  onOpen={(index) => navigate(behindBar(figures, index, range))}
                />
              </Suspense>
            </>
          )}
          <div className={asTable ? 'figures-table' : 'hidden'}>
            <FiguresTable caption={title} figures={figures} range={range} linked={asTable} />
          </div>
        </>
      )}
    </Panel>
  );
}

const iso = (ms: number) => new Date(ms).toISOString();
const behindBar = ({ times, behind }: Figures, index: number, range: Range, series?: string) => behind(iso(times[index]!), bucketEnd(iso(times[index]!), range), series);

function Tooltip({ figures, index, range }: { figures: Figures; index: number; range: Range }) {
  const total = figures.series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0);
  return (
    <>
      <strong>{bucketName(iso(figures.times[index]!), range)}</strong>
      <dl>
        {[...figures.series].reverse().map(({ key, label, color, hatched, shape, values }) => (
          <div key={key}>
            <dt>
              {shape ?? <span className={hatched ? 'swatch hatched' : 'swatch'} style={{ backgroundColor: `var(${color})` }} />}
              {label}
            </dt>
            <dd>{number(values[index] ?? 0)}</dd>
          </div>
        ))}
        <div className="total">
          <dt>All</dt>
          <dd>{number(total)}</dd>
        </div>
      </dl>
    </>
  );
}

function FiguresTable({ caption, figures, range, linked }: { caption: string; figures: Figures; range: Range; linked: boolean }) {
  const { series, times } = figures;
  const order = [...series].reverse();
  const cell = (n: number, index: number, key?: string) =>
    linked && n > 0 ? <Link href={behindBar(figures, index, range, key)}>{number(n)}</Link> : <span className={n === 0 ? 'muted' : ''}>{number(n)}</span>;
  return (
    <table className="table">
      <caption className="hidden">{caption}, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {order.map(({ key, label }) => (
            <th key={key} scope="col" className="number">
              {label}
            </th>
          ))}
          <th scope="col" className="number">
            All
          </th>
        </tr>
      </thead>
      <tbody>
        {times
          .map((at, index) => (
            <tr key={at}>
              <th scope="row">{bucketName(iso(at), range)}</th>
              {order.map(({ key, values }) => (
                <td key={key} className="number">
                  {cell(values[index] ?? 0, index, key)}
                </td>
              ))}
              <td className="number">{cell(series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0), index)}</td>
            </tr>
          ))
          .reverse()}
      </tbody>
    </table>
  );
}

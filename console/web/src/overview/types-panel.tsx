import { useState } from 'react';
import { Link } from 'wouter';
import type { AlertFiguresQuery } from '../gql/graphql.ts';
import { number } from '../lib/time.ts';
import { Button } from '../ui/button.tsx';
import { Loading } from '../ui/states.tsx';
import { alertsLink } from '../lib/links.ts';
import { Panel } from './panel.tsx';
import type { Range } from './range.ts';

const few = 6;

// What comes in most.
export function TypesPanel({ range, stats, error, onRetry }: { range: Range; stats: AlertFiguresQuery['alertStats'] | undefined; error: Error | null; onRetry: () => void }) {
  const [all, setAll] = useState(false);
  const types = stats?.types ?? [];
  const most = types[0]?.total ?? 1;
  return (
    <Panel title="Most frequent types" summary={`in the ${range.name.toLowerCase()}`} error={stats ? null : error} onRetry={onRetry}>
      {!stats ? (
        <Loading rows={4} />
      ) : types.length === 0 ? (
        <p className="panel-empty muted">No alert came in.</p>
      ) : (
        <>
          <table className="table types">
            <thead>
              <tr>
                <th scope="col">Type</th>
                <th scope="col" className="number">Not resolved</th>
                <th scope="col" className="number">All</th>
              </tr>
            </thead>
            <tbody>
              {(all ? types : types.slice(0, few)).map(({ type, total, open }) => (
                <tr key={type}>
                  <th scope="row">
                    <span className="type-bar" aria-hidden="true" style={{ width: `${(total / most) * 100}%` }} />
                    <code>{type}</code>
                  </th>
                  <td className="number">{open > 0 ? <Link href={alertsLink({ state: 'active', type, from: range.from })}>{number(open)}</Link> : <span className="muted">0</span>}</td>
                  <td className="number">
                    <Link href={alertsLink({ state: 'all', type, from: range.from })}>{number(total)}</Link>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {types.length > few && (
            <Button kind="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
              {all ? 'Show fewer' : `Show all ${types.length}`}
            </Button>
          )}
        </>
      )}
    </Panel>
  );
}

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Severity, UnresolvedCountsQuery } from '../gql/graphql.ts';
import { number } from '../lib/time.ts';
import { SeverityMark, severities } from '../ui/badges.tsx';
import { Loading } from '../ui/states.tsx';
import { alertsLink } from '../lib/links.ts';
import { Panel } from './panel.tsx';

// What nobody has resolved yet, whenever it came in.
export function UnresolvedPanel({ counts, error, onRetry, actions }: { counts: UnresolvedCountsQuery | undefined; error: Error | null; onRetry: () => void; actions: ReactNode }) {
  const byState = (severity: Severity): [number, number] => {
    const { highOpen, highAcknowledged, mediumOpen, mediumAcknowledged, lowOpen, lowAcknowledged } = counts!;
    const [open, acknowledged] = ({ HIGH: [highOpen, highAcknowledged], MEDIUM: [mediumOpen, mediumAcknowledged], LOW: [lowOpen, lowAcknowledged] } as const)[severity];
    return [open.totalCount, acknowledged.totalCount];
  };
  const linked = (n: number, state: string, severity?: Severity) => (n > 0 ? <Link href={alertsLink({ state, severity })}>{number(n)}</Link> : <span className="muted">0</span>);
  const sums: [number, number] = counts ? severities.map(byState).reduce(([a, b], [c, d]) => [a + c, b + d]) : [0, 0];
  return (
    <Panel title="Not resolved" summary="whenever they came in" error={counts ? null : error} onRetry={onRetry} actions={actions}>
      {!counts ? (
        <Loading rows={3} />
      ) : (
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Severity</th>
              <th scope="col" className="number">Open</th>
              <th scope="col" className="number">Acknowledged</th>
              <th scope="col" className="number">Both</th>
            </tr>
          </thead>
          <tbody>
            {severities.map((severity) => {
              const [open, acknowledged] = byState(severity);
              return (
                <tr key={severity}>
                  <th scope="row">
                    <SeverityMark severity={severity} withName />
                  </th>
                  <td className="number">{linked(open, 'open', severity)}</td>
                  <td className="number">{linked(acknowledged, 'acknowledged', severity)}</td>
                  <td className="number">{linked(open + acknowledged, 'active', severity)}</td>
                </tr>
              );
            })}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">All</th>
              <td className="number">{linked(sums[0], 'open')}</td>
              <td className="number">{linked(sums[1], 'acknowledged')}</td>
              <td className="number">{linked(sums[0] + sums[1], 'active')}</td>
            </tr>
          </tfoot>
        </table>
      )}
    </Panel>
  );
}

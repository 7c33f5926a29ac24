// What has a colour has a shape and words, too.
import type { AlertState, DeliveryStatus, Severity } from '../gql/graphql.ts';

const severityNames: Record<Severity, string> = { LOW: 'Low', MEDIUM: 'Medium', HIGH: 'High' };

const severityShapes: Record<Severity, string> = {
  LOW: 'M8 3a5 5 0 1 1 0 10A5 5 0 1 1 8 3Z',
  MEDIUM: 'M8 2.2 14.6 13.6H1.4Z',
  HIGH: 'M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2Z',
};

export const severities: Severity[] = ['HIGH', 'MEDIUM', 'LOW'];
export const severityName = (severity: Severity) => severityNames[severity];

export function SeverityMark({ severity, withName = false }: { severity: Severity; withName?: boolean }) {
  return (
    <span className={`severity ${severity.toLowerCase()}`} title={`Severity: ${severityNames[severity]}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={severityShapes[severity]} fill="currentColor" />
        {severity !== 'LOW' && <path d={severity === 'HIGH' ? 'M8 4.5v4M8 11h.01' : 'M8 6.5v3M8 11.5h.01'} className="mark" />}
      </svg>
      <span className={withName ? '' : 'hidden'}>{severityNames[severity]}</span>
    </span>
  );
}

export type Tone = 'good' | 'bad' | 'warn' | 'calm' | 'info';

export function Badge({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span className={`badge ${tone}`}>
      <span className="dot" aria-hidden="true" />
      {children}
    </span>
  );
}

// Where a delivery stands, in a word. PENDING with attempts is waiting to try again.
export function StatusBadge({ status, attempts }: { status: DeliveryStatus; attempts: number }) {
  switch (status) {
    case 'DELIVERED':
      return <Badge tone="good">Delivered</Badge>;
    case 'FAILED':
      return <Badge tone="bad">Failed</Badge>;
    case 'CANCELLED':
      return <Badge tone="calm">Cancelled</Badge>;
    default:
      return attempts > 0 ? <Badge tone="warn">Retrying</Badge> : <Badge tone="info">Waiting</Badge>;
  }
}

// How far people are with an alert.
export function AlertStateBadge({ state }: { state: AlertState }) {
  switch (state) {
    case 'OPEN':
      return <Badge tone="bad">Open</Badge>;
    case 'ACKNOWLEDGED':
      return <Badge tone="warn">Acknowledged</Badge>;
    default:
      return <Badge tone="good">Resolved</Badge>;
  }
}

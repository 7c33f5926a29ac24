import { useState } from 'react';
import { request } from '../api/client.ts';
import { AcknowledgeAlertsDocument, AssignAlertsDocument, DeleteAlertsDocument, ReopenAlertsDocument, ResolveAlertsDocument, type AlertFilter, type AlertRowFragment, type AlertSelection } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { useMay } from '../lib/roles.ts';
import { number, plural } from '../lib/time.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { CheckIcon, CloseIcon, EyeIcon, PersonIcon, ReopenIcon, TrashIcon } from '../ui/icons.tsx';
import { Problem } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import { AssignDialog } from './assign.tsx';

const atOnce = 1000; // ids that the API takes

// What was chosen: some of the list, or everything that matches the filter.
export type Selection = { ids: ReadonlySet<string>; all: boolean };
export const nothing: Selection = { ids: new Set(), all: false };

type Act = 'acknowledge' | 'resolve' | 'reopen' | 'assign' | 'delete';

export const deedsDone: Record<Act, string> = { acknowledge: 'acknowledged', resolve: 'resolved', reopen: 'reopened', assign: 'assigned', delete: 'deleted' };

// Does it, and answers how many alerts changed.
export async function actOn(act: Act, selection: Selection, alerts: AlertRowFragment[], filter: AlertFilter, assignee: string | null = null): Promise<number> {
  const one = async (which: AlertSelection): Promise<number> => {
    switch (act) {
      case 'acknowledge':
        return (await request(AcknowledgeAlertsDocument, { which })).acknowledgeAlerts;
      case 'resolve':
        return (await request(ResolveAlertsDocument, { which })).resolveAlerts;
      case 'reopen':
        return (await request(ReopenAlertsDocument, { which })).reopenAlerts;
      case 'assign':
        return (await request(AssignAlertsDocument, { which, assignee })).assignAlerts;
      case 'delete':
        return (await request(DeleteAlertsDocument, { which })).deleteAlerts;
    }
  };
  // The filter may not be empty. What comes in from now on was not meant.
  if (selection.all) return one({ filter: { ...filter, createdBefore: filter.createdBefore ?? new Date(now()).toISOString() } });
  // Only what it makes sense for: to acknowledge what is resolved is a conflict.
  const sensible = (alert: AlertRowFragment) =>
    act === 'acknowledge' ? alert.state === 'OPEN' : act === 'resolve' ? alert.state !== 'RESOLVED' : act === 'reopen' ? alert.state !== 'OPEN' : true;
  const ids = alerts.filter((alert) => selection.ids.has(alert.id) && sensible(alert)).map(({ id }) => id);
  let changed = 0;
  for (let i = 0; i < ids.length; i += atOnce) changed += await one({ ids: ids.slice(i, i + atOnce) });
  return changed;
}

export function BulkBar({ selection, alerts, filter, total, onSelectAll, onDone }: {
  selection: Selection;
  alerts: AlertRowFragment[];
  filter: AlertFilter;
  total: number;
  onSelectAll: () => void;
  onDone: () => void;
}) {
  const admin = useMay('ADMIN');
  const [busy, setBusy] = useState<Act | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [dialog, setDialog] = useState<'assign' | 'delete' | null>(null);
  const size = selection.all ? total : alerts.filter(({ id }) => selection.ids.has(id)).length;

  const act = async (what: Act, assignee?: string | null) => {
    setBusy(what);
    setError(null);
    try {
      const changed = await actOn(what, selection, alerts, filter, assignee);
      toast(changed === 0 ? 'There was nothing to do' : `${plural(changed, 'alert')} ${deedsDone[what]}`);
      onDone();
    } finally {
      setBusy(null);
    }
  };
  const attempt = (what: Act) => act(what).catch((problem: Error) => setError(problem));

  return (
    <div className="bulk" role="region" aria-label="Selected alerts">
      <div className="bulk-head">
        <strong aria-live="polite">{number(size)} selected</strong>
        {!selection.all && total > size && <Button kind="quiet" onClick={onSelectAll}>{`Select all ${number(total)}`}</Button>}
      </div>
      <Button icon={EyeIcon} busy={busy === 'acknowledge'} disabled={busy !== null} onClick={() => attempt('acknowledge')}>
        Acknowledge
      </Button>
      <Button icon={CheckIcon} busy={busy === 'resolve'} disabled={busy !== null} onClick={() => attempt('resolve')}>
        Resolve
      </Button>
      <Button icon={PersonIcon} disabled={busy !== null} onClick={() => setDialog('assign')}>
        Assign
      </Button>
      <Button icon={ReopenIcon} busy={busy === 'reopen'} disabled={busy !== null} onClick={() => attempt('reopen')}>
        Reopen
      </Button>
      {admin && (
        <Button icon={TrashIcon} kind="danger" disabled={busy !== null} onClick={() => setDialog('delete')}>
          Delete
        </Button>
      )}
      <IconButton label="Clear the selection" icon={CloseIcon} onClick={onDone} />
      <Problem error={error} />
      {dialog === 'assign' && <AssignDialog count={size} alerts={alerts} onClose={() => setDialog(null)} run={(assignee) => act('assign', assignee)} />}
      {dialog === 'delete' && (
        <Confirm title={`Delete ${plural(size, 'alert')}?`} action="Delete" danger run={() => act('delete')} onClose={() => setDialog(null)}>
          <p>They are gone with their history and their deliveries, for everybody and for good; what waits is not told any more. The audit log keeps that they were deleted.</p>
        </Confirm>
      )}
    </div>
  );
}

import { useId, useState, type FormEvent } from 'react';
import { session } from '../api/session.ts';
import type { AlertRowFragment } from '../gql/graphql.ts';
import { useStore } from '../lib/store.ts';
import { plural } from '../lib/time.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Problem } from '../ui/states.tsx';

// Asks whose alerts are to be. Those who have some are suggested.
export function AssignDialog({ count = 1, current = null, alerts = [], run, onClose }: {
  count?: number;
  current?: string | null;
  alerts?: AlertRowFragment[];
  run: (assignee: string | null) => Promise<unknown>;
  onClose: () => void;
}) {
  const id = useId();
  const { viewer } = useStore(session);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const known = [...new Set(alerts.flatMap(({ assignee }) => assignee ?? []))].sort();

  const assign = async (assignee: string | null) => {
    setBusy(true);
    setError(null);
    try {
      await run(assignee);
      onClose();
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    void assign(String(new FormData(event.currentTarget).get('assignee')).trim() || null);
  };
  return (
    <Dialog title={count === 1 ? 'Assign the alert' : `Assign ${plural(count, 'alert')}`} onClose={onClose}>
      <form className="assign" onSubmit={submit}>
        <div className="field">
          <label htmlFor={id}>A person or a team</label>
          <input id={id} name="assignee" list={`${id}l`} defaultValue={current ?? ''} maxLength={255} autoFocus autoComplete="off" />
          <datalist id={`${id}l`}>
            {known.map((assignee) => (
              <option key={assignee} value={assignee} />
            ))}
          </datalist>
          <p className="help">In your own words. Nobody is told by a channel.</p>
        </div>
        <Problem error={error} />
        <footer>
          {viewer && viewer.name !== current && (
            <Button kind="quiet" disabled={busy} onClick={() => assign(viewer.name)}>
              Assign to me
            </Button>
          )}
          {(current || count > 1) && (
            <Button kind="quiet" disabled={busy} onClick={() => assign(null)}>
              To nobody
            </Button>
          )}
          <Button type="submit" kind="primary" busy={busy}>
            Assign
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

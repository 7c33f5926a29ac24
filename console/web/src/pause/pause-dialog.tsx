import { useMutation } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { ApiError, request } from '../api/client.ts';
import { PauseNotificationsDocument, type Afterwards } from '../gql/graphql.ts';
import { now } from '../lib/clock.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { faultAt, Field, notes } from '../ui/form.tsx';
import { Problem } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import { pauseChanged } from './pause-banner.tsx';

const minute = 60_000;
const lengths = { '15': '15 minutes', '60': 'An hour', '240': '4 hours', '1440': 'A day', never: 'Until somebody ends it', other: 'Until …' };
type Length = keyof typeof lengths;

export function PauseDialog({ onClose }: { onClose: () => void }) {
  const id = useId();
  const [reason, setReason] = useState('');
  const [length, setLength] = useState<Length>('60');
  const [at, setAt] = useState('');
  const [afterwards, setAfterwards] = useState<Afterwards>('TELL');
  const until = () => {
    if (length === 'never') return null;
    if (length !== 'other') return new Date(now() + Number(length) * minute).toISOString();
    if (Number.isNaN(Date.parse(at))) throw new ApiError('until: give a day and a time', 'BAD_USER_INPUT', 'until');
    return new Date(at).toISOString();
  };
  const pause = useMutation({
    mutationFn: () => request(PauseNotificationsDocument, { until: until(), reason: reason.trim(), afterwards }),
    onSuccess: async () => {
      await pauseChanged();
      toast('Notifications are paused');
      onClose();
    },
  });
  const fault = (field: string) => faultAt(pause.error, field);
  const placed = fault('reason') || fault('until');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    pause.mutate();
  };
  return (
    <Dialog title="Pause notifications" onClose={onClose}>
      <form className="pause-form" onSubmit={submit} noValidate>
        <p className="muted">Alerts are stored and shown, and nobody is told on any channel. Deliveries that wait keep waiting; tests still work.</p>
        <Field id={`${id}r`} label="Reason" help="Shown to everybody, and with the alerts that come in meanwhile." fault={fault('reason')}>
          <input id={`${id}r`} type="text" autoFocus aria-required aria-invalid={fault('reason') ? true : undefined} aria-describedby={notes(`${id}r`, fault('reason'))} value={reason} maxLength={255} placeholder="Maintenance of the database" onChange={(event) => setReason(event.target.value)} />
        </Field>
        <Field id={`${id}u`} label="How long" fault={fault('until')}>
          <div className="pause-length">
            <select id={`${id}u`} className="select" aria-describedby={notes(`${id}u`, fault('until'))} value={length} onChange={(event) => setLength(event.target.value as Length)}>
              {(['15', '60', '240', '1440', 'never', 'other'] as const).map((one) => (
                <option key={one} value={one}>
                  {lengths[one]}
                </option>
              ))}
            </select>
            {length === 'other' && <input type="datetime-local" aria-label="Until" aria-invalid={fault('until') ? true : undefined} value={at} onChange={(event) => setAt(event.target.value)} />}
          </div>
        </Field>
        <fieldset className="field">
          <legend className="label">What comes in meanwhile</legend>
          <label className="check">
            <input type="radio" name={`${id}a`} checked={afterwards === 'TELL'} onChange={() => setAfterwards('TELL')} />
            <span>is told when the pause ends</span>
          </label>
          <label className="check">
            <input type="radio" name={`${id}a`} checked={afterwards === 'DROP'} onChange={() => setAfterwards('DROP')} />
            <span>is told to nobody</span>
          </label>
        </fieldset>
        <Problem error={placed ? null : pause.error} />
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={pause.isPending}>
            Pause
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

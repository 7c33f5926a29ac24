// A filter by time.
import { useId, useState, type FormEvent } from 'react';
import { exactTime } from '../lib/time.ts';
import { periods, periodOf, type Period } from '../lib/period.ts';
import { now } from '../lib/clock.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { Chip, Select } from './fields.tsx';

const names: Record<Period | '' | 'other', string> = {
  '': 'Any time',
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  other: 'From … to …',
};

export function PeriodFilter({ label, params, change }: { label: string; params: URLSearchParams; change: (changes: Record<string, string | null>) => void }) {
  const [asking, setAsking] = useState(false);
  const { period, from, to } = periodOf(params, now());
  const all = ['', ...(Object.keys(periods) as Period[]), 'other'] as const;
  return (
    <>
      <Select
        label={label}
        all={all}
        chosen={period || (from || to ? 'other' : '')}
        onChange={(chosen) => (chosen === 'other' ? setAsking(true) : change({ since: chosen, from: null, to: null }))}
        show={(one) => names[one]}
      />
      {!period && from && (
        <Chip label="from" onRemove={() => change({ from: null })}>{`From ${exactTime(from)}`}</Chip>
      )}
      {!period && to && (
        <Chip label="to" onRemove={() => change({ to: null })}>{`Before ${exactTime(to)}`}</Chip>
      )}
      {asking && <Ask from={from} to={to} onClose={() => setAsking(false)} onChange={change} />}
    </>
  );
}

function Ask({ from, to, onClose, onChange }: { from: string | undefined; to: string | undefined; onClose: () => void; onChange: (changes: Record<string, string | null>) => void }) {
  const id = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onChange({ since: null, from: toISO(form.get('from')), to: toISO(form.get('to')) });
    onClose();
  };
  return (
    <Dialog title="From … to …" onClose={onClose}>
      <form className="period-form" onSubmit={submit}>
        <div className="field">
          <label htmlFor={`${id}f`}>At this moment or later</label>
          <input id={`${id}f`} name="from" type="datetime-local" step={1} defaultValue={toLocal(from)} />
        </div>
        <div className="field">
          <label htmlFor={`${id}t`}>Before this moment</label>
          <input id={`${id}t`} name="to" type="datetime-local" step={1} defaultValue={toLocal(to)} />
        </div>
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary">
            Show
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

// What a datetime-local field has is in the reader's time zone.
const toISO = (text: FormDataEntryValue | null) => (text ? new Date(String(text)).toISOString() : null);

function toLocal(iso: string | undefined) {
  if (!iso) return '';
  const date = new Date(iso);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

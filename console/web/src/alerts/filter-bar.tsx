import { useId, useState, type FormEvent } from 'react';
import type { AlertRowFragment } from '../gql/graphql.ts';
import { exactTime, number } from '../lib/time.ts';
import { SeverityMark, severities } from '../ui/badges.tsx';
import { Button } from '../ui/button.tsx';
import { PopoverButton } from '../ui/dialog.tsx';
import { Chip, Choice, SearchField, Select, Toggles } from '../ui/fields.tsx';
import { FilterIcon } from '../ui/icons.tsx';
import { known } from '../lib/address.ts';
import { periods, shownState, shownStates, silenceIn, type Period, type ShownState } from './filter.ts';

export type Counts = Partial<Record<ShownState, number>>;

type Props = {
  params: URLSearchParams;
  change: (changes: Record<string, string | string[] | null>) => void;
  counts: Counts;
  seen: AlertRowFragment[]; // what the fields suggest comes from there
};

const stateTitles: Record<ShownState, string> = { active: 'Active', open: 'Open', acknowledged: 'Acknowledged', resolved: 'Resolved', all: 'All' };

const periodNames: Record<Period | '', string> = {
  '': 'Any time',
  '15m': 'Last 15 minutes',
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};

export function FilterBar({ params, change, counts, seen }: Props) {
  const types = params.getAll('type');
  const period = known(params.getAll('since'), Object.keys(periods) as Period[])[0] ?? '';
  const silenced = known(params.getAll('silenced'), ['yes', 'no'] as const)[0];
  const silence = silenceIn(params);
  const single = (name: 'rustbucket' | 'assignee', title: string) => {
    const value = params.get(name);
    return value && <Chip label={`${title} ${value}`} onRemove={() => change({ [name]: null })}>{`${title}: ${value}`}</Chip>;
  };
  const moment = (name: 'from' | 'to') => {
    const value = params.get(name);
    if (!value || period || Number.isNaN(Date.parse(value))) return null;
    const text = `${name === 'from' ? 'Since' : 'Until'} ${exactTime(value)}`;
    return <Chip label={text} onRemove={() => change({ [name]: null })}>{text}</Chip>;
  };
  return (
    <>
      <Choice
        label="State"
        all={shownStates}
        chosen={shownState(params)}
        onChange={(state) => change({ state: state === 'active' ? null : state })}
        show={(state) => (
          <>
            {stateTitles[state]}
            {counts[state] !== undefined && <span className="count">{number(counts[state])}</span>}
          </>
        )}
      />
      <Toggles
        label="Severity"
        all={severities}
        chosen={known(params.getAll('severity'), severities)}
        onChange={(severity) => change({ severity })}
        show={(severity) => <SeverityMark severity={severity} withName />}
      />
      <SearchField label="Search type and message" value={params.get('q') ?? ''} onChange={(q) => change({ q })} />
      <Select label="Came in" all={Object.keys(periodNames) as (Period | '')[]} chosen={period} onChange={(since) => change({ since, from: null, to: null })} show={(value) => periodNames[value]} />
      <PopoverButton label="Filters" icon={FilterIcon}>
        {(close) => <MoreFilters params={params} change={change} seen={seen} close={close} />}
      </PopoverButton>
      {types.map((type) => (
        <Chip key={type} label={`type ${type}`} onRemove={() => change({ type: types.filter((one) => one !== type) })}>{`Type: ${type}`}</Chip>
      ))}
      {single('rustbucket', 'Rustbucket')}
      {single('assignee', 'Assignee')}
      {silenced && <Chip label="Silenced" onRemove={() => change({ silenced: null })}>{silenced === 'yes' ? 'Silenced only' : 'Without silenced'}</Chip>}
      {silence && <Chip label={`Silenced by silence ${silence}`} onRemove={() => change({ silence: null })}>{`By silence ${silence}`}</Chip>}
      {moment('from')}
      {moment('to')}
    </>
  );
}

const local = (iso: string | null) => {
  const date = iso ? new Date(iso) : null;
  if (!date || Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const unlocal = (text: FormDataEntryValue | null) => (text ? new Date(String(text)).toISOString() : null);

function MoreFilters({ params, change, seen, close }: Omit<Props, 'counts'> & { close: () => void }) {
  const id = useId();
  const [types, setTypes] = useState(params.getAll('type').join(', '));
  const distinct = (values: (string | null | undefined)[]) => [...new Set(values.filter((value) => value))].sort().slice(0, 100) as string[];
  const seenTypes = distinct(seen.map(({ type }) => type));
  const buckets = new Map(seen.flatMap(({ rustbucket }) => (rustbucket ? [[rustbucket.id, rustbucket.name] as const] : [])));
  const apply = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const from = unlocal(form.get('from'));
    const to = unlocal(form.get('to'));
    change({
      type: [...new Set(types.split(',').map((type) => type.trim()))],
      rustbucket: String(form.get('rustbucket')).trim(),
      assignee: String(form.get('assignee')).trim(),
      silenced: String(form.get('silenced')),
      from,
      to,
      ...((from || to) && { since: null }),
    });
    close();
  };
  return (
    <form className="more-filters" onSubmit={apply}>
      <div className="field">
        <label htmlFor={`${id}t`}>Types, exactly as written</label>
        <input id={`${id}t`} value={types} onChange={(event) => setTypes(event.target.value)} placeholder="disk_full, high_cpu" autoComplete="off" />
        {seenTypes.length > 0 && (
          <div className="suggestions" role="group" aria-label="Types in the list">
            {seenTypes.slice(0, 12).map((type) => {
              const chosen = types.split(',').map((one) => one.trim()).filter(Boolean);
              const on = chosen.includes(type);
              return (
                <button key={type} type="button" aria-pressed={on} onClick={() => setTypes((on ? chosen.filter((one) => one !== type) : [...chosen, type]).join(', '))}>
                  {type}
                </button>
              );
            })}
          </div>
        )}
      </div>
      <div className="field">
        <label htmlFor={`${id}r`}>Rustbucket, by its id</label>
        <input id={`${id}r`} name="rustbucket" list={`${id}rl`} defaultValue={params.get('rustbucket') ?? ''} placeholder="BKT123456" autoComplete="off" />
        <datalist id={`${id}rl`}>
          {[...buckets].slice(0, 100).map(([bucket, name]) => (
            <option key={bucket} value={bucket}>
              {name}
            </option>
          ))}
        </datalist>
      </div>
      <div className="field">
        <label htmlFor={`${id}a`}>Assignee</label>
        <input id={`${id}a`} name="assignee" list={`${id}al`} defaultValue={params.get('assignee') ?? ''} autoComplete="off" />
        <datalist id={`${id}al`}>
          {distinct(seen.map(({ assignee }) => assignee)).map((assignee) => (
            <option key={assignee} value={assignee} />
          ))}
        </datalist>
      </div>
      <div className="field">
        <label htmlFor={`${id}s`}>Silenced</label>
        <select id={`${id}s`} className="select" name="silenced" defaultValue={params.get('silenced') ?? ''}>
          <option value="">With those that were silenced</option>
          <option value="no">Without them</option>
          <option value="yes">Only them</option>
        </select>
      </div>
      <div className="field narrow-only">
        <span className="label" aria-hidden="true">
          Came in
        </span>
        <Select label="Came in" all={Object.keys(periodNames) as (Period | '')[]} chosen={known(params.getAll('since'), Object.keys(periods) as Period[])[0] ?? ''} onChange={(since) => change({ since, from: null, to: null })} show={(value) => periodNames[value]} />
      </div>
      <div className="field two">
        <div className="field">
          <label htmlFor={`${id}f`}>Came in since</label>
          <input id={`${id}f`} name="from" type="datetime-local" defaultValue={local(params.get('from'))} />
        </div>
        <div className="field">
          <label htmlFor={`${id}u`}>and before</label>
          <input id={`${id}u`} name="to" type="datetime-local" defaultValue={local(params.get('to'))} />
        </div>
      </div>
      <footer>
        <Button onClick={close}>Cancel</Button>
        <Button type="submit" kind="primary">
          Apply
        </Button>
      </footer>
    </form>
  );
}

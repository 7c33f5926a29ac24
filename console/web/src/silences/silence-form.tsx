import { useMutation, useQueries, useQuery } from '@tanstack/react-query';
import { useDeferredValue, useId, useMemo, useState, type FormEvent } from 'react';
import { apiQuery, ApiError, request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { pageURL } from '../base.ts';
import { CountAlertsDocument, CreateSilenceDocument, FindRustbucketsDocument, KnownTypesDocument, type AlertFilter, type CreateSilenceInput, type Severity } from '../gql/graphql.ts';
import { now, useNow } from '../lib/clock.ts';
import { alertsLink } from '../lib/links.ts';
import { exactTime, number, plural, span } from '../lib/time.ts';
import { SeverityMark, severities } from '../ui/badges.tsx';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Choice, Toggles } from '../ui/fields.tsx';
import { Problem } from '../ui/states.tsx';
import { TagField } from '../ui/tags.tsx';
import { toast } from '../ui/toast.tsx';

export type Draft = { types: string[]; severities: Severity[]; rustbuckets: string[] };

const hour = 3_600_000;
const lengths = { '1 h': hour, '4 h': 4 * hour, '1 d': 24 * hour, '1 w': 7 * 24 * hour, Other: 0 };
type Length = keyof typeof lengths;
const spoken: Record<Length, string> = { '1 h': '1 hour', '4 h': '4 hours', '1 d': '1 day', '1 w': '1 week', Other: 'Until another time' };

// datetime-local has the reader's own time, without a zone.
const toLocal = (ms: number) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const fromLocal = (text: string) => new Date(text).getTime();

export function SilenceForm({ draft, onClose }: { draft: Draft; onClose: () => void }) {
  const id = useId();
  const [types, setTypes] = useState(draft.types);
  const [chosen, setChosen] = useState(draft.severities);
  const [rustbuckets, setRustbuckets] = useState(draft.rustbuckets);
  const [search, setSearch] = useState('');
  const [reason, setReason] = useState('');
  const [start, setStart] = useState<'Now' | 'Later'>('Now');
  const [startsAt, setStartsAt] = useState(() => toLocal(now() + hour));
  const [length, setLength] = useState<Length>('4 h');
  const [endsAt, setEndsAt] = useState(() => toLocal(now() + 4 * hour));

  const month = useMemo(() => new Date(Math.floor(now() / hour) * hour - 30 * 24 * hour).toISOString(), []);
  const known = useQuery(apiQuery(KnownTypesDocument, { from: month }));
  const found = useQuery({ ...apiQuery(FindRustbucketsDocument, { search: useDeferredValue(search) || null }), placeholderData: (before) => before });

  const current = useNow();
  const from = start === 'Now' ? current : fromLocal(startsAt);
  const until = length === 'Other' ? fromLocal(endsAt) : from + lengths[length];
  const create = useMutation({
    mutationFn: async () => {
      const input: CreateSilenceInput = { types, severities: chosen, rustbucketIds: rustbuckets, reason, endsAt: moment(until), ...(start === 'Later' && { startsAt: moment(from) }) };
      if (types.length + chosen.length + rustbuckets.length === 0) {
        throw new ApiError('Name at least one type, severity or rustbucket. To be told of nothing at all, pause the notifications.', 'BAD_USER_INPUT', 'input.types');
      }
      await request(CreateSilenceDocument, { input });
    },
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['Silences'] });
      toast(start === 'Now' ? `Silenced for ${span(until - from)}` : `Silence set for ${exactTime(moment(from))}`);
      onClose();
    },
  });
  const wrong = (field: string) => create.error instanceof ApiError && (create.error.field ?? '').startsWith(`input.${field}`);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <Dialog title="New silence" onClose={onClose}>
      <form className="dialog-body silence-form" onSubmit={submit}>
        <p className="muted small">Alerts that have one of each of these are stored, shown and marked, and nobody is told of them.</p>
        <TagField label="Types" placeholder="Any type" values={types} onChange={setTypes} suggestions={(known.data?.alertStats.types ?? []).map(({ type }) => ({ value: type }))} isInvalid={wrong('types')} />
        <div className="field">
          <span className="label">Severities</span>
          <Toggles label="Severities" all={severities} chosen={chosen} onChange={setChosen} show={(severity) => <SeverityMark severity={severity} withName />} />
          {chosen.length === 0 && <p className="help">None chosen: any severity.</p>}
        </div>
        <TagField
          label="Rustbuckets"
          placeholder="Any rustbucket, or none"
          values={rustbuckets}
          onChange={setRustbuckets}
          onType={setSearch}
          suggestions={(found.data?.rustbuckets.nodes ?? []).map(({ id, name }) => ({ value: id, note: name }))}
          isInvalid={wrong('rustbucketIds')}
        />
        <div className="field">
          <label htmlFor={`${id}r`}>Reason</label>
          <input id={`${id}r`} value={reason} onChange={(event) => setReason(event.target.value)} required maxLength={255} placeholder="Disks are being replaced" autoComplete="off" aria-invalid={wrong('reason') || undefined} />
        </div>
        <div className="silence-times">
          <div className="field">
            <span className="label">From</span>
            <Choice label="From" all={['Now', 'Later'] as const} chosen={start} onChange={setStart} show={(one) => one} />
            {start === 'Later' && <input type="datetime-local" aria-label="Begins at" value={startsAt} min={toLocal(current)} required onChange={(event) => setStartsAt(event.target.value)} aria-invalid={wrong('startsAt') || undefined} />}
          </div>
          <div className="field">
            <span className="label">For</span>
            <Choice label="For" all={Object.keys(lengths) as Length[]} chosen={length} onChange={setLength} show={(one) => <><span aria-hidden="true">{one}</span><span className="hidden">{spoken[one]}</span></>} />
            {length === 'Other' && <input type="datetime-local" aria-label="Ends at" value={endsAt} min={toLocal(current)} required onChange={(event) => setEndsAt(event.target.value)} aria-invalid={wrong('endsAt') || undefined} />}
            {until > from && <p className="help">{length === 'Other' ? span(until - from) : `until ${exactTime(moment(until)).replace(/:\d\d$/, '')}`}</p>}
          </div>
        </div>
        <Preview types={types} severities={chosen} rustbuckets={rustbuckets} />
        <Problem error={create.error} />
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            Silence
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}

const moment = (ms: number) => (Number.isNaN(ms) ? '' : new Date(ms).toISOString());

// The server's own alerts, which a silence means only when it names their type or rustbucket.
const ownTypes = ['channel_failing', 'delivery_failed', 'rustbucket_offline'];
const mostCounted = 20; // rustbuckets: each is a question of its own

// How much of what is there would have been silenced.
function Preview({ types, severities, rustbuckets }: Draft) {
  const nothing = types.length + severities.length + rustbuckets.length === 0;
  const tooMany = rustbuckets.length > mostCounted;
  const since = new Date(Math.floor(now() / 60_000) * 60_000 - 24 * hour).toISOString();
  const kind: AlertFilter = { ...(types.length > 0 && { types }), ...(severities.length > 0 && { severities }) };
  const counted: AlertFilter[] = rustbuckets.length > 0 ? rustbuckets.map((rustbucketId) => ({ ...kind, rustbucketId })) : [kind];
  const named = types.length + rustbuckets.length > 0;
  const all = nothing || tooMany ? [] : named ? counted : [kind, { ...kind, types: ownTypes }];
  const answers = useQueries({
    queries: all.map((filter) => ({
      ...apiQuery(CountAlertsDocument, { unresolved: { ...filter, states: ['OPEN', 'ACKNOWLEDGED'] }, recent: { ...filter, createdAfter: since } }),
      staleTime: 0,
    })),
  });
  const sum = (what: 'unresolved' | 'recent') => answers.reduce((total, { data }, index) => total + (named || index === 0 ? 1 : -1) * (data?.[what].totalCount ?? 0), 0);
  const ready = answers.every(({ data }) => data);
  const href = pageURL(alertsLink({ type: types, severity: severities, rustbucket: rustbuckets }));
  return (
    <p className="notice" role="status">
      {nothing
        ? 'Name at least one type, severity or rustbucket.'
        : tooMany
          ? `More than ${mostCounted} rustbuckets: what they match is not counted here.`
          : answers.some(({ error }) => error)
            ? 'What it matches could not be counted.'
            : !ready
              ? 'Counting what it matches…'
              : `Matches ${plural(sum('recent'), 'alert')} of the last 24 hours, and ${number(sum('unresolved'))} that ${sum('unresolved') === 1 ? 'is' : 'are'} not resolved yet. `}
      {!nothing && ready && rustbuckets.length < 2 && (
        <a href={href} target="_blank" rel="noreferrer">
          Show them
        </a>
      )}
    </p>
  );
}

import './silences.css';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { EndSilenceDocument, SilencesDocument } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { useNow } from '../lib/clock.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useRefresh } from '../lib/refresh.ts';
import { useMay } from '../lib/roles.ts';
import { exactTime, number, plural, span } from '../lib/time.ts';
import { SeverityMark, severities } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Choice } from '../ui/fields.tsx';
import { PlusIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import type { ViewProps } from '../views.tsx';
import { SilenceForm, type Draft } from './silence-form.tsx';
import { endOf, phaseOf, phases, silencedLink, type Phase, type Silence } from './silence.ts';

const titles: Record<Phase, string> = { active: 'Active', coming: 'Coming', over: 'Over' };
const shown = ['all', ...phases] as const;
const others = 30_000; // ms until it is seen that somebody else made or ended one: the feed does not tell of silences
const few = 20; // of those that are over

export default function SilencesView({ id }: ViewProps) {
  const [params, change] = useParams();
  const [, navigate] = useLocation();
  const admin = useMay('ADMIN');
  const query = useQuery({ ...apiQuery(SilencesDocument), staleTime: 0, refetchInterval: others });
  const recount = useRefresh(() => query.refetch({ cancelRefetch: false }), 3_000);
  useFeed((events) => {
    if (events.some(({ kind }) => kind !== 'DELIVERY_UPDATED')) recount();
  });
  const now = useNow();
  const [ending, setEnding] = useState<Silence | null>(null);
  const [making, setMaking] = useState(false);
  const show = known(params.getAll('show'), shown)[0] ?? 'all';
  const draft = useMemo(() => draftOf(params), [params]);
  const open = admin && (making || draft !== null);
  const close = () => {
    setMaking(false);
    change({ types: null, severities: null, rustbucket: null });
  };
  useHotkeys(admin ? [{ keys: 'n', what: 'New silence', group: 'Silences', run: () => setMaking(true) }] : []);

  const all = query.data?.silences;
  const byPhase = (phase: Phase) =>
    (all ?? [])
      .filter((silence) => phaseOf(silence, now) === phase)
      .sort((a, b) => (phase === 'over' ? endOf(b).localeCompare(endOf(a)) : phase === 'coming' ? a.startsAt.localeCompare(b.startsAt) : a.endsAt.localeCompare(b.endsAt)));
  const groups = { active: byPhase('active'), coming: byPhase('coming'), over: byPhase('over') };
  const visible = phases.filter((phase) => (show === 'all' || show === phase) && groups[phase].length > 0);
  return (
    <Page
      title="Silences"
      actions={
        <>
          {admin && (
            <Button kind="primary" icon={PlusIcon} onClick={() => setMaking(true)}>
              New silence
            </Button>
          )}
          <PlaygroundLink query={SilencesDocument} />
        </>
      }
      filters={
        <Choice
          label="Show"
          all={shown}
          chosen={show}
          onChange={(show) => change({ show: show === 'all' ? null : show })}
          show={(one) => (
            <>
              {one === 'all' ? 'All' : titles[one]}
              {all && <span className="count">{number(one === 'all' ? all.length : groups[one].length)}</span>}
            </>
          )}
        />
      }
    >
      {!all ? (
        query.error ? <Failure error={query.error} onRetry={() => void query.refetch()} /> : <Loading />
      ) : visible.length === 0 ? (
        <Nothing show={show} admin={admin} onNew={() => setMaking(true)} />
      ) : (
        <div className="silences">
          {visible.map((phase) => (
            <Group key={phase} phase={phase} silences={groups[phase]} open={id}>
              {(silence) => (
                <SilenceEntry key={silence.id} silence={silence} phase={phase} now={now} isOpen={silence.id === id}>
                  {admin && phase !== 'over' && (
                    <Button onClick={() => setEnding(silence)} aria-label={`${phase === 'active' ? 'End' : 'Cancel'} the silence: ${silence.reason}`}>
                      {phase === 'active' ? 'End' : 'Cancel'}
                    </Button>
                  )}
                </SilenceEntry>
              )}
            </Group>
          ))}
        </div>
      )}
      {open && <SilenceForm draft={draft ?? { types: [], severities: [], rustbuckets: [] }} onClose={close} />}
      {ending && (
        <Confirm
          title={phaseOf(ending, now) === 'coming' ? 'Cancel this silence?' : 'End this silence?'}
          action={phaseOf(ending, now) === 'coming' ? 'Cancel it' : 'End it'}
          onClose={() => setEnding(null)}
          run={async () => {
            await request(EndSilenceDocument, { id: ending.id });
            await queryClient.invalidateQueries({ queryKey: ['Silences'] });
            toast('Silence ended');
            if (ending.id === id) navigate('/silences');
          }}
        >
          <p>“{ending.reason}”</p>
          <p className="muted">From then on alerts of this kind are told again. What it has silenced so far is not told afterwards, unless it is reported once more.</p>
        </Confirm>
      )}
    </Page>
  );
}

// What a link such as an alert's "Silence alerts like this" asks for; null when it asks for nothing.
function draftOf(params: URLSearchParams): Draft | null {
  const draft = { types: given(params, 'types'), severities: known(params.getAll('severities'), severities), rustbuckets: given(params, 'rustbucket') };
  return draft.types.length + draft.severities.length + draft.rustbuckets.length > 0 ? draft : null;
}
const given = (params: URLSearchParams, name: string) => [...new Set(params.getAll(name).filter(Boolean))];

function Group({ phase, silences, open, children }: { phase: Phase; silences: Silence[]; open: string | undefined; children: (silence: Silence) => ReactNode }) {
  const [all, setAll] = useState(false);
  const cut = phase === 'over' && !all && !silences.slice(few).some(({ id }) => id === open);
  return (
    <section aria-labelledby={`silences-${phase}`}>
      <h2 id={`silences-${phase}`}>
        {titles[phase]} <span className="count">{number(silences.length)}</span>
      </h2>
      <ul>{(cut ? silences.slice(0, few) : silences).map(children)}</ul>
      {cut && silences.length > few && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {`Show all ${number(silences.length)}`}
        </Button>
      )}
    </section>
  );
}

function SilenceEntry({ silence, phase, now, isOpen, children }: { silence: Silence; phase: Phase; now: number; isOpen: boolean; children: ReactNode }) {
  const { reason, types, severities, rustbucketIds, startsAt, createdBy, silencedAlerts } = silence;
  const item = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isOpen) item.current?.scrollIntoView({ block: 'center' });
  }, [isOpen]);
  const from = Date.parse(startsAt);
  const end = Date.parse(endOf(silence));
  return (
    <li ref={item} className={`silence ${phase} ${isOpen ? 'open' : ''}`}>
      <div className="silence-what">
        <h3>{reason}</h3>
        <dl className="matchers">
          <Matcher name={types.length === 1 ? 'Type' : 'Types'} any="any type" values={types.map((type) => <code key={type}>{type}</code>)} />
          <Matcher name={severities.length === 1 ? 'Severity' : 'Severities'} any="any severity" values={severities.map((severity) => <SeverityMark key={severity} severity={severity} withName />)} />
          <Matcher
            name={rustbucketIds.length === 1 ? 'Rustbucket' : 'Rustbuckets'}
            any="any rustbucket"
            values={rustbucketIds.map((bucket) => (
              <Link key={bucket} href={`/rustbuckets/${encodeURIComponent(bucket)}`}>
                <code>{bucket}</code>
              </Link>
            ))}
          />
        </dl>
        <p className="muted small">
          {phase === 'active' && <strong>{span(end - now)} left, </strong>}
          {phase === 'coming' && <strong>begins in {span(from - now)}, </strong>}
          {phase === 'over' && end < from ? (
            'cancelled before it began'
          ) : (
            <>
              <time dateTime={startsAt}>{short(startsAt)}</time> to <time dateTime={endOf(silence)}>{short(endOf(silence), startsAt)}</time>
              {silence.endedAt && ', ended by hand'}
            </>
          )}
          {`, by ${createdBy}`}
        </p>
        {phase === 'active' && <span className="silence-time" aria-hidden="true"><span style={{ width: `${Math.min(Math.max(((now - from) / (end - from)) * 100, 0), 100)}%` }} /></span>}
      </div>
      <div className="silence-side">
        {silencedAlerts > 0 ? <Link href={silencedLink(silence)}>{plural(silencedAlerts, 'alert')} silenced</Link> : <span className="muted">{phase === 'coming' ? '' : 'No alert silenced'}</span>}
        {children}
      </div>
    </li>
  );
}

// To the minute; without the day where it is the one before.
const short = (iso: string, before = '') => {
  const [day, time = ''] = exactTime(iso).replace(/:\d\d$/, '').split(', ');
  return before && exactTime(before).startsWith(`${day},`) ? time : `${day}, ${time}`;
};

function Matcher({ name, any, values }: { name: string; any: string; values: ReactNode[] }) {
  if (values.length === 0) return null;
  return (
    <div title={`Not ${any}`}>
      <dt>{name}</dt>
      <dd>{values}</dd>
    </div>
  );
}

function Nothing({ show, admin, onNew }: { show: (typeof shown)[number]; admin: boolean; onNew: () => void }) {
  return (
    <Empty title={show === 'all' ? 'No silences' : `No silence is ${show}`}>
      <p>A silence keeps alerts of some kind from being told for a time, such as while a machine is being mended. They are stored and shown all the same.</p>
      {admin && (
        <Button kind="primary" icon={PlusIcon} onClick={onNew}>
          New silence
        </Button>
      )}
    </Empty>
  );
}

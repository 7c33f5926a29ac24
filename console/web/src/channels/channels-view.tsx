import './channels.css';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { apiQuery } from '../api/client.ts';
import { ChannelsDocument, type ChannelFilter, type ChannelRowFragment, type ChannelType } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useMay } from '../lib/roles.ts';
import { usePause } from '../pause/pause-banner.tsx';
import { PauseDialog } from '../pause/pause-dialog.tsx';
import { number } from '../lib/time.ts';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Choice, SearchField, Select } from '../ui/fields.tsx';
import { HelpIcon, PlusIcon, SilenceIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import type { ViewProps } from '../views.tsx';
import { BulkBar } from './bulk.tsx';
import { ChannelPage, NewChannelPage } from './channel-page.tsx';
import { HealthBadge, isHeld } from './health.tsx';
import { refetchInterval, useChannelsLive, useChannelTypes } from './live.ts';
import { RoutingDialog } from './routing.tsx';
import { toldOf } from './words.ts';

export default function ChannelsView({ id }: ViewProps) {
  const admin = useMay('ADMIN');
  if (id === 'new' && admin) return <NewChannelPage />;
  return id === undefined ? <ChannelList /> : <ChannelPage key={id} id={id} />;
}

const states = ['all', 'on', 'off'] as const;
const stateNames = { all: 'All', on: 'Active', off: 'Off' };

function filterOf(params: URLSearchParams): ChannelFilter {
  const filter: ChannelFilter = {};
  const type = params.get('type');
  if (type) filter.types = [type as ChannelType];
  const state = params.get('state');
  if (state === 'on' || state === 'off') filter.isActive = state === 'on';
  const search = params.get('q');
  if (search) filter.search = search;
  return filter;
}

function ChannelList() {
  const [params, change] = useParams();
  const [, navigate] = useLocation();
  const admin = useMay('ADMIN');
  const filter = useMemo(() => filterOf(params), [params]);
  const types = useChannelTypes().data?.channelTypes ?? [];
  const query = useQuery({ ...apiQuery(ChannelsDocument, { filter }), staleTime: 0, refetchInterval, placeholderData: keepPreviousData });
  useChannelsLive();
  const channels = query.data?.channels ?? [];
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const selected = channels.filter(({ id }) => chosen.has(id));
  const [routing, setRouting] = useState(false);
  const [pausing, setPausing] = useState(false);
  const paused = usePause() !== null;
  const list = useRef<HTMLUListElement>(null);

  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const links = () => [...(list.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
  const at = () => links().findIndex((link) => link.closest('li')?.contains(document.activeElement));
  const go = (step: number) => {
    const all = links();
    all[Math.min(Math.max(at() + step, 0), all.length - 1)]?.focus();
  };
  useHotkeys([
    { keys: 'j', what: 'Next', group: 'Channels', run: () => go(1) },
    { keys: 'ArrowDown', what: '', group: 'Channels', run: () => go(1) },
    { keys: 'k', what: 'Previous', group: 'Channels', run: () => go(-1) },
    { keys: 'ArrowUp', what: '', group: 'Channels', run: () => go(-1) },
    ...(admin
      ? [
          { keys: 'x', what: 'Select', group: 'Channels', run: () => channels[at()] && toggle(channels[at()]!.id) },
          { keys: 'n', what: 'New channel', group: 'Channels', run: () => navigate('/channels/new') },
        ]
      : []),
  ]);

  const filtered = [...params.keys()].length > 0;
  return (
    <Page
      title="Channels"
      count={query.data && number(channels.length)}
      actions={
        <>
          <Button className="icon-if-narrow" icon={HelpIcon} onClick={() => setRouting(true)}>
            Who would be told?
          </Button>
          {admin && !paused && (
            <Button className="icon-if-narrow" icon={SilenceIcon} onClick={() => setPausing(true)}>
              Pause all
            </Button>
          )}
          {admin && (
            <Link href="/channels/new" className="button primary icon-if-narrow">
              <PlusIcon />
              <span>New channel</span>
            </Link>
          )}
          <PlaygroundLink query={ChannelsDocument} variables={{ filter }} />
        </>
      }
      filters={
        <>
          <SearchField label="Search the names" value={params.get('q') ?? ''} onChange={(q) => change({ q })} />
          <Select label="Type" all={['', ...types.map(({ type }) => type)]} chosen={params.get('type') ?? ''} onChange={(type) => change({ type })} show={(type) => types.find((one) => one.type === type)?.title ?? 'All types'} />
          <Choice label="Active or not" all={states} chosen={known(params.getAll('state'), states)[0] ?? 'all'} onChange={(state) => change({ state: state === 'all' ? null : state })} show={(state) => stateNames[state]} />
        </>
      }
    >
      {query.isPending ? (
        <Loading />
      ) : query.error && !query.data ? (
        <Failure error={query.error} onRetry={() => void query.refetch()} />
      ) : channels.length === 0 && filtered ? (
        <Empty title="No channels match">
          <Button onClick={() => navigate('/channels')}>Clear the filter</Button>
        </Empty>
      ) : channels.length === 0 ? (
        <Empty title="There is no channel yet">
          <p>A channel is where alerts are told: a mail address, a chat, an endpoint of your own.</p>
          {admin && (
            <Link href="/channels/new" className="button primary">
              Make the first one
            </Link>
          )}
        </Empty>
      ) : (
        <div className={selected.length > 0 ? 'channel-list selecting' : 'channel-list'}>
          <div className="channel-head" aria-hidden={!admin}>
            {admin && (
              <input
                type="checkbox"
                aria-label="Select all channels"
                checked={selected.length === channels.length}
                ref={(box) => {
                  if (box) box.indeterminate = selected.length > 0 && selected.length < channels.length;
                }}
                onChange={(event) => setChosen(new Set(event.target.checked ? channels.map((channel) => channel.id) : []))}
              />
            )}
            <span className="all" aria-hidden="true">
              Select all
            </span>
            <span aria-hidden="true">Channel</span>
            <span aria-hidden="true">Health</span>
            <span aria-hidden="true">Waiting</span>
            <span aria-hidden="true">Last success</span>
            <span aria-hidden="true">Told of</span>
          </div>
          <ul ref={list} aria-label="Channels, newest first">
            {channels.map((channel) => (
              <ChannelRow key={channel.id} channel={channel} type={types.find(({ type }) => type === channel.type)?.title ?? channel.type} selected={chosen.has(channel.id)} onSelect={admin ? toggle : null} />
            ))}
          </ul>
        </div>
      )}
      {selected.length > 0 && <BulkBar channels={selected} onNone={() => setChosen(new Set())} />}
      {pausing && <PauseDialog onClose={() => setPausing(false)} />}
      {routing && <RoutingDialog onClose={() => setRouting(false)} />}
    </Page>
  );
}

function ChannelRow({ channel, type, selected, onSelect }: { channel: ChannelRowFragment; type: string; selected: boolean; onSelect: ((id: string) => void) | null }) {
  const { id, name, health, warnings, isActive } = channel;
  const held = isHeld(health);
  const trouble = isActive && (held || health.state !== 'OK');
  const next = held ? health.heldUntil : health.nextProbeAt;
  return (
    <li className={`channel-row ${selected ? 'selected' : ''} ${isActive ? '' : 'is-off'}`}>
      {onSelect && <input type="checkbox" aria-label={`Select ${name}`} checked={selected} onChange={() => onSelect(id)} />}
      <span className="name">
        <Link data-row href={`/channels/${id}`}>
          {name}
        </Link>
        <span className="muted small">{type}</span>
      </span>
      <span className="health">
        <HealthBadge channel={channel} />
        {trouble && (
          <span className="muted small">
            {!held && <Ago at={health.since} />}
            {next && (
              <>
                {held ? 'goes on ' : ', probe '}
                <Countdown at={next} />
              </>
            )}
          </span>
        )}
        {trouble && health.lastError && (
          <span className="last-error" title={health.lastError}>
            {health.lastError}
          </span>
        )}
        {warnings.map((warning) => (
          <span key={warning} className="warning-mark" title={warning}>
            <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
              <path d="M8 2.2 14.6 13.6H1.4Z" fill="currentColor" />
            </svg>
            <span>{warning}</span>
          </span>
        ))}
      </span>
      <span className="waiting">
        {health.waiting > 0 ? (
          <>
            <span className="only-phone">Waiting: </span>
            <strong>{number(health.waiting)}</strong>
            {health.oldestWaitingSince && (
              <span className="muted small">
                oldest <Ago at={health.oldestWaitingSince} />
              </span>
            )}
          </>
        ) : (
          <span className="muted not-on-phone">
            <span className="hidden">Nothing waits</span>
            <span aria-hidden="true">–</span>
          </span>
        )}
      </span>
      <span className="success">
        <span className="only-phone">{type} · </span>
        {health.lastSuccessAt ? (
          <>
            <span className="last">last success </span>
            <Ago at={health.lastSuccessAt} />
          </>
        ) : (
          <span className="muted">
            <span className="last">no success yet</span>
            <span className="never" aria-hidden="true">
              never
            </span>
          </span>
        )}
      </span>
      <span className="told muted small" title={channel.alertTypes.join(', ') || undefined}>
        {toldOf(channel.minSeverity, channel.alertTypes)}
      </span>
    </li>
  );
}

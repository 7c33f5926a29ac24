import './deliveries.css';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { ChannelsDocument, DeliveriesDocument, DeliveryCountsDocument, RetryDeliveryDocument, type DeliveryFilter } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { now } from '../lib/clock.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useLiveList } from '../lib/live-list.ts';
import { useMay } from '../lib/roles.ts';
import { useThrottled } from '../lib/throttle.ts';
import { number, plural } from '../lib/time.ts';
import { SeverityMark, StatusBadge } from '../ui/badges.tsx';
import { Button, IconButton, PlaygroundLink } from '../ui/button.tsx';
import { ExportMenu } from '../ui/export-menu.tsx';
import { Chip, Select, Toggles } from '../ui/fields.tsx';
import { RetryIcon, UpIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { PeriodFilter } from '../ui/period.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import { toast } from '../ui/toast.tsx';
import { VirtualList, type ListHandle } from '../ui/virtual-list.tsx';
import type { ViewProps } from '../views.tsx';
import { BulkActions, BulkProgress, type Job } from './bulk.tsx';
import { DeliveryDetail } from './delivery-detail.tsx';
import { filterOf, matches, ofStatus, shows, statuses, statusNames, type Delivery } from './filter.ts';
import { useUntold } from './untold.ts';

const mostShown = 500; // characters of a message: no line is that wide

const kindNames: Partial<Record<Delivery['kind'], string>> = { RESOLVED: 'Resolve' };
export const kindName = (kind: Delivery['kind']) => kindNames[kind] ?? kind.charAt(0) + kind.slice(1).toLowerCase();

export const retry = (id: string) =>
  request(RetryDeliveryDocument, { id }).then(
    () => toast('It is sent again'),
    (error: Error) => toast(error.message, true),
  );

export default function DeliveriesView({ id }: ViewProps) {
  const [params, change] = useParams();
  const search = useSearch();
  const [, navigate] = useLocation();
  const analyst = useMay('ANALYST');
  const filter = useMemo(() => filterOf(params, now()), [params]);
  const key = useMemo(() => ['Deliveries', filter], [filter]);
  const [scrolled, setScrolled] = useState(false);
  const [job, setJob] = useState<Job | null>(null);
  const handle = useRef<ListHandle>(null);
  const list = useLiveList<Delivery>({
    key,
    read: async (after, first, signal) => (await request(DeliveriesDocument, { filter, first, after }, signal)).deliveries,
    nodeOf: (event) => event.delivery && { ...event.delivery, alert: event.alert },
    isGone: (event) => event.kind === 'ALERT_DELETED',
    matches: (delivery) => matches(filter, delivery),
    hold: scrolled,
  });
  useUntold(key, filter, !scrolled);
  const channels = useQuery({ ...apiQuery(ChannelsDocument, { filter: {} }) }).data?.channels ?? [];
  const counts = useCounts(filter);
  const { items } = list;

  const hrefOf = (delivery: string) => `/deliveries/${delivery}${search && `?${search}`}`;
  const [active, setActive] = useState<string | null>(null); // the row that has, or had, the focus: by its id, as new ones move it down
  const index = items.findIndex((delivery) => delivery.id === (id ?? active));
  const place = useRef(-1); // where it is, or was before it left the list
  useEffect(() => {
    if (index >= 0) place.current = index;
  }, [index]);
  const close = () => {
    navigate(`/deliveries${search && `?${search}`}`);
    if (index >= 0) handle.current?.focus(index);
  };
  const go = (step: number) => {
    if (items.length === 0) return;
    const from = index >= 0 || step < 0 ? place.current : place.current - 1;
    const next = Math.min(Math.max(from + step, 0), items.length - 1);
    setActive(items[next]!.id);
    handle.current?.focus(next);
    if (id !== undefined) navigate(hrefOf(items[next]!.id), { replace: true });
  };
  useHotkeys([
    { keys: 'j', what: 'Next', group: 'Deliveries', run: () => go(1) },
    { keys: 'k', what: 'Previous', group: 'Deliveries', run: () => go(-1) },
    { keys: 'o', what: 'Open; once more: go into it', group: 'Deliveries', run: () => items[index] && (items[index].id === id ? enter() : navigate(hrefOf(items[index].id))) },
    ...(id === undefined ? [] : [{ keys: 'Escape', what: 'Close', group: 'Deliveries', run: close }]),
    ...(analyst
      ? [
          {
            keys: 'r',
            what: 'Retry',
            group: 'Deliveries',
            run: () => {
              const meant = items[index];
              if (meant && meant.status !== 'DELIVERED') void retry(meant.id);
            },
          },
        ]
      : []),
  ]);

  const channelId = filter.channelId ?? '';
  const filtered = Object.keys(filter).length > 0;
  return (
    <div className={id === undefined ? 'deliveries-view' : 'deliveries-view with-detail'}>
      <Page
        title="Deliveries"
        count={list.total !== undefined && number(list.total)}
        actions={
          <>
            <BulkActions filter={filter} counts={counts} onJob={setJob} />
            <ExportMenu path="deliveries" filter={filter} />
            <PlaygroundLink query={DeliveriesDocument} variables={{ filter, first: 50 }} />
          </>
        }
        filters={
          <>
            <Toggles label="Status" all={statuses} chosen={known(params.getAll('status'), statuses)} onChange={(status) => change({ status })} show={(status) => statusNames[status]} />
            <Select
              label="Channel"
              all={['', ...channels.map((channel) => channel.id), ...(channelId && !channels.some((channel) => channel.id === channelId) ? [channelId] : [])]}
              chosen={channelId}
              onChange={(channel) => change({ channel })}
              show={(one) => (one === '' ? 'All channels' : (channels.find((channel) => channel.id === one)?.name ?? `Channel ${one}`))}
            />
            <PeriodFilter label="Created" params={params} change={change} />
            {filter.alertId && <Chip label="alert" onRemove={() => change({ alert: null })}>{`Of alert ${filter.alertId}`}</Chip>}
          </>
        }
      >
        <div className="delivery-list">
          {job && <BulkProgress key={job.at} job={job} onClose={() => setJob(null)} />}
          <div className="delivery-rows">
            {list.held > 0 && (
              <Button
                kind="primary"
                className="delivery-pill"
                icon={UpIcon}
                onClick={() => {
                  list.release();
                  handle.current?.toTop();
                }}
              >
                {plural(list.held, 'new delivery', 'new deliveries')}
              </Button>
            )}
            {list.isLoading ? (
              <Loading />
            ) : list.error && items.length === 0 ? (
              <Failure error={list.error} onRetry={list.reload} />
            ) : items.length === 0 && !list.hasMore ? (
              <Empty title={filtered ? 'No deliveries match' : 'Nothing was sent yet'}>
                {filtered ? <Button onClick={() => navigate('/deliveries')}>Clear the filter</Button> : <p>What is told about alerts appears here by itself.</p>}
              </Empty>
            ) : (
              <VirtualList
                ref={handle}
                label="Deliveries, newest first"
                items={items}
                total={list.hasMore ? Math.max(list.total ?? 0, items.length) : items.length}
                rowHeight={58}
                onEnd={list.more}
                onScrolled={setScrolled}
                onArrow={go}
                footer={
                  list.moreFailed ? (
                    <p className="delivery-foot" role="alert">
                      The next ones could not be read. <Button onClick={list.retryMore}>Try again</Button>
                    </p>
                  ) : (
                    list.isLoadingMore && <p className="delivery-foot muted">Loading…</p>
                  )
                }
                row={(delivery) => (
                  <DeliveryRow
                    delivery={delivery}
                    href={hrefOf(delivery.id)}
                    isOpen={delivery.id === id}
                    isFresh={list.fresh.has(delivery.id)}
                    mayRetry={analyst}
                    onFocus={() => setActive(delivery.id)}
                  />
                )}
              />
            )}
          </div>
        </div>
      </Page>
      {id !== undefined && <DeliveryDetail key={id} id={id} onClose={close} />}
    </div>
  );
}

// The focus goes from the list into what is open.
const enter = () => document.querySelector<HTMLElement>('.delivery-detail h2')?.focus();

function DeliveryRow({ delivery, href, isOpen, isFresh, mayRetry, onFocus }: { delivery: Delivery; href: string; isOpen: boolean; isFresh: boolean; mayRetry: boolean; onFocus: () => void }) {
  const { alert, status, attempts, channel, kind, error, nextAttemptAt, createdAt } = delivery;
  return (
    <div className={`delivery-row ${isOpen ? 'is-open' : ''} ${isFresh ? 'fresh' : ''}`} onFocus={onFocus}>
      <StatusBadge status={status} attempts={attempts} />
      <span className="what">
        <Link data-row href={href} aria-current={isOpen || undefined} onClick={isOpen ? enter : undefined}>
          <SeverityMark severity={alert.severity} />
          <strong>{alert.type}</strong> <bdi>{alert.message.slice(0, mostShown)}</bdi>
        </Link>
        {error && status !== 'DELIVERED' && <span className={status === 'CANCELLED' ? 'why calm' : 'why'}>{error}</span>}
      </span>
      <span className="where">
        <span className="to">{channel.name}</span>
        <span className="muted small">
          {kind !== 'ALERT' && `${kindName(kind)} · `}
          {attempts === 0 ? 'not tried yet' : plural(attempts, 'attempt')}
          {status === 'PENDING' && nextAttemptAt && Date.parse(nextAttemptAt) > now() && (
            <>
              , next <Countdown at={nextAttemptAt} />
            </>
          )}
        </span>
      </span>
      <Ago at={createdAt} className="muted small" />
      {mayRetry && (status === 'FAILED' || status === 'CANCELLED') ? (
        <IconButton label={`Retry ${alert.type} to ${channel.name}`} icon={RetryIcon} onClick={() => void retry(delivery.id)} />
      ) : (
        mayRetry && <span className="no-retry" />
      )}
    </div>
  );
}

export type Counts = { pending: number; failed: number };

// How many of what the filter matches wait, and how many could be sent again. Counted by the server.
function useCounts(filter: DeliveryFilter): Counts {
  const variables = useMemo(() => ({ pending: ofStatus(filter, 'PENDING'), failed: ofStatus(filter, 'FAILED') }), [filter]);
  const { data } = useQuery({ ...apiQuery(DeliveryCountsDocument, variables), staleTime: 0, refetchInterval: 15_000 });
  const again = useThrottled(() => void queryClient.invalidateQueries({ queryKey: ['DeliveryCounts'] }), 1500);
  useFeed((events) => {
    if (events.some(({ kind }) => kind === 'DELIVERY_UPDATED' || kind === 'ALERT_CREATED')) again();
  });
  return {
    pending: data && shows(filter, 'PENDING') ? data.pending.totalCount : 0,
    failed: data && shows(filter, 'FAILED') ? data.failed.totalCount : 0,
  };
}

import './rustbuckets.css';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo, useState, type ReactNode } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { RustbucketCountsDocument, RustbucketsDocument, type HeartbeatState, type RustbucketFilter, type RustbucketRowFragment } from '../gql/graphql.ts';
import { known, useParams } from '../lib/address.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { alertsLink } from '../lib/links.ts';
import { useRefresh } from '../lib/refresh.ts';
import { useMay } from '../lib/roles.ts';
import { number } from '../lib/time.ts';
import { SeverityMark } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Choice, SearchField } from '../ui/fields.tsx';
import { PlusIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import type { ViewProps } from '../views.tsx';
import { Due, every, HeartbeatBadge, LastSeen, stateNames, states } from './heartbeat.tsx';
import { RustbucketDialog, WatchDialog } from './rustbucket-dialog.tsx';

const shown = ['ALL', ...states] as const;
type Shown = (typeof shown)[number];
const pageSize = 100;
const beat = 10_000; // ms: the feed does not tell of heartbeats

function filterOf(params: URLSearchParams): RustbucketFilter {
  const search = params.get('q');
  const chosen = known(params.getAll('state'), states);
  return { ...(search && { search }), ...(chosen.length > 0 && { heartbeatStates: chosen }) };
}

export default function RustbucketsView({ id }: ViewProps) {
  const [params, change] = useParams();
  const search = useSearch();
  const [, navigate] = useLocation();
  const admin = useMay('ADMIN');
  const [adding, setAdding] = useState(false);
  const filter = useMemo(() => filterOf(params), [params]);
  const counts = useQuery({ ...apiQuery(RustbucketCountsDocument, { search: filter.search ?? null }), staleTime: 0, refetchInterval: beat, placeholderData: (before) => before });
  const query = useInfiniteQuery({
    queryKey: ['Rustbuckets', filter],
    queryFn: async ({ pageParam, signal }) => (await request(RustbucketsDocument, { filter, first: pageSize, after: pageParam }, signal)).rustbuckets,
    initialPageParam: null as string | null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : null),
    staleTime: 0,
    refetchInterval: beat,
  });
  const again = useRefresh(() => Promise.all([query.refetch({ cancelRefetch: false }), counts.refetch({ cancelRefetch: false })]), 2_000);
  useFeed((events) => {
    if (events.some(({ kind, alert }) => kind !== 'DELIVERY_UPDATED' && alert.rustbucket)) again();
  });
  useHotkeys(admin ? [{ keys: 'n', what: 'Watch a rustbucket', group: 'Rustbuckets', run: () => setAdding(true) }] : []);

  const buckets = query.data?.pages.flatMap(({ nodes }) => nodes);
  const total = query.data?.pages.at(-1)?.totalCount;
  const countOf: Partial<Record<Shown, number>> = counts.data
    ? { ALL: counts.data.all.totalCount, OFFLINE: counts.data.offline.totalCount, ONLINE: counts.data.online.totalCount, UNWATCHED: counts.data.unwatched.totalCount }
    : {};
  const hrefOf = (bucket: string) => `/rustbuckets/${encodeURIComponent(bucket)}${search && `?${search}`}`;
  return (
    <Page
      title="Rustbuckets"
      count={total !== undefined && number(total)}
      actions={
        <>
          {admin && (
            <Button icon={PlusIcon} onClick={() => setAdding(true)}>
              Watch
            </Button>
          )}
          <PlaygroundLink query={RustbucketsDocument} variables={{ filter, first: pageSize }} />
        </>
      }
      filters={
        <>
          <Choice
            label="Heartbeat"
            all={shown}
            chosen={(filter.heartbeatStates as HeartbeatState[] | undefined)?.[0] ?? 'ALL'}
            onChange={(state) => change({ state: state === 'ALL' ? null : state })}
            show={(one) => (
              <>
                {one === 'ALL' ? 'All' : stateNames[one]}
                {countOf[one] !== undefined && <span className="count">{number(countOf[one])}</span>}
              </>
            )}
          />
          <SearchField label="Search id and name" value={params.get('q') ?? ''} onChange={(q) => change({ q })} />
        </>
      }
    >
      {!buckets ? (
        query.error ? <Failure error={query.error} onRetry={() => void query.refetch()} /> : <Loading />
      ) : buckets.length === 0 ? (
        <Nothing filtered={[...params.keys()].length > 0} onClear={() => navigate('/rustbuckets')} />
      ) : (
        <>
          <table className="table buckets">
            <caption className="hidden">Rustbuckets, by their ids</caption>
            <thead>
              <tr>
                <th scope="col">Rustbucket</th>
                <th scope="col">Heartbeat</th>
                <th scope="col">Last heard of</th>
                <th scope="col">Expected every</th>
                <th scope="col">Due</th>
                <th scope="col" className="number">Open alerts</th>
              </tr>
            </thead>
            <tbody>
              {buckets.map((bucket) => (
                <Row key={bucket.id} bucket={bucket} href={hrefOf(bucket.id)} />
              ))}
            </tbody>
          </table>
          {query.hasNextPage && (
            <p className="more">
              <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                Show more
              </Button>
              <span className="muted small">{`${number(buckets.length)} of ${number(total ?? buckets.length)}`}</span>
            </p>
          )}
        </>
      )}
      {id !== undefined && <RustbucketDialog key={id} id={id} onClose={() => navigate(`/rustbuckets${search && `?${search}`}`)} />}
      {adding && <WatchDialog onClose={() => setAdding(false)} />}
    </Page>
  );
}

function Row({ bucket, href }: { bucket: RustbucketRowFragment; href: string }) {
  const { id, name, openAlerts, heartbeat } = bucket;
  const interval = heartbeat?.intervalSeconds;
  return (
    <tr>
      <th scope="row">
        <Link href={href}>{name}</Link>
        {name !== id && <code className="muted">{id}</code>}
      </th>
      <td>
        <HeartbeatBadge heartbeat={heartbeat} />
      </td>
      <Cell word={heartbeat?.lastSeenAt ? 'heard of' : 'heard of:'}>
        <LastSeen heartbeat={heartbeat} />
      </Cell>
      <Cell word="every" isEmpty={interval == null}>
        {interval == null ? (
          <span className="muted">–</span>
        ) : (
          <span className="interval">
            {every(interval)} <SeverityMark severity={heartbeat!.severity} />
          </span>
        )}
      </Cell>
      <Cell word={heartbeat?.dueAt ? 'due' : ''} isEmpty={interval == null}>
        <Due heartbeat={heartbeat} />
      </Cell>
      <td className="number">
        {openAlerts > 0 ? (
          <Link href={alertsLink({ rustbucket: id })}>
            {number(openAlerts)}
            <span className="phone-word"> open</span>
          </Link>
        ) : (
          <span className="muted">0</span>
        )}
      </td>
    </tr>
  );
}

// A phone has no room for columns: there a word in the cell says what it is.
function Cell({ word, isEmpty = false, children }: { word: string; isEmpty?: boolean; children: ReactNode }) {
  return (
    <td className={isEmpty ? 'not-on-phone' : ''}>
      <span className="phone-word" aria-hidden="true">
        {word}{' '}
      </span>
      {children}
    </td>
  );
}

function Nothing({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  return filtered ? (
    <Empty title="No rustbuckets match">
      <Button onClick={onClear}>Clear the filter</Button>
    </Empty>
  ) : (
    <Empty title="No rustbuckets yet">
      <p>One appears here when an alert is about it, or when it sends a heartbeat.</p>
    </Empty>
  );
}

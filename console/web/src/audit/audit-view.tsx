import './audit.css';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef } from 'react';
import { Link, useLocation } from 'wouter';
import { apiQuery, request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { AuditLogDocument, NewestAuditDocument, type AuditAction, type AuditFilter, type AuditLogQuery } from '../gql/graphql.ts';
import { AuditActionValues } from '../gql/enums.ts';
import { known, useParams } from '../lib/address.ts';
import { now } from '../lib/clock.ts';
import { periodOf } from '../lib/period.ts';
import { exactTime, number } from '../lib/time.ts';
import { Button, IconButton, PlaygroundLink } from '../ui/button.tsx';
import { Chip, SearchField, Select } from '../ui/fields.tsx';
import { FilterIcon, UpIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { PeriodFilter } from '../ui/period.tsx';
import { Empty, Failure, Loading } from '../ui/states.tsx';
import { Ago } from '../ui/time.tsx';
import { Changes } from './changes.tsx';

type Entry = AuditLogQuery['auditLog']['nodes'][number];

const page = 50;

// "CHANNEL_UPDATED", "Channel updated": what there is is the server's to say.
const inWords = (action: AuditAction) => action.charAt(0) + action.slice(1).toLowerCase().replaceAll('_', ' ');

// Ids are of their kind: channel 2 is not token 2. In the address it is subject=channel-2, and the kind is that of the actions.
const kindOf = (action: AuditAction) => action.slice(0, action.indexOf('_'));

function subjectOf(params: URLSearchParams): { kind: string; id: string } | undefined {
  const [, kind, id] = /^([a-z]+)-([1-9]\d{0,17})$/.exec(params.get('subject') ?? '') ?? [];
  const known = kind && AuditActionValues.some((action) => kindOf(action) === kind.toUpperCase());
  return known && id ? { kind: kind.toUpperCase(), id } : undefined;
}

function filterOf(params: URLSearchParams): AuditFilter {
  const filter: AuditFilter = {};
  const actions = known(params.getAll('action'), AuditActionValues);
  if (actions.length > 0) filter.actions = actions;
  const by = params.get('by');
  if (by) filter.by = by;
  const subject = subjectOf(params);
  if (subject) {
    filter.subjectId = subject.id;
    filter.actions ??= AuditActionValues.filter((action) => action.startsWith(`${subject.kind}_`));
  }
  const { from, to } = periodOf(params, now());
  if (from) filter.after = from;
  if (to) filter.before = to;
  return filter;
}

export default function AuditView() {
  const [params, change] = useParams();
  const [, navigate] = useLocation();
  const filter = useMemo(() => filterOf(params), [params]);
  const subject = subjectOf(params);
  const key = ['AuditLog', filter];
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam, signal }) => (await request(AuditLogDocument, { filter, first: page, after: pageParam }, signal)).auditLog,
    initialPageParam: null as string | null,
    getNextPageParam: ({ pageInfo }) => (pageInfo.hasNextPage ? pageInfo.endCursor : null),
    staleTime: 0,
    gcTime: 0,
  });
  const filtered = Object.keys(filter).length > 0;
  const entries = query.data?.pages.flatMap(({ nodes }) => nodes) ?? [];
  const newest = useQuery({ ...apiQuery(NewestAuditDocument, { filter }), staleTime: 0, refetchInterval: 5000 }).data?.auditLog.nodes[0]?.id;
  const isOld = newest !== undefined && query.data !== undefined && !query.isFetching && (entries[0] === undefined || BigInt(newest) > BigInt(entries[0].id));
  const top = useRef<HTMLOListElement>(null);
  const refresh = () => {
    top.current?.closest('.page-body')?.scrollTo({ top: 0 });
    void queryClient.resetQueries({ queryKey: key, exact: true });
  };

  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = end.current;
    if (!element || !hasNextPage || isFetchingNextPage || isFetchNextPageError) return;
    const observer = new IntersectionObserver(([seen]) => seen?.isIntersecting && void fetchNextPage(), { root: element.closest('.page-body'), rootMargin: '600px' });
    observer.observe(element);
    return () => observer.disconnect();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);

  return (
    <Page
      title="Audit"
      count={query.data && number(query.data.pages[0]!.totalCount)}
      actions={<PlaygroundLink query={AuditLogDocument} variables={{ filter, first: page }} />}
      filters={
        <>
          <Select label="Action" all={['', ...AuditActionValues]} chosen={known(params.getAll('action'), AuditActionValues)[0] ?? ''} onChange={(action) => change({ action })} show={(action) => (action === '' ? 'All actions' : inWords(action))} />
          <SearchField label="Done by the token of this name" placeholder="By whom" value={params.get('by') ?? ''} onChange={(by) => change({ by })} />
          <PeriodFilter label="When" params={params} change={change} />
          {subject && <Chip label="subject" onRemove={() => change({ subject: null })}>{`About ${subject.kind.toLowerCase()} ${subject.id}`}</Chip>}
        </>
      }
    >
      {isOld && (
        <Button kind="primary" className="audit-pill" icon={UpIcon} onClick={refresh}>
          There is something new
        </Button>
      )}
      {query.isPending ? (
        <Loading />
      ) : query.error && entries.length === 0 ? (
        <Failure error={query.error} onRetry={() => void query.refetch()} />
      ) : entries.length === 0 ? (
        <Empty title={filtered ? 'No entries match' : 'Nothing was changed yet'}>
          {filtered ? <Button onClick={() => navigate('/audit')}>Clear the filter</Button> : <p>Who changes channels, tokens, silences or alerts stands here, with what was changed.</p>}
        </Empty>
      ) : (
        <>
          <ol ref={top} className="audit" aria-label="Who changed what, newest first">
            {entries.map((entry) => (
              <AuditEntry key={entry.id} entry={entry} onBy={(by) => change({ by })} onSubject={(subject) => change({ subject })} />
            ))}
          </ol>
          <div ref={end} className="audit-end">
            {isFetchNextPageError ? (
              <>
                The next ones could not be read. <Button onClick={() => void fetchNextPage()}>Try again</Button>
              </>
            ) : isFetchingNextPage ? (
              'Loading…'
            ) : hasNextPage ? (
              <Button onClick={() => void fetchNextPage()}>More</Button>
            ) : (
              'That is all.'
            )}
          </div>
        </>
      )}
    </Page>
  );
}

// Where what an entry is about is shown.
function hrefOf({ action, subjectId }: Entry): string | undefined {
  if (subjectId === null) return undefined;
  if (action.startsWith('CHANNEL_')) return action === 'CHANNEL_DELETED' ? undefined : `/channels/${subjectId}`;
  if (action.startsWith('ALERT_')) return `/alerts/${subjectId}`;
  if (action.startsWith('DELIVERY_')) return `/deliveries/${subjectId}`;
  if (action.startsWith('TOKEN_')) return '/tokens?show=all';
  return undefined;
}

function AuditEntry({ entry, onBy, onSubject }: { entry: Entry; onBy: (by: string) => void; onSubject: (subject: string) => void }) {
  const { at, by, address, action, subjectId, subjectName, changes } = entry;
  const href = hrefOf(entry);
  const kind = kindOf(action).toLowerCase();
  const name = subjectName ?? (subjectId && `${kind} ${subjectId}`);
  return (
    <li>
      <div className="audit-line">
        <span className="audit-what">
          <strong>{inWords(action)}</strong>
          {name && (href ? <Link href={href}>{name}</Link> : <span>{name}</span>)}
          {subjectId && <IconButton className="audit-only" label={`Only what is about ${kind} ${subjectId}`} icon={FilterIcon} onClick={() => onSubject(`${kind}-${subjectId}`)} />}
        </span>
        <span className="audit-who">
          <button type="button" className="audit-filter" onClick={() => onBy(by)} title={`Only what ${by} did`}>
            {by}
          </button>
          {address && <span className="muted small">{address}</span>}
        </span>
        <span className="audit-when">
          <Ago at={at} /> <span className="muted small">{exactTime(at)}</span>
        </span>
      </div>
      {changes && Object.keys(changes).length > 0 && <Changes changes={changes} />}
    </li>
  );
}
